import type { Instance } from '../../domain/instances/instance.ts';
import type { ServiceChange } from '../api.ts';
import { SignalboxError } from '../errors.ts';
import type { ClientLog } from '../options.ts';
import type { Endpoint, InstanceSource, Targets } from './endpoint.ts';
import type { SetChange } from './endpoint-set.ts';
import type { LiveEndpoint } from './live-endpoint.ts';
import { Pool } from './pool.ts';
import type { Settings } from './settings.ts';

export interface DiscoveryDeps {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly random: () => number;
  /** Of this host, as instances on it would register them. */
  readonly addresses: ReadonlySet<string>;
  readonly log: Pick<ClientLog, 'info' | 'error'>;
}

export interface Ejected {
  readonly endpoint: Endpoint;
  /** Milliseconds. */
  readonly forMs: number;
}

/** What is known of a service, for all who call it with the same options. */
export class DiscoveredService implements Targets {
  readonly service: string;
  readonly #source: InstanceSource;
  readonly #maxAge: number;
  readonly #log: DiscoveryDeps['log'];
  readonly #pool: Pool;
  readonly #changeListeners = new Set<(change: ServiceChange) => void>();
  readonly #goneListeners = new Set<(endpoint: Endpoint) => void>();
  readonly #ejectedListeners = new Set<(ejected: Ejected) => void>();
  readonly #stopListening: () => void;
  #instances: readonly Instance[] | undefined;
  /** Whether `pick` has nothing to ask but the pool. */
  #isOpen = false;

  constructor(service: string, source: InstanceSource, settings: Settings, deps: DiscoveryDeps) {
    this.service = service;
    this.#source = source;
    this.#maxAge = settings.maxAge;
    this.#log = deps.log;
    this.#pool = new Pool(settings, {
      ...deps,
      onEjected: (endpoint, forMs) => {
        const { name, url } = endpoint;
        deps.log.info({ service, instance: name, url, forMs: Math.round(forMs) }, 'calls fail: left out for a while');
        this.#tell(this.#ejectedListeners, { endpoint, forMs });
      },
    });
    this.#stopListening = source.onChange(() => this.#take());
    this.#take();
  }

  get state(): InstanceSource['state'] {
    return this.#source.state;
  }

  get age(): number {
    return this.#source.age;
  }

  ready(options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<void> {
    return this.#source.ready(options);
  }

  pick(key?: string, exclude?: ReadonlySet<Endpoint>): Endpoint | undefined {
    if (!this.#isOpen) this.#held();
    return this.#pool.pick(key, exclude);
  }

  /**
   * The instance at an address such as `http://10.0.4.17:8080`, be it one that is left out at present; the port may be missing where
   * the scheme tells it. Undefined where there is none.
   */
  endpointAt(url: string): Endpoint | undefined {
    this.#held();
    return this.#pool.endpoints.find((endpoint) => endpoint.url === url || originOf(endpoint.url) === url);
  }

  get instances(): readonly Instance[] {
    return this.#held();
  }

  onChange(listener: (change: ServiceChange) => void): () => void {
    return subscribe(this.#changeListeners, listener);
  }

  onGone(listener: (endpoint: Endpoint) => void): () => void {
    return subscribe(this.#goneListeners, listener);
  }

  /** Called when an instance is left out for a while, because calls of it fail. */
  onEjected(listener: (ejected: Ejected) => void): () => void {
    return subscribe(this.#ejectedListeners, listener);
  }

  close(): void {
    this.#isOpen = false;
    this.#stopListening();
    this.#source.close();
    for (const endpoint of this.#pool.endpoints) this.#tell(this.#goneListeners, endpoint);
    this.#changeListeners.clear();
    this.#goneListeners.clear();
    this.#ejectedListeners.clear();
  }

  /** The list, where there is one that may be used. */
  #held(): readonly Instance[] {
    const { state, age, error } = this.#source;
    if (state === 'closed') throw error === undefined ? closed(this.service) : neverKnown(this.service, error);
    if (this.#instances === undefined) {
      throw new SignalboxError('not-ready', `No list of ${this.service} was received yet: wait for ready().`);
    }
    if (age > this.#maxAge) {
      const message = `What is known of ${this.service} is ${Math.round(age)} ms old, and maxAge is ${this.#maxAge}.`;
      throw new SignalboxError('stale', message);
    }
    return this.#instances;
  }

  #take(): void {
    const { instances, state } = this.#source;
    this.#isOpen = instances !== undefined && (state === 'live' || (state === 'stale' && this.#maxAge === Infinity));
    if (instances === undefined || instances === this.#instances) return;
    this.#instances = instances;
    const change = this.#pool.replace(instances);
    for (const endpoint of change.removed) this.#tell(this.#goneListeners, endpoint);
    if (isEmpty(change)) return;
    const { added, removed, changed } = change;
    const told = {
      instances,
      added: added.map(ofEndpoint),
      removed: removed.map(ofEndpoint),
      changed: changed.map(ofEndpoint),
    };
    this.#tell(this.#changeListeners, told);
  }

  #tell<T>(listeners: ReadonlySet<(about: T) => void>, about: T): void {
    // Whoever begins to listen meanwhile is not told of what was before.
    const told = [...listeners];
    for (const listener of told) {
      try {
        listener(about);
      } catch (error) {
        this.#log.error({ service: this.service, err: error }, 'a listener of a service threw');
      }
    }
  }
}

const closed = (service: string): SignalboxError => new SignalboxError('stopped', `The service ${service} was closed.`);

/** With the code of what has ended it, as `ready` has it. */
function neverKnown(service: string, error: SignalboxError): SignalboxError {
  const { code, message, problem } = error;
  const about = { cause: error, unsent: true, ...(problem !== undefined && { problem }) };
  return new SignalboxError(code, `The instances of ${service} cannot be had: ${message}`, about);
}

const originOf = (url: string): string | undefined => (URL.canParse(url) ? new URL(url).origin : undefined);

const ofEndpoint = ({ instance }: LiveEndpoint): Instance => instance;

const isEmpty = ({ added, removed, changed }: SetChange): boolean =>
  added.length === 0 && removed.length === 0 && changed.length === 0;

/** A function that is given twice is told twice, and each is ended for itself. */
function subscribe<T>(listeners: Set<(about: T) => void>, listener: (about: T) => void): () => void {
  const own = (about: T): void => listener(about);
  listeners.add(own);
  return () => void listeners.delete(own);
}
