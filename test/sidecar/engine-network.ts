import { Calls } from '../../src/sdk/calling/dispatch.ts';
import type { CallOptions } from '../../src/sdk/calling/options.ts';
import { DiscoveredService } from '../../src/sdk/discovery/discovered-service.ts';
import type { Endpoint, InstanceSource } from '../../src/sdk/discovery/endpoint.ts';
import { overrideSource } from '../../src/sdk/discovery/override-source.ts';
import { settingsOf } from '../../src/sdk/discovery/settings.ts';
import { CalledService } from '../../src/sidecar/called-service.ts';
import type { AddressOptions, Downstream, Network, Selection } from '../../src/sidecar/ports.ts';

const LOG = { info: () => {}, error: () => {} };

/** The client library's discovery and calling, of services at addresses that a test has written down; undefined: not known yet. */
export class EngineNetwork implements Network {
  readonly services = new Map<string, readonly string[] | undefined>();
  /** By address; 1 where nothing is said. */
  readonly weights = new Map<string, number>();
  readonly registrations: object[] = [];
  readonly deregistered: string[] = [];
  readonly attempts: string[] = [];
  readonly selections: Selection[] = [];
  readonly closed: string[] = [];
  isTurnedAway = false;
  readonly #options: CallOptions;
  readonly #sources = new Set<WrittenDown>();
  readonly #open = new Set<CalledService>();

  constructor(options: CallOptions = {}) {
    this.#options = options;
  }

  /** From now on the instances of a service are there. */
  move(service: string, urls: readonly string[] | undefined): void {
    this.services.set(service, urls);
    for (const source of this.#sources) source.changed();
  }

  downstream(selection: Selection): Downstream {
    this.selections.push(selection);
    const { service } = selection;
    const source = new WrittenDown(service, () => this.services.get(service), this.weights);
    this.#sources.add(source);
    return this.#call(service, source, { tls: { rejectUnauthorized: false }, ...this.#options });
  }

  address(url: string, { timeoutMs, keepAliveMs }: AddressOptions): Pick<Downstream, 'send' | 'close'> {
    const source = overrideSource(url, { from: 'a test', urls: [new URL(url)] });
    const connections = keepAliveMs === undefined ? {} : { keepAliveMs };
    return this.#call(url, source, { timeoutMs, connections, ...this.#options, retries: 0, breaker: false });
  }

  register(registration: object): ReturnType<Network['register']> {
    this.registrations.push(registration);
    return Promise.resolve({
      state: 'registered' as const,
      on: () => () => {},
      deregister: () => {
        this.deregistered.push((registration as { service: string }).service);
        return Promise.resolve();
      },
    });
  }

  get called(): readonly CalledService[] {
    return [...this.#open];
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((called) => called.end(0)));
  }

  #call(service: string, source: InstanceSource, options: CallOptions): CalledService {
    const deps = { now: () => performance.now(), random: () => 0.5, addresses: new Set<string>(), log: LOG };
    const targets = new Noting(service, source, settingsOf({ balance: 'round-robin' }, {}), deps, this.attempts);
    const calls = new Calls({ targets, options, now: deps.now, random: deps.random });
    const called = new CalledService(targets, calls, () => {
      this.closed.push(service);
      void called.retire();
    });
    this.#open.add(called);
    return called;
  }
}

/** Notes whom it picks. */
class Noting extends DiscoveredService {
  readonly #picked: string[];

  constructor(
    ...[service, source, settings, deps, picked]: [...ConstructorParameters<typeof DiscoveredService>, string[]]
  ) {
    super(service, source, settings, deps);
    this.#picked = picked;
  }

  override pick(key?: string, exclude?: ReadonlySet<Endpoint>): Endpoint | undefined {
    const endpoint = super.pick(key, exclude);
    if (endpoint !== undefined) this.#picked.push(endpoint.url);
    return endpoint;
  }
}

/** A list that a test changes. */
class WrittenDown implements InstanceSource {
  readonly age = 0;
  readonly #service: string;
  readonly #urls: () => readonly string[] | undefined;
  readonly #weights: ReadonlyMap<string, number>;
  readonly #listeners = new Set<() => void>();
  #instances: InstanceSource['instances'];
  #isClosed = false;

  constructor(service: string, urls: () => readonly string[] | undefined, weights: ReadonlyMap<string, number>) {
    this.#service = service;
    this.#urls = urls;
    this.#weights = weights;
    this.changed();
  }

  get instances(): InstanceSource['instances'] {
    return this.#instances;
  }

  get state(): InstanceSource['state'] {
    return this.#isClosed ? 'closed' : this.#instances === undefined ? 'loading' : 'live';
  }

  changed(): void {
    const urls = this.#urls()?.map((url) => new URL(url));
    const made = urls && overrideSource(this.#service, { from: 'a test', urls }).instances;
    this.#instances = made?.map((one) => ({
      ...one,
      weight: this.#weights.get(`http://${one.address}:${one.port}`) ?? one.weight,
    }));
    for (const listener of this.#listeners) listener();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  ready(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    this.#isClosed = true;
    for (const listener of this.#listeners) listener();
  }
}
