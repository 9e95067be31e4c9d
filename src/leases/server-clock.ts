import { offsetAfter, offsetSeen, type ClockOffset } from '../domain/server-clock.ts';

/** Another machine's clock, against one here that nobody sets. */
export class ServerClock {
  #known: ClockOffset | undefined;

  /** Whether it was set since the last time, given what it showed at some moment between two. */
  wasSet(shown: number, from: number, to: number): boolean {
    const seen = offsetSeen(from, shown, to);
    const after = this.#known === undefined ? seen : offsetAfter(this.#known, seen);
    this.#known = after ?? seen;
    return after === undefined;
  }

  /** Another machine's clock from here on. */
  forget(): void {
    this.#known = undefined;
  }
}
