import { SignalboxError } from '../errors.ts';
import type { Endpoint, Targets } from '../discovery/endpoint.ts';
import { Attempt } from './attempt.ts';
import { Breaker, type Admission } from './breaker.ts';
import { RetryBudget } from './budget.ts';
import { Call, type CallDeps, type CallRequest } from './call.ts';
import { dialOf } from './connector.ts';
import { Connections, type Limits } from './connections.ts';
import type { CallOptions } from './options.ts';

export interface CallsDeps {
  readonly targets: Targets;
  readonly options?: CallOptions;
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
  readonly random: () => number;
}

/** What is between two looks at unused and old connections; a share of the shortest time that matters. */
const SWEEPS = 4;

/**
 * Calls of one service: connections to its instances, retries, deadline, retry budget and circuit breaker. It knows nothing of how a
 * request is made; `fetch.ts` makes it with WHATWG `fetch`, a proxy with a handler of its own:
 *
 *     const answer = await calls.call(request, (attempt) => attempt.request({ path, method, headers, body }));
 *
 * `request` of undici destroys a stream that is its body when an attempt fails, although nothing was read of it. Who wants such a
 * request to be repeated calls `attempt.dispatch(options, handler)`, which leaves it as it is.
 */
export class Calls {
  readonly service: string;
  readonly breaker: Breaker | undefined;
  readonly #deps: CallsDeps;
  readonly #options: CallOptions;
  readonly #limits: Limits;
  readonly #timeoutMs: number;
  readonly #budget: RetryBudget;
  readonly #callDeps: CallDeps;
  readonly #connections = new Map<Endpoint, Connections>();
  readonly #upgrading = new Map<Endpoint, Connections>();
  readonly #gone = new WeakSet<Endpoint>();
  readonly #closing = new Set<Promise<void>>();
  readonly #stopHearing: () => void;
  #sweeping: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(deps: CallsDeps) {
    const { targets, options = {}, now, random } = deps;
    this.service = targets.service;
    this.#deps = deps;
    this.#options = options;
    this.#limits = limitsOf(options);
    this.#timeoutMs = options.timeoutMs ?? 10_000;
    this.#budget = new RetryBudget(options.retryBudget ?? {}, now());
    this.breaker = options.breaker === false ? undefined : new Breaker(options.breaker);
    const begin = (endpoint: Endpoint, call: Call): Attempt => this.#begin(endpoint, call);
    this.#callDeps = { targets, budget: this.#budget, retries: options.retries ?? 2, now, random, begin };
    this.#stopHearing = targets.onGone((endpoint) => this.#leave(endpoint));
  }

  /**
   * Calls an instance, and others where that is safe. Resolves with what `send` resolves with, which is to be at the headers of the
   * response. A status is no error: with 503 and no retry left, the answer is 503.
   * @throws SignalboxError `no-instances`, `timeout`, `circuit-open`, `overloaded`, `call-failed`, `stopped`; what `send` throws of
   *   its own; the signal's reason.
   */
  async call<R>(request: CallRequest, send: (attempt: Attempt) => Promise<R>): Promise<R> {
    if (this.#closed) throw new SignalboxError('stopped', `calls of ${this.service} are closed`);
    const admission = this.breaker?.admit(this.#deps.now());
    if (admission?.type === 'refused') throw this.#refusal(admission.retryAfterMs);
    this.#budget.deposit();
    const timeoutMs = request.timeoutMs ?? this.#timeoutMs;
    const deps = admission?.type === 'probe' ? { ...this.#callDeps, retries: 0 } : this.#callDeps;
    const call = new Call(request, timeoutMs, deps);
    const timer = setTimeout(timeOut, timeoutMs, call);
    try {
      return await call.run(send);
    } finally {
      clearTimeout(timer);
      this.#settle(admission, call);
    }
  }

  /** One attempt at one endpoint, without retries, deadline and breaker. It has begun: it is dispatched, or given up. */
  acquire(endpoint: Endpoint): Attempt {
    return this.#begin(endpoint, undefined);
  }

  /** Connections to an instance at present. */
  statsOf(endpoint: Endpoint): Connections['stats'] {
    return this.#connections.get(endpoint)?.stats ?? { open: 0, draining: 0, waiting: 0 };
  }

  /** Takes no more calls. Resolves when those under way have ended; after `timeoutMs` they are cut. */
  async close({ timeoutMs = Infinity }: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#closed = true;
    this.#stopHearing();
    clearInterval(this.#sweeping);
    const all = [...this.#connections.values(), ...this.#upgrading.values()];
    const closing = Promise.all([...all.map((connections) => connections.close()), ...this.#closing]);
    const cut = (): void => {
      for (const connections of all) connections.destroy();
    };
    const timer = Number.isFinite(timeoutMs) ? setTimeout(cut, timeoutMs) : undefined;
    await closing;
    clearTimeout(timer);
  }

  #begin(endpoint: Endpoint, call: Call | undefined): Attempt {
    return new Attempt({
      endpoint,
      connections: this.#connectionsOf(endpoint, this.#connections, this.#options),
      upgrading: () => this.#connectionsOf(endpoint, this.#upgrading, { ...this.#options, http2: 'never' }),
      now: this.#deps.now,
      call,
    });
  }

  #connectionsOf(endpoint: Endpoint, among: Map<Endpoint, Connections>, options: CallOptions): Connections {
    const known = among.get(endpoint);
    if (known !== undefined) return known;
    const { now, random } = this.#deps;
    const dial = dialOf(endpoint, { ...options, connectTimeoutMs: options.connectTimeoutMs ?? 1000 });
    const connections = new Connections({ origin: endpoint.url, dial, limits: this.#limits, now, random });
    // Picked before it was gone, called after: what is sent to it fails, and goes to another one.
    if (this.#gone.has(endpoint) || this.#closed) void connections.close();
    else among.set(endpoint, connections);
    this.#sweeping ??= setInterval(() => this.#sweep(), this.#sweepMs()).unref();
    return connections;
  }

  #leave(endpoint: Endpoint): void {
    this.#gone.add(endpoint);
    for (const among of [this.#connections, this.#upgrading]) {
      const connections = among.get(endpoint);
      if (connections === undefined) continue;
      among.delete(endpoint);
      const closing = connections.close().finally(() => this.#closing.delete(closing));
      this.#closing.add(closing);
    }
  }

  #sweep(): void {
    for (const connections of this.#connections.values()) connections.sweep();
    for (const connections of this.#upgrading.values()) connections.sweep();
  }

  #sweepMs(): number {
    const { keepAliveMs, maxAgeMs } = this.#limits;
    return Math.max(10, Math.min(keepAliveMs, maxAgeMs) / SWEEPS);
  }

  #settle(admission: Admission | undefined, call: Call): void {
    if (admission !== undefined) this.breaker?.settle(admission, call.outcome, this.#deps.now());
  }

  #refusal(retryAfterMs: number): SignalboxError {
    const detail = `so many calls of ${this.service} failed that none is tried for ${retryAfterMs} ms`;
    return new SignalboxError('circuit-open', detail, { retryAfterMs });
  }
}

const timeOut = (call: Call): void => call.timeOut();

function limitsOf({ connections = {}, bodyTimeoutMs = 300_000 }: CallOptions): Limits {
  return {
    max: connections.max ?? 100,
    maxWaiting: connections.maxWaiting ?? 1000,
    keepAliveMs: connections.keepAliveMs ?? 4000,
    maxRequests: connections.maxRequests ?? 1_000_000,
    maxAgeMs: connections.maxAgeMs ?? 3_600_000,
    jitter: connections.jitter ?? 0.2,
    maxStreams: connections.maxStreams ?? 100,
    bodyTimeoutMs,
  };
}
