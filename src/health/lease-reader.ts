import type { Known, Leases } from '../leases/port.ts';
import type { Tracked } from './tracked.ts';

export interface LeaseReaderDeps {
  readonly leases: Pick<Leases, 'read'>;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** `askedAt`: when the call began. */
  readonly onAnswer: (tracked: Tracked, known: Known, askedAt: number) => void;
}

/** Keys of one call. */
const MAX_KEYS = 1000;

/**
 * Asks what other nodes have heard and found about instances: what a tick wants to know together, one call at a time. What is not
 * answered is not asked again by itself, since whoever wants to know looks again.
 */
export class LeaseReader {
  readonly #deps: LeaseReaderDeps;
  #wanted = new Set<Tracked>();
  #isAsking = false;

  constructor(deps: LeaseReaderDeps) {
    this.#deps = deps;
  }

  want(tracked: Tracked): void {
    this.#wanted.add(tracked);
  }

  /** To be called when everything that is wanted now has been said. */
  flush(): void {
    if (this.#wanted.size > 0 && !this.#isAsking) void this.#ask();
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    try {
      while (this.#wanted.size > 0) await this.#askSome();
    } catch {
      this.#wanted.clear();
    }
    this.#isAsking = false;
  }

  async #askSome(): Promise<void> {
    const { leases, now, onAnswer } = this.#deps;
    const asked: Tracked[] = [];
    for (const tracked of this.#wanted) {
      if (asked.length === MAX_KEYS) break;
      this.#wanted.delete(tracked);
      if (tracked.taken && !tracked.gone) asked.push(tracked);
    }
    if (asked.length === 0) return;
    const askedAt = now();
    const known = await leases.read(asked.map(({ key }) => key));
    asked.forEach((tracked, i) => {
      const one = known[i];
      if (one !== undefined && tracked.taken && !tracked.gone) onAnswer(tracked, one, askedAt);
    });
  }
}
