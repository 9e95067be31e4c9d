/** Delays count only when so many in a row are there: one long collection of garbage is no overload. */
const IN_A_ROW = 4;

/**
 * How late the event loop is, told by a timer of a known period that comes later than it should. What is answered is the
 * least of the last few delays, so that it is high only while the node is late all the time, and low after one good turn.
 */
export class LagMeter {
  readonly #periodMs: number;
  readonly #last: number[] = Array.from({ length: IN_A_ROW }, () => 0);
  #tickedAt: number | undefined;
  #next = 0;
  #least = 0;

  /** `periodMs` is the pause between two calls of `tick`. */
  constructor(periodMs: number) {
    this.#periodMs = periodMs;
  }

  /** Milliseconds. */
  get lag(): number {
    return this.#least;
  }

  /** `now` is in monotonic milliseconds. */
  tick(now: number): void {
    const late = this.#tickedAt === undefined ? 0 : Math.max(0, now - this.#tickedAt - this.#periodMs);
    this.#tickedAt = now;
    this.#last[this.#next] = late;
    this.#next = (this.#next + 1) % IN_A_ROW;
    this.#least = Math.min(...this.#last);
  }
}
