import { setTimeout as sleep } from 'node:timers/promises';
import { SignalboxError } from '../errors.ts';
import type { Endpoint, Outcome, Targets } from '../discovery/endpoint.ts';
import { TurnedDown, type Attempt } from './attempt.ts';
import type { Admission, Breaker } from './breaker.ts';
import type { RetryBudget } from './budget.ts';
import { Timed, type Deadlines } from './deadlines.ts';
import { isBlamed, isFailure, isReset } from './outcome.ts';
import { isPassing, mayRepeat, pauseBefore, retryAfterMs, UNSENT_HEADER, type Failure } from './retry.ts';

/** What is called, as far as it decides about attempts. */
export interface CallRequest {
  /** In capitals. */
  readonly method: string;
  /** For consistent hashing. */
  readonly key: string | undefined;
  readonly idempotent: boolean | undefined;
  /** Milliseconds up to the headers of the response; undefined for the service's. */
  readonly timeoutMs: number | undefined;
  /** The caller gives up. Whoever sends the attempts listens to it as well. */
  readonly signal: AbortSignal | undefined;
  /** Asked after a failure only. */
  hasIdempotencyKey(): boolean;
  /** Asked after a failure only: whether its body can be sent (again). */
  bodyIsWhole(): boolean;
  /** The one instance that may be called, once, whatever the breaker says: it is the caller's choice. */
  readonly only?: Endpoint | undefined;
  /** A body that is sent as it comes. Its time is not the call's: that begins anew with each part that moves. */
  readonly upload?: Upload | undefined;
}

/** How a body that is sent as it comes gets on. */
export interface Upload {
  /** When a part of it last came or went, of the monotonic clock; -Infinity before the first. */
  readonly movedAt: number;
  /** What is missing now has to come from the caller: that it takes so long is not the instance's fault. */
  readonly isAwaited: boolean;
}

export interface CallDeps {
  readonly targets: Pick<Targets, 'service' | 'pick'>;
  readonly budget: Pick<RetryBudget, 'withdraw'>;
  readonly breaker: Pick<Breaker, 'settle'> | undefined;
  readonly deadlines: Pick<Deadlines, 'add' | 'remove'>;
  /** Attempts after the first. */
  readonly retries: number;
  /** One of them will be made. */
  readonly onRetry: () => void;
  /** It is answered, or has failed. */
  readonly onEnd: () => void;
  /** What was reset over a connection that was used before is sent once more over a new one. */
  readonly repeatReset: boolean;
  readonly now: () => number;
  readonly random: () => number;
  readonly begin: (endpoint: Endpoint, call: Call, fresh: boolean) => Attempt;
}

/** How a call begins. */
export interface Begins {
  readonly now: number;
  readonly timeoutMs: number;
  readonly admission: Admission | undefined;
}

/** One call with its attempts. */
export class Call extends Timed {
  readonly #request: CallRequest;
  readonly #deps: CallDeps;
  readonly #timeoutMs: number;
  until: number;
  /** The list of deadlines that it is in, by its milliseconds. */
  #waitMs: number;
  readonly #admission: Admission | undefined;
  #tried: Set<Endpoint> | undefined;
  #attempts = 0;
  #attempt: Attempt | undefined;
  /** Milliseconds before the next attempt; undefined where there is none. */
  #pause: number | undefined;
  /** Where that attempt goes. */
  #next: Endpoint | undefined;
  /** It was, or is to be, repeated over a new connection: `now` for the next attempt. */
  #renewal: 'none' | 'now' | 'done' = 'none';
  #late: SignalboxError | undefined;

  constructor(deps: CallDeps, request: CallRequest, begins: Begins) {
    super();
    this.#request = request;
    this.#deps = deps;
    this.#timeoutMs = begins.timeoutMs;
    this.until = begins.now + begins.timeoutMs;
    this.#waitMs = begins.timeoutMs;
    this.#admission = begins.admission;
  }

  /** How it went, once it has. */
  #outcome(): Outcome {
    const attempt = this.#attempt;
    if (attempt === undefined || (this.#request.signal?.aborted === true && attempt.status === 0)) return 'cancelled';
    if (attempt.status !== 0) return isFailure(attempt.status) ? 'failed' : 'ok';
    return attempt.failure !== undefined && !attempt.cancelled && isBlamed(attempt.failure) ? 'failed' : 'cancelled';
  }

  /** Sends attempts until one is answered for good. `send` rejects with what the attempt tells its handler. */
  async run<R>(send: (attempt: Attempt) => Promise<R>): Promise<R> {
    this.#deps.deadlines.add(this, this.#waitMs);
    try {
      for (;;) {
        const fresh = this.#renewal === 'now';
        if (fresh) this.#renewal = 'done';
        const attempt = this.#deps.begin(this.#pick(), this, fresh);
        this.#attempt = attempt;
        this.#attempts += 1;
        this.#pause = undefined;
        try {
          return await send(attempt);
        } catch (error) {
          await this.#failed(this.#attempt, error);
        }
      }
    } finally {
      this.#deps.deadlines.remove(this, this.#waitMs);
      if (this.#admission !== undefined) {
        this.#deps.breaker?.settle(this.#admission, this.#outcome(), this.#deps.now());
      }
      this.#deps.onEnd();
    }
  }

  /** Ends what is under way: its time is over. */
  timeOut(): void {
    const { upload } = this.#request;
    if (upload !== undefined && this.#goesOnAfter(upload)) return;
    const detail = `${this.#deps.targets.service} did not answer in time (timeoutMs: ${this.#timeoutMs})`;
    this.#late = new SignalboxError('timeout', detail);
    // An answer that has come, and is being handed over, came in time.
    const attempt = this.#attempt;
    if (attempt?.status !== 0) return;
    attempt.cancelled = upload?.isAwaited === true;
    attempt.giveUp(this.#late, attempt.cancelled ? 'cancelled' : 'broken');
  }

  /** Looked at when the time is over, not at each part, of which there are many. */
  #goesOnAfter({ movedAt }: Upload): boolean {
    const { now, deadlines } = this.#deps;
    const left = movedAt + this.#timeoutMs - now();
    if (left <= 0) return false;
    this.#waitMs = Math.ceil(left);
    this.until = now() + this.#waitMs;
    deadlines.add(this, this.#waitMs);
    return true;
  }

  /** An attempt was answered: whether another one is made instead. */
  turnsDown(attempt: Attempt, status: number, headers: readonly Buffer[]): boolean {
    if (!isPassing(status)) return false;
    if (headerOf(headers, UNSENT_HEADER) !== undefined) return this.#plan(attempt, { type: 'unsent' });
    const after = retryAfterMs(headerOf(headers, 'retry-after'), Date.now());
    return this.#plan(attempt, { type: 'answered', status, retryAfterMs: after });
  }

  goesOnAs(attempt: Attempt): void {
    this.#attempt = attempt;
    if (this.#late !== undefined) attempt.giveUp(this.#late, 'broken');
  }

  #pick(): Endpoint {
    const { targets } = this.#deps;
    const endpoint = this.#next ?? this.#request.only ?? targets.pick(this.#request.key, this.#tried);
    this.#next = undefined;
    if (endpoint === undefined) {
      throw new SignalboxError('no-instances', `${targets.service} has no instance that can be called`, {
        cause: this.#attempt?.failure,
      });
    }
    return endpoint;
  }

  /** Returns when it is time for the next attempt. */
  async #failed(attempt: Attempt, error: unknown): Promise<void> {
    const { failure } = attempt;
    // An attempt that was never dispatched, because `send` did not like the request, is ended here.
    attempt.giveUp(error instanceof Error ? error : new Error(String(error)), 'cancelled');
    const { signal } = this.#request;
    if (this.#late !== undefined) throw this.#late;
    if (signal?.aborted === true) throw error;
    if (this.#pause === undefined && failure !== undefined && !attempt.cancelled) {
      this.#plan(attempt, { type: attempt.sent ? 'reset' : 'unsent' });
    }
    if (this.#pause === undefined) throw this.#errorOf(attempt, failure, error);
    if (this.#pause > 0) {
      await sleep(this.#pause, undefined, signal === undefined ? {} : { signal }).catch(() => {
        throw signal?.reason as Error;
      });
      // Its time may have passed with the pause, if the process had no time for either.
      if (this.#late !== undefined) throw this.#late;
    }
  }

  #plan(attempt: Attempt, failure: Failure): boolean {
    if (!this.#mayRepeat(failure)) return false;
    const { budget, random, now, onRetry } = this.#deps;
    this.#tried = (this.#tried ?? new Set()).add(attempt.endpoint);
    const next = this.#mayRetry() ? this.#pickNext() : undefined;
    const another = next !== undefined && !this.#tried.has(next);
    const renews = !another && this.#mayRenew(attempt, failure);
    if (next === undefined && !renews) return false;
    const pause = renews ? 0 : pauseBefore(this.#attempts, failure, another, random);
    const at = now();
    if (at + pause >= this.until || !budget.withdraw(at)) return false;
    this.#pause = pause;
    this.#next = renews ? attempt.endpoint : next;
    if (renews) this.#renewal = 'now';
    onRetry();
    return true;
  }

  #mayRetry(): boolean {
    if (this.#request.only !== undefined) return false;
    const retried = this.#attempts - 1 - (this.#renewal === 'done' ? 1 : 0);
    return retried < (this.#admission?.type === 'probe' ? 0 : this.#deps.retries);
  }

  /** A server may end a connection that is not in use while a request is on its way, which says nothing about either. */
  #mayRenew({ failure: error, reused }: Attempt, failure: Failure): boolean {
    const { repeatReset } = this.#deps;
    if (!repeatReset || !reused || this.#renewal !== 'none') return false;
    return failure.type === 'reset' && error !== undefined && isReset(error);
  }

  /** What is known of the service may have become too old, or the service be closed: then what went wrong before is the outcome. */
  #pickNext(): Endpoint | undefined {
    try {
      return this.#deps.targets.pick(this.#request.key, this.#tried);
    } catch {
      return undefined;
    }
  }

  #mayRepeat(failure: Failure): boolean {
    const { method, idempotent } = this.#request;
    const hasIdempotencyKey = this.#request.hasIdempotencyKey();
    return mayRepeat({ method, idempotent, hasIdempotencyKey, bodyIsWhole: this.#request.bodyIsWhole() }, failure);
  }

  #errorOf(attempt: Attempt, failure: Error | undefined, error: unknown): unknown {
    if (failure === undefined || attempt.cancelled) return error;
    if (failure instanceof SignalboxError) return failure;
    if (!isBlamed(failure) || failure instanceof TurnedDown) return error;
    const tries = this.#attempts === 1 ? '' : `${this.#attempts} attempts failed, the last one `;
    const detail = `${this.#request.method} to ${this.#deps.targets.service}: ${tries}at ${attempt.endpoint.url}: ${failure.message}`;
    return new SignalboxError('call-failed', detail, { cause: failure, unsent: !attempt.sent });
  }
}

/** Of raw headers, names and values by turns. */
function headerOf(headers: readonly Buffer[], name: string): string | undefined {
  for (let n = 0; n + 1 < headers.length; n += 2) {
    if (headers[n]?.length === name.length && headers[n]?.toString('latin1').toLowerCase() === name) {
      return headers[n + 1]?.toString('latin1');
    }
  }
  return undefined;
}
