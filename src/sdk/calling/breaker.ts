/** When calls of a service are not tried for a while, so that it can recover and its callers fail at once. */
export interface BreakerOptions {
  /** Milliseconds that are looked back. Default: 10000. */
  readonly windowMs?: number;
  /** Calls in the window, at least, before anything is concluded. Default: 20, as Hystrix. */
  readonly minCalls?: number;
  /** 0 to 1: more failed calls than this share open it. Default: 0.5, as Hystrix and resilience4j. */
  readonly failureRatio?: number;
  /** Milliseconds before one call is tried again, and, while that is not answered, another one: then 10000 at least. Default: 5000. */
  readonly openMs?: number;
}

/** `probe`: this call alone decides, unless it takes so long that another one is sent after it; they are told apart by `number`. */
export type Admission =
  | { readonly type: 'admitted' }
  | { readonly type: 'probe'; readonly number: number }
  | { readonly type: 'refused'; readonly retryAfterMs: number };

type State =
  | { readonly type: 'closed' }
  | { readonly type: 'open'; readonly until: number }
  /** The probe with this number is under way, and until then the others are refused; -Infinity where none is. */
  | { readonly type: 'half-open'; readonly probe: number; readonly until: number };

const BUCKETS = 10;
/** A probe is waited for no longer than this: a long poll or an upload says nothing of the service before it is answered. */
const PROBE_MS = 10_000;
const CLOSED: State = { type: 'closed' };
const ADMITTED: Admission = { type: 'admitted' };

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
  #probes = 0;

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
    if (now < this.#state.until) return { type: 'refused', retryAfterMs: this.#pauseMs(this.#state.until - now) };
    this.#probes += 1;
    const probe: Admission = { type: 'probe', number: this.#probes };
    this.#state = { type: 'half-open', probe: probe.number, until: now + Math.max(this.#openMs, PROBE_MS) };
    return probe;
  }

  /** `cancelled`: the caller gave up, which says nothing. */
  settle(admission: Admission, outcome: 'ok' | 'failed' | 'cancelled', now: number): void {
    if (admission.type === 'probe') this.#decide(admission.number, outcome, now);
    // Calls from before it opened have been judged already.
    else if (this.#state.type === 'closed' && outcome !== 'cancelled') this.#count(outcome === 'failed', now);
  }

  #decide(probe: number, outcome: 'ok' | 'failed' | 'cancelled', now: number): void {
    if (this.#state.type !== 'half-open') return;
    // A good answer is one however late it is, or else a service whose calls are all long would never be called again. What failed
    // is from before the probe that is under way now.
    if (this.#state.probe !== probe && outcome !== 'ok') return;
    if (outcome === 'cancelled') this.#state = { type: 'half-open', probe, until: -Infinity };
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

  /** A probe may end at any time: who asks is not kept away for all that it may take. */
  #pauseMs(leftMs: number): number {
    return Math.ceil(Math.min(leftMs, this.#openMs));
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
