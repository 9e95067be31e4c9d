/** Reads of the clock that lie closer together than this are too many. */
const FINE_MS = 1;
const COARSE_MS = 4;
/** How many picks may follow one another between two reads: after a pause, so many may still go by the time before it. */
export const MOST_PICKS = 64;

/**
 * Knows about what time it is without looking at each pick: the faster picks follow one another, the more of them go by one read. While
 * they do, it is behind by a millisecond or so.
 */
export class CoarseClock {
  readonly #now: () => number;
  #at: number;
  #tickedAt: number;
  #left = 0;
  #step = 1;

  constructor(now: () => number) {
    this.#now = now;
    this.#at = this.#tickedAt = now();
  }

  get at(): number {
    return this.#at;
  }

  /** To be called with each pick; whether the clock was read. */
  tick(): boolean {
    if (--this.#left > 0) return false;
    const passed = this.read() - this.#tickedAt;
    if (passed < FINE_MS) this.#step = Math.min(MOST_PICKS, 2 * this.#step);
    else if (passed > COARSE_MS) this.#step = 1;
    this.#left = this.#step;
    this.#tickedAt = this.#at;
    return true;
  }

  /** What it is exactly. */
  read(): number {
    this.#at = this.#now();
    return this.#at;
  }

  /** Somebody else has looked. */
  told(now: number): void {
    this.#at = now;
    if (now - this.#tickedAt > COARSE_MS) this.#left = 0;
  }
}
