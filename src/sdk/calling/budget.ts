/** What all retries of a service may come to, so that an outage is not multiplied. */
export interface BudgetOptions {
  /** Retries for each call. Default: 0.2. */
  readonly ratio?: number;
  /** Retries for each second, whatever is called, for services that are seldom called. Default: 10. */
  readonly perSecond?: number;
  /** Retries that can be saved up. Default: 100, ten seconds of `perSecond`. */
  readonly burst?: number;
}

/**
 * A bucket of tokens, one for each retry. Over any window, retries are at most `burst + ratio × calls + perSecond × seconds`.
 * Times are of a monotonic clock, in milliseconds.
 */
export class RetryBudget {
  readonly #ratio: number;
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;

  constructor({ ratio = 0.2, perSecond = 10, burst = 100 }: BudgetOptions, now: number) {
    this.#ratio = ratio;
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#tokens = burst;
    this.#at = now;
  }

  /** A call, which is not a retry, has begun. */
  deposit(): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + this.#ratio);
  }

  /** Whether one more retry is made; it is counted then. */
  withdraw(now: number): boolean {
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#at) * this.#perMs);
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
