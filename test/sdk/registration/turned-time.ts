import type { Time } from '../../../src/sdk/time.ts';

interface Timer {
  readonly at: number;
  readonly call: () => void;
}

/** A clock that a test turns. */
export class TurnedTime implements Time {
  #now = 0;
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#now;
  }

  after(ms: number, call: () => void): () => void {
    const timer = { at: this.#now + ms, call };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Lets so much time pass, and everything happen that comes with it. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settled();
    for (let next = this.#next(); next !== undefined && next.at <= end; next = this.#next()) {
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.call();
      await settled();
    }
    this.#now = end;
  }

  #next(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) if (first === undefined || timer.at < first.at) first = timer;
    return first;
  }
}

/** All that was promised has happened. */
const settled = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
