import type { Counter } from 'prom-client';
import type { Position } from '../domain/position.ts';
import { isElsewhere } from '../domain/position.ts';
import type { Tail } from './tail.ts';

/**
 * Looks at the log for those who come from further ahead: with several nodes, most of them were on one that is not as far
 * behind as this one. However many come at once, they share a look.
 */
export class Lookout {
  readonly #tail: Pick<Tail, 'head' | 'catchUp'>;
  readonly #reads: Pick<Counter, 'inc'>;
  #look: Promise<void> | undefined;

  constructor(tail: Pick<Tail, 'head' | 'catchUp'>, reads: Pick<Counter, 'inc'>) {
    this.#tail = tail;
    this.#reads = reads;
  }

  /**
   * Resolves once the view has reached the position, or stands where the log did at some time after the call: what lies
   * ahead of it then is nowhere. Rejects as the store does.
   */
  async reach(position: Position): Promise<void> {
    // A look that is under way may have asked for the head before the position was committed.
    for (let looks = 0; looks < 2 && isElsewhere(this.#tail.head, position); looks++) {
      await (this.#look ??= this.#begin());
    }
  }

  #begin(): Promise<void> {
    this.#reads.inc();
    return this.#tail.catchUp().finally(() => {
      this.#look = undefined;
    });
  }
}
