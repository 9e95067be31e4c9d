import { SignalboxError } from '../errors.ts';
import type { CallStats } from '../api.ts';
import type { Endpoint, Targets } from '../discovery/endpoint.ts';
import { Attempt, type Judge, type Line } from './attempt.ts';
import { Breaker } from './breaker.ts';
import { RetryBudget } from './budget.ts';
import { Call, type CallDeps, type CallRequest } from './call.ts';
import { dialOf } from './connector.ts';
import { checkCallOptions, wrongTimeout } from './check-options.ts';
import { Connections, type Limits } from './connections.ts';
import { Deadlines } from './deadlines.ts';
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
 * request to be repeated calls `attempt.dispatch(options, handler)`, which leaves it as it is. And the body of its answer has to be
 * read or destroyed: only that of `fetch` is given up when nobody holds it any more.
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
  readonly #lines = new Map<Endpoint, Line>();
  readonly #upgrading = new Map<Endpoint, Connections>();
  readonly #gone = new WeakSet<Endpoint>();
  /** Of instances that are gone, until what is under way there has ended. */
  readonly #leaving = new Set<Connections>();
  readonly #stopHearing: () => void;
  readonly #stats = { calls: 0, retries: 0 };
  #unanswered = 0;
  readonly #onAnswered: (() => void)[] = [];
  #sweeping: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(deps: CallsDeps) {
    const { targets, options = {}, now, random } = deps;
    checkCallOptions(options);
    const { retries = 2 } = options;
    this.service = targets.service;
    this.#deps = deps;
    this.#options = options;
    this.#limits = limitsOf(options);
    this.#timeoutMs = options.timeoutMs ?? 10_000;
    this.#budget = new RetryBudget(options.retryBudget ?? {}, now());
    this.breaker = options.breaker === false ? undefined : new Breaker(options.breaker);
    this.#callDeps = {
      targets,
      budget: this.#budget,
      breaker: this.breaker,
      deadlines: new Deadlines(now),
      retries,
      repeatReset: options.repeatReset ?? retries > 0,
      onRetry: () => (this.#stats.retries += 1),
      onEnd: () => this.#ended(),
      now,
      random,
      begin: (endpoint, call, fresh) => this.#begin(endpoint, call, fresh),
    };
    this.#stopHearing = targets.onGone((endpoint) => this.#leave(endpoint));
  }

  /**
   * Calls an instance, and others where that is safe. Resolves with what `send` resolves with, which is to be at the headers of the
   * response. A status is no error: with 503 and no retry left, the answer is 503.
   * @throws SignalboxError `invalid-options`, `no-instances`, `timeout`, `circuit-open`, `overloaded`, `call-failed`, `stopped`; what `send` throws of
   *   its own; the signal's reason.
   */
  call<R>(request: CallRequest, send: (attempt: Attempt) => Promise<R>): Promise<R> {
    if (this.#closed) return Promise.reject(new SignalboxError('stopped', `calls of ${this.service} are closed`));
    const wrong = request.timeoutMs === undefined ? undefined : wrongTimeout(request.timeoutMs);
    if (wrong !== undefined) return Promise.reject(wrong);
    this.#stats.calls += 1;
    const now = this.#deps.now();
    const admission = request.only === undefined ? this.breaker?.admit(now) : undefined;
    if (admission?.type === 'refused') return Promise.reject(this.#refusal(admission.retryAfterMs));
    this.#budget.deposit();
    const timeoutMs = request.timeoutMs ?? this.#timeoutMs;
    this.#unanswered += 1;
    return new Call(this.#callDeps, request, { now, timeoutMs, admission }).run(send);
  }

  /** One attempt at one endpoint, without retries, deadline and breaker. It has begun: it is dispatched, or given up. */
  acquire(endpoint: Endpoint): Attempt {
    return this.#begin(endpoint, undefined);
  }

  /** A copy, as of now. */
  get stats(): CallStats {
    return { ...this.#stats };
  }

  /** Connections to an instance at present. */
  statsOf(endpoint: Endpoint): Connections['stats'] {
    return this.#lines.get(endpoint)?.connections.stats ?? { open: 0, draining: 0, waiting: 0 };
  }

  /** Resolves when no call waits for its answer: none is lost then where this is closed. Bodies may still be on their way. */
  answered(): Promise<void> {
    if (this.#unanswered === 0) return Promise.resolve();
    return new Promise((resolve) => void this.#onAnswered.push(resolve));
  }

  /** Takes no more calls. Resolves when those under way have ended; after `timeoutMs` they are cut. Asked once more, the earlier time counts. */
  async close({ timeoutMs = Infinity }: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#closed = true;
    this.#stopHearing();
    clearInterval(this.#sweeping);
    const all = [...this.#connections(), ...this.#leaving];
    const closing = Promise.all(all.map((connections) => connections.close()));
    const cut = (): void => {
      for (const connections of all) connections.destroy();
    };
    const timer = Number.isFinite(timeoutMs) ? setTimeout(cut, timeoutMs) : undefined;
    await closing;
    clearTimeout(timer);
  }

  #ended(): void {
    this.#unanswered -= 1;
    if (this.#unanswered === 0) for (const resolve of this.#onAnswered.splice(0)) resolve();
  }

  #begin(endpoint: Endpoint, judge: Judge | undefined, fresh?: boolean): Attempt {
    return new Attempt(this.#lines.get(endpoint) ?? this.#connect(endpoint), judge, fresh);
  }

  #connect(endpoint: Endpoint): Line {
    const line: Line = {
      endpoint,
      connections: this.#connectionsOf(endpoint, this.#options),
      upgrading: () => {
        const known = this.#upgrading.get(endpoint);
        if (known !== undefined) return known;
        const connections = this.#connectionsOf(endpoint, { ...this.#options, http2: 'never' });
        if (this.#lines.get(endpoint) === line) this.#upgrading.set(endpoint, connections);
        else void connections.close();
        return connections;
      },
      now: this.#deps.now,
    };
    // Picked before it was gone, called after: what is sent to it fails, and goes to another one.
    if (this.#gone.has(endpoint) || this.#closed) void line.connections.close();
    else this.#lines.set(endpoint, line);
    this.#sweeping ??= setInterval(() => this.#sweep(), this.#sweepMs()).unref();
    return line;
  }

  #connectionsOf(endpoint: Endpoint, options: CallOptions): Connections {
    const { now, random } = this.#deps;
    const dial = dialOf(endpoint, { ...options, connectTimeoutMs: options.connectTimeoutMs ?? 1000 });
    return new Connections({ origin: endpoint.url, dial, limits: this.#limits, now, random });
  }

  #leave(endpoint: Endpoint): void {
    this.#gone.add(endpoint);
    for (const connections of [this.#lines.get(endpoint)?.connections, this.#upgrading.get(endpoint)]) {
      if (connections === undefined) continue;
      this.#leaving.add(connections);
      void connections.close().finally(() => this.#leaving.delete(connections));
    }
    this.#lines.delete(endpoint);
    this.#upgrading.delete(endpoint);
  }

  #connections(): Connections[] {
    return [...[...this.#lines.values()].map(({ connections }) => connections), ...this.#upgrading.values()];
  }

  #sweep(): void {
    for (const connections of this.#connections()) connections.sweep();
  }

  #sweepMs(): number {
    const { keepAliveMs, maxAgeMs } = this.#limits;
    return Math.max(10, Math.min(keepAliveMs, maxAgeMs) / SWEEPS);
  }

  #refusal(retryAfterMs: number): SignalboxError {
    const detail = `so many calls of ${this.service} failed that none is tried for ${retryAfterMs} ms`;
    return new SignalboxError('circuit-open', detail, { retryAfterMs });
  }
}

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
