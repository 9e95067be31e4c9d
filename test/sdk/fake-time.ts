import type { Time } from '../../src/sdk/time.ts';

interface Timer {
  readonly at: number;
  readonly call: () => void;
}

/** A clock that stands still until it is turned. Promises are given their turns after each timer. */
export class FakeTime implements Time {
  #now = 1000;
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#now;
  }

  after(ms: number, then: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, ms), call: then };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  get pending(): number {
    return this.#timers.size;
  }

  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    await turns();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.call();
      await turns();
    }
    this.#now = end;
  }

  /** Time goes by and nothing runs: a closed laptop. */
  freeze(ms: number): void {
    this.#now += ms;
  }

  #next(end: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers)
      if (timer.at <= end && (first === undefined || timer.at < first.at)) first = timer;
    return first;
  }
}

export async function turns(): Promise<void> {
  for (let i = 0; i < 6; i++) await Promise.resolve();
}
