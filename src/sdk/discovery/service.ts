import type { Select } from '../../protocol/frames.ts';
import type { Service, ServiceChange } from '../api.ts';
import { checkCallOptions, wrongTimeout } from '../calling/check-options.ts';
import type { FetchInit, FetchResponse } from '../calling/options.ts';
import { SignalboxError } from '../errors.ts';
import type { ClientLog } from '../options.ts';
import { DiscoveredService, type DiscoveryDeps } from './discovered-service.ts';
import type { InstanceSource, Targets } from './endpoint.ts';
import type { ServiceOptions } from './options.ts';
import { overrideSource } from './override-source.ts';
import { overrideOf, type Overrides } from './overrides.ts';
import { selectOf } from './select.ts';
import { settingsOf } from './settings.ts';

/** How the instances of one service are called. */
export interface Caller {
  fetch(path: string, init?: FetchInit): Promise<FetchResponse>;
  /** Drains what is open. */
  close(): void;
}

export interface ServiceDeps extends DiscoveryDeps {
  readonly log: Pick<ClientLog, 'info' | 'warn' | 'error'>;
  /** The instances that a selection selects: a watch of Signalbox. Not asked for services that are overridden. */
  readonly source: (select: Select) => InstanceSource;
  readonly caller: (targets: Targets, options: ServiceOptions) => Caller;
  readonly overrides: Overrides;
  /** Where `ORDERS_URL` is looked up; empty where there is none, as in a browser. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Of services whose options name none. */
  readonly environment?: string;
  /** Where this process runs. */
  readonly region?: string;
  readonly zone?: string;
  /** Milliseconds. Default: Infinity. */
  readonly maxAge?: number;
}

/** As `CallOptions.timeoutMs` has it. */
const TIMEOUT_MS = 10_000;

interface Shared {
  readonly discovered: DiscoveredService;
  readonly caller: Caller;
  users: number;
}

/** So many of one id, with options of their own each, are more than somebody would have written down. */
const MANY = 20;

/** The services that a client calls. Those of the same id and options share what they know, until the last of them is closed. */
export function createServices(deps: ServiceDeps): {
  service(id: string, options?: ServiceOptions): Service;
  /** Closes all of them. */
  close(): void;
} {
  const all = new Map<string, Shared>();
  const keyOf = canonicalWriter();

  function open(id: string, options: ServiceOptions): Shared {
    const settings = settingsOf(options, deps);
    checkCallOptions(options);
    const override = overrideOf(id, deps.overrides, deps.env);
    if (override !== undefined) deps.log.info({ service: id, from: override.from }, 'instances are those written down');
    const source =
      override === undefined ? deps.source(selectOf(id, options, deps.environment)) : overrideSource(id, override);
    const discovered = new DiscoveredService(id, source, settings, deps);
    return { discovered, caller: deps.caller(discovered, options), users: 0 };
  }

  function warnOfMany(id: string): void {
    const count = [...all.values()].filter(({ discovered }) => discovered.service === id).length;
    if (count !== MANY) return;
    const message =
      'a service is open many times over: is it asked for anew at each call, with a new function (trace)?';
    deps.log.warn({ service: id, count }, message);
  }

  return {
    service(id, options = {}) {
      const key = keyOf([id, options]);
      const known = all.get(key);
      const shared = known ?? open(id, options);
      all.set(key, shared);
      if (known === undefined) warnOfMany(id);
      shared.users += 1;
      const release = (): void => {
        shared.users -= 1;
        // Those that are closed with the client are no longer here.
        if (shared.users > 0 || all.get(key) !== shared) return;
        all.delete(key);
        end(shared);
      };
      return new SharedService({ ...shared, release, now: deps.now, timeoutMs: options.timeoutMs ?? TIMEOUT_MS });
    },
    close() {
      for (const shared of all.values()) end(shared);
      all.clear();
    },
  };
}

function end({ discovered, caller }: Shared): void {
  caller.close();
  discovered.close();
}

interface Held extends Pick<Shared, 'discovered' | 'caller'> {
  readonly release: () => void;
  readonly now: () => number;
  readonly timeoutMs: number;
}

/** One user's hold on a service. */
class SharedService implements Service {
  readonly id: string;
  readonly #discovered: DiscoveredService;
  readonly #caller: Caller;
  readonly #release: () => void;
  readonly #now: () => number;
  readonly #timeoutMs: number;
  readonly #listening = new Set<() => void>();
  #isClosed = false;

  constructor({ discovered, caller, release, now, timeoutMs }: Held) {
    this.id = discovered.service;
    this.#now = now;
    this.#timeoutMs = timeoutMs;
    this.#discovered = discovered;
    this.#caller = caller;
    this.#release = release;
  }

  get state(): Service['state'] {
    return this.#isClosed ? 'closed' : this.#discovered.state;
  }

  get age(): number {
    return this.#discovered.age;
  }

  async ready(options?: Parameters<Service['ready']>[0]): Promise<void> {
    this.#assertOpen();
    await this.#discovered.ready(options);
  }

  pick(key?: string): ReturnType<Service['pick']> {
    if (this.#isClosed) this.#assertOpen();
    return this.#discovered.pick(key);
  }

  instances(): ReturnType<Service['instances']> {
    this.#assertOpen();
    return this.#discovered.instances;
  }

  on(_event: 'change', listener: (change: ServiceChange) => void): () => void {
    if (this.#isClosed) return () => {};
    const stop = this.#discovered.onChange(listener);
    this.#listening.add(stop);
    return () => {
      this.#listening.delete(stop);
      stop();
    };
  }

  fetch(path: string, init?: FetchInit): Promise<FetchResponse> {
    if (this.#isClosed) return Promise.reject(closed(this.id));
    const wrong = init?.timeoutMs === undefined ? undefined : wrongTimeout(init.timeoutMs);
    if (wrong !== undefined) return Promise.reject(wrong);
    return this.state === 'loading' ? this.#fetchOnceReady(path, init) : this.#caller.fetch(path, init);
  }

  /** A service that has just been asked for is on its way: its first callers wait for it, within their own time. */
  async #fetchOnceReady(path: string, init: FetchInit = {}): Promise<FetchResponse> {
    const { timeoutMs = this.#timeoutMs, signal } = init;
    const beganAt = this.#now();
    await this.ready({ timeoutMs, ...(signal && { signal }) });
    const leftMs = Math.max(1, timeoutMs - (this.#now() - beganAt));
    return this.#caller.fetch(path, { ...init, timeoutMs: leftMs });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const stop of this.#listening) stop();
    this.#release();
  }

  #assertOpen(): void {
    if (this.#isClosed) throw closed(this.id);
  }
}

const closed = (id: string): SignalboxError => new SignalboxError('stopped', `The service ${id} was closed.`);

/**
 * Equal options have equal texts, whatever the order they were written in. Options that are left out are not written; functions are
 * equal to themselves alone.
 */
function canonicalWriter(): (value: unknown) => string {
  const functions = new WeakMap<object, number>();
  let count = 0;
  const written = (_: string, part: unknown): unknown => {
    if (typeof part === 'function') {
      const known = functions.get(part) ?? count++;
      functions.set(part, known);
      return `function ${known}`;
    }
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
  };
  return (value) => JSON.stringify(value, written);
}
