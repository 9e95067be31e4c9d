import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, RegisteredInstance } from '../sdk/api.ts';
import type { RegisterOptions, Registration } from '../sdk/registration/options.ts';
import type { KitLog } from './log.ts';
import { ownAddress, type Bound } from './node/bound-to.ts';

/** What registration needs of the SDK's client. */
export type Registrar = Pick<Client, 'register'> & Partial<Pick<Client, 'close'>>;

/** How a service comes and goes. */
export interface MembershipOptions {
  /** What is registered beside the id and the listener's address and port; what is given here outweighs those. Default: nothing. */
  readonly registration?: Partial<Omit<Registration, 'service'>>;
  /**
   * false: a service that cannot be registered does not start. true: it starts, and registers as soon as it can. Default: false.
   */
  readonly startOnRegistryFailure?: boolean;
  /** Milliseconds that registering may take at the start. Default: the SDK's, 10000. */
  readonly registerTimeoutMs?: number;
  /**
   * Milliseconds that it goes on taking calls after it has deregistered, until those who call it have heard of that. Default: 1000.
   */
  readonly lingerMs?: number;
  /** Milliseconds that calls under way may take once it takes no new ones; then they are cut. Default: 10000. */
  readonly drainMs?: number;
}

/** Who is registered, and by whom. */
export interface MembershipDeps {
  /** The id of the service, such as `orders.example.com`. */
  readonly serviceId: string;
  /** What `connect` of `signalbox/client` answers. */
  readonly registrar: Registrar;
  readonly options: MembershipOptions;
  /** A pino logger fits, and so does Fastify's. */
  readonly log: Pick<KitLog, 'info' | 'warn'>;
  /** `process.env`: of it `POD_IP` and `STATUS_HOST_IP` are looked at. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** For tests. Default: the real time. */
  readonly sleep?: (ms: number) => Promise<unknown>;
}

const LINGER_MS = 1000;
/** Deregistering may not hold up the end for longer. What could not be told expires. */
const LEAVE_MS = 5000;

/** Keeps a service registered from when it listens until it is about to stop. */
export class Membership {
  readonly #deps: MembershipDeps;
  readonly #stop = new AbortController();
  #joining: Promise<RegisteredInstance> | undefined;
  #instance: RegisteredInstance | undefined;
  #leaving: Promise<void> | undefined;

  constructor(deps: MembershipDeps) {
    this.#deps = deps;
  }

  /** Undefined until Signalbox has it. */
  get instance(): RegisteredInstance | undefined {
    return this.#instance;
  }

  /**
   * Registers it where it listens, as `boundTo(server)` says.
   * @throws SignalboxError as `Client.register`; Error where the listener has no port and none is given.
   */
  async join(bound: Bound | undefined): Promise<RegisteredInstance> {
    const { registrar, options, serviceId, log, env } = this.#deps;
    const port = options.registration?.port ?? bound?.port;
    if (port === undefined) throw new Error('it listens on no port: give registration.port');
    const address = bound === undefined ? undefined : ownAddress(bound, env);
    const registerOptions: RegisterOptions = {
      startOnRegistryFailure: options.startOnRegistryFailure ?? false,
      ...(options.registerTimeoutMs !== undefined && { timeoutMs: options.registerTimeoutMs }),
      signal: this.#stop.signal,
    };
    const registration: Registration = {
      protocol: bound?.secure === true ? 'https' : 'http',
      ...(address !== undefined && { address }),
      ...options.registration,
      service: serviceId,
      port,
    };
    this.#joining = registrar.register(registration, registerOptions);
    this.#instance = await this.#joining;
    const { id, state } = this.#instance;
    log.info({ service: serviceId, port, instance: id, state }, `registered as an instance of ${serviceId}`);
    return this.#instance;
  }

  /** Deregisters, and waits until callers have heard of it. The same end for everybody who asks. Never rejects. */
  leave(): Promise<void> {
    this.#leaving ??= this.#leave();
    return this.#leaving;
  }

  async #leave(): Promise<void> {
    const wait = this.#deps.sleep ?? sleep;
    const { lingerMs = LINGER_MS } = this.#deps.options;
    this.#stop.abort();
    const instance = await this.#joining?.catch(() => undefined);
    if (instance === undefined) return;
    const known = instance.state === 'registered';
    const left = instance.deregister().then(
      () => true,
      () => false,
    );
    const late = new AbortController();
    const inTime = await Promise.race([left, sleep(LEAVE_MS, false, { signal: late.signal }).catch(() => false)]);
    late.abort();
    if (!inTime) this.#deps.log.warn({ service: this.#deps.serviceId }, 'it could not be deregistered; it will expire');
    if (known) await wait(lingerMs);
  }
}
