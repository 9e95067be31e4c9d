import type { Counter } from 'prom-client';
import type { Entry } from '../domain/item.ts';
import { isElsewhere, since, type Head, type Position, type ResetReason } from '../domain/position.ts';
import type { Store } from '../store/port.ts';
import type { Lookout } from './lookout.ts';
import type { Ring } from './ring.ts';

export type Read =
  | { readonly kind: 'changes'; readonly entries: readonly Entry[] }
  | { readonly kind: 'startOver'; readonly reason: ResetReason };

export interface ReadLimit {
  readonly entries: number;
  readonly bytes: number;
}

/**
 * The log as readers see it: the recent part from memory, the rest from the store. Readers of the same stretch share one
 * read, so that a crowd resuming from one old position costs the database one query.
 */
export class History {
  readonly #store: Pick<Store, 'changesSince'>;
  readonly #state: { readonly head: Head; readonly ring: Ring };
  readonly #reads = new Map<string, Promise<Entry[]>>();

  readonly #lookout: Pick<Lookout, 'reach'>;
  readonly #counter: Pick<Counter, 'inc'>;

  /** `counter`: of the reads that go to the store. */
  constructor(
    store: Pick<Store, 'changesSince'>,
    state: { readonly head: Head; readonly ring: Ring },
    lookout: Pick<Lookout, 'reach'>,
    counter: Pick<Counter, 'inc'>,
  ) {
    this.#store = store;
    this.#state = state;
    this.#lookout = lookout;
    this.#counter = counter;
  }

  /**
   * What follows `from`, within the limit; no entries when nothing does. A position ahead of this node is looked for in the
   * log first. Rejects as the store does.
   */
  async read(from: Position, limit: ReadLimit): Promise<Read> {
    if (isElsewhere(this.#state.head, from)) await this.#lookout.reach(from);
    const { head, ring } = this.#state;
    const answer = since(head, from);
    if (answer.kind === 'startOver') return answer;
    if (answer.kind === 'nothing') return { kind: 'changes', entries: [] };
    const recent = ring.after(from.revision, limit.bytes);
    if (recent !== undefined) return { kind: 'changes', entries: recent.slice(0, limit.entries) };
    const entries = await this.#readStore(from.revision, limit);
    if (this.#state.head.epoch !== from.epoch) return { kind: 'startOver', reason: 'epoch' };
    // The log was trimmed between the decision and the read.
    if (entries[0]?.revision !== from.revision + 1) return { kind: 'startOver', reason: 'trimmed' };
    // The store may be ahead of this node's view, and what the view has not seen is not told yet.
    const { revision } = this.#state.head;
    return { kind: 'changes', entries: entries.filter((entry) => entry.revision <= revision) };
  }

  #readStore(from: number, limit: ReadLimit): Promise<Entry[]> {
    const key = `${from}:${limit.entries}:${limit.bytes}`;
    let read = this.#reads.get(key);
    if (read === undefined) {
      this.#counter.inc();
      read = this.#store.changesSince(from, limit).finally(() => this.#reads.delete(key));
      this.#reads.set(key, read);
    }
    return read;
  }
}
