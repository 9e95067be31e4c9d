/** Reads of the clock that lie closer together than this are too many. */
const FINE_MS = 1;
const COARSE_MS = 4;
const MOST_PICKS = 64;

/**
 * Knows about what time it is without looking each time: the faster it is asked, the more often it answers from memory. Under load it is
 * behind by a millisecond or so; after a pause, for at most 64 picks.
 */
export class CoarseClock {
  readonly #now: () => number;
  #at: number;
  #left = 0;
  #step = 1;

  constructor(now: () => number) {
    this.#now = now;
    this.#at = now();
  }

  get at(): number {
    return this.#at;
  }

  /** Whether the clock was read. */
  tick(): boolean {
    if (--this.#left > 0) return false;
    this.read();
    return true;
  }

  /** What it is exactly. */
  read(): number {
    const now = this.#now();
    const passed = now - this.#at;
    if (passed < FINE_MS) this.#step = Math.min(MOST_PICKS, 2 * this.#step);
    else if (passed > COARSE_MS) this.#step = 1;
    this.#left = this.#step;
    this.#at = now;
    return now;
  }
}
