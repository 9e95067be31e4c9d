interface Sample {
  /** What to add to the monotonic clock here. */
  readonly offset: number;
  /** Half of the time that the question took: the offset is wrong by so much at most. */
  readonly doubt: number;
}

/** Of so many of the last samples, the one with the least doubt counts: it was held up least. */
const KEPT = 16;
/** The other clock was set, rather than measured badly. */
const STEP_MS = 1000;

/**
 * The database's clock, as far as it can be told from here: monotonic time and an offset that each heartbeat measures. It never
 * goes back, but for the other clock being set back, of which `observe` tells.
 */
export class SharedClock {
  readonly #now: () => number;
  #samples: Sample[] = [];
  #offset = 0;
  #last = Number.NEGATIVE_INFINITY;

  constructor(now: () => number) {
    this.#now = now;
  }

  get now(): number {
    this.#last = Math.max(this.#last, this.#now() + this.#offset);
    return this.#last;
  }

  /** The clock said `time` at some moment from `asked` to `answered` (monotonic). True: it was set in between. */
  observe(time: number, asked: number, answered: number): boolean {
    const sample = { offset: time - (asked + answered) / 2, doubt: (answered - asked) / 2 };
    const isFirst = this.#samples.length === 0;
    const wasSet = !isFirst && Math.abs(sample.offset - this.#offset) > STEP_MS + sample.doubt;
    if (isFirst || wasSet) {
      this.#samples = [sample];
      this.#last = Number.NEGATIVE_INFINITY;
    } else {
      this.#samples.push(sample);
      if (this.#samples.length > KEPT) this.#samples.shift();
    }
    let best = sample;
    for (const other of this.#samples) if (other.doubt < best.doubt) best = other;
    this.#offset = best.offset;
    return wasSet;
  }
}
