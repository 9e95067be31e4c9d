/** When calls of a service are not tried for a while, so that it can recover and its callers fail at once. */
export interface BreakerOptions {
  /** Milliseconds that are looked back. Default: 10000. */
  readonly windowMs?: number;
  /** Calls in the window, at least, before anything is concluded. Default: 20, as Hystrix. */
  readonly minCalls?: number;
  /** 0 to 1: more failed calls than this share open it. Default: 0.5, as Hystrix and resilience4j. */
  readonly failureRatio?: number;
  /** Milliseconds before one call is tried again. Default: 5000. */
  readonly openMs?: number;
}

/** `probe`: this call alone decides. */
export type Admission =
  | { readonly type: 'admitted' }
  | { readonly type: 'probe' }
  | { readonly type: 'refused'; readonly retryAfterMs: number };

type State =
  | { readonly type: 'closed' }
  | { readonly type: 'open'; readonly until: number }
  /** `probing`: one call is under way; the others are refused meanwhile. */
  | { readonly type: 'half-open'; readonly probing: boolean };

const BUCKETS = 10;
const CLOSED: State = { type: 'closed' };
const ADMITTED: Admission = { type: 'admitted' };
const PROBE: Admission = { type: 'probe' };

/** A circuit breaker. Each call that is not refused is settled once, with its admission. Times are monotonic milliseconds. */
export class Breaker {
  readonly #bucketMs: number;
  readonly #minCalls: number;
  readonly #failureRatio: number;
  readonly #openMs: number;
  readonly #calls = new Uint32Array(BUCKETS);
  readonly #failed = new Uint32Array(BUCKETS);
  /** Counted from the clock's zero; its place is this modulo the number of buckets. */
  #bucket = 0;
  #state: State = CLOSED;

  constructor({ windowMs = 10_000, minCalls = 20, failureRatio = 0.5, openMs = 5000 }: BreakerOptions = {}) {
    this.#bucketMs = windowMs / BUCKETS;
    this.#minCalls = minCalls;
    this.#failureRatio = failureRatio;
    this.#openMs = openMs;
  }

  get state(): State['type'] {
    return this.#state.type;
  }

  admit(now: number): Admission {
    if (this.#state.type === 'closed') return ADMITTED;
    if (this.#state.type === 'open' && now < this.#state.until) {
      return { type: 'refused', retryAfterMs: Math.ceil(this.#state.until - now) };
    }
    if (this.#state.type === 'half-open' && this.#state.probing) return { type: 'refused', retryAfterMs: this.#openMs };
    this.#state = { type: 'half-open', probing: true };
    return PROBE;
  }

  /** `cancelled`: the caller gave up, which says nothing. */
  settle(admission: Admission, outcome: 'ok' | 'failed' | 'cancelled', now: number): void {
    if (admission.type === 'probe') this.#decide(outcome, now);
    // Calls from before it opened have been judged already.
    else if (this.#state.type === 'closed' && outcome !== 'cancelled') this.#count(outcome === 'failed', now);
  }

  #decide(outcome: 'ok' | 'failed' | 'cancelled', now: number): void {
    if (outcome === 'cancelled') this.#state = { type: 'half-open', probing: false };
    else if (outcome === 'failed') this.#state = { type: 'open', until: now + this.#openMs };
    else {
      this.#state = CLOSED;
      this.#calls.fill(0);
      this.#failed.fill(0);
    }
  }

  #count(failed: boolean, now: number): void {
    this.#turn(Math.floor(now / this.#bucketMs));
    const place = this.#bucket % BUCKETS;
    this.#calls[place] = (this.#calls[place] ?? 0) + 1;
    if (!failed) return;
    this.#failed[place] = (this.#failed[place] ?? 0) + 1;
    const calls = sum(this.#calls);
    if (calls >= this.#minCalls && sum(this.#failed) > calls * this.#failureRatio) {
      this.#state = { type: 'open', until: now + this.#openMs };
    }
  }

  /** Forgets what has left the window. */
  #turn(bucket: number): void {
    const passed = Math.min(BUCKETS, bucket - this.#bucket);
    for (let n = 1; n <= passed; n++) {
      this.#calls[(bucket - passed + n) % BUCKETS] = 0;
      this.#failed[(bucket - passed + n) % BUCKETS] = 0;
    }
    if (passed > 0) this.#bucket = bucket;
  }
}

function sum(counts: Uint32Array): number {
  let total = 0;
  for (const count of counts) total += count;
  return total;
}
