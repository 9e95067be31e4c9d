import { StoreUnavailable } from '../store/port.ts';

interface Waiting {
  /** Monotonic milliseconds. */
  readonly since: number;
  begin(): void;
  giveUp(error: Error): void;
}

export interface TurnsLimits {
  readonly atOnce: number;
  /** Who has waited longer when a turn comes is passed over. */
  readonly patienceMs: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** Lets so many reads run at once; the others wait for their turn, in the order in which they came. */
export class Turns {
  readonly #limits: TurnsLimits;
  readonly #waiting = new Set<Waiting>();
  #running = 0;

  constructor(limits: TurnsLimits) {
    this.#limits = limits;
  }

  /** Rejects with `StoreUnavailable` when there was no turn in time, and otherwise as `read` does. */
  async take<T>(read: () => Promise<T>): Promise<T> {
    if (this.#running < this.#limits.atOnce) this.#running += 1;
    else await this.#wait();
    try {
      return await read();
    } finally {
      this.#pass();
    }
  }

  #wait(): Promise<void> {
    return new Promise((begin, giveUp) => {
      this.#waiting.add({ since: this.#limits.now(), begin, giveUp });
    });
  }

  /** The turn goes from one to the next, so nobody who comes meanwhile gets in between. */
  #pass(): void {
    const { now, patienceMs } = this.#limits;
    for (const next of this.#waiting) {
      this.#waiting.delete(next);
      if (now() - next.since <= patienceMs) return next.begin();
      next.giveUp(new StoreUnavailable('others read the log, and there was no turn in time'));
    }
    this.#running -= 1;
  }
}
