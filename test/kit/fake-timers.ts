import type { Timers } from '../../src/kit/timers.ts';

/** A clock that goes when told to. */
export class FakeTimers implements Timers {
  #now = 0;
  #due: { readonly at: number; readonly run: () => void }[] = [];

  wall = (): number => this.#now;

  after = (ms: number, run: () => void): (() => void) => {
    const due = { at: this.#now + ms, run };
    this.#due.push(due);
    return () => void (this.#due = this.#due.filter((each) => each !== due));
  };

  get pending(): number {
    return this.#due.length;
  }

  go(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const [next] = this.#due.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#due = this.#due.filter((each) => each !== next);
      this.#now = next.at;
      next.run();
    }
    this.#now = end;
  }
}
