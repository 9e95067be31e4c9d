import type { Counter } from 'prom-client';
import type { Entry } from '../domain/item.ts';
import { isElsewhere, since, type Head, type Position, type ResetReason } from '../domain/position.ts';
import type { Store } from '../store/port.ts';
import type { Lookout } from './lookout.ts';
import type { Ring } from './ring.ts';
import type { Turns } from './turns.ts';

export type Read =
  | { readonly kind: 'changes'; readonly entries: readonly Entry[] }
  | { readonly kind: 'startOver'; readonly reason: ResetReason };

export interface ReadLimit {
  readonly entries: number;
  readonly bytes: number;
}

export interface HistoryDeps {
  readonly store: Pick<Store, 'changesSince'>;
  readonly state: { readonly head: Head; readonly ring: Ring };
  readonly lookout: Pick<Lookout, 'reach'>;
  /** What reads of the store wait for. */
  readonly turns: Pick<Turns, 'take'>;
  /** Of the reads that go to the store. */
  readonly counter: Pick<Counter, 'inc'>;
}

/**
 * The log as readers see it: the recent part from memory, the rest from the store. Readers of the same stretch share one
 * read, so that a crowd resuming from one old position costs the database one query. Readers of different stretches take
 * turns: commits go over the same connections (PUSH9).
 */
export class History {
  readonly #deps: HistoryDeps;
  readonly #reads = new Map<string, Promise<Entry[]>>();

  constructor(deps: HistoryDeps) {
    this.#deps = deps;
  }

  /**
   * What follows `from`, within the limit; no entries when nothing does. A position ahead of this node is looked for in the
   * log first. Rejects as the store does, and with `StoreUnavailable` where too many others read.
   */
  async read(from: Position, limit: ReadLimit): Promise<Read> {
    const { state, lookout } = this.#deps;
    if (isElsewhere(state.head, from)) await lookout.reach(from);
    const { head, ring } = state;
    const answer = since(head, from);
    if (answer.kind === 'startOver') return answer;
    if (answer.kind === 'nothing') return { kind: 'changes', entries: [] };
    const recent = ring.after(from.revision, limit.bytes);
    if (recent !== undefined) return { kind: 'changes', entries: recent.slice(0, limit.entries) };
    const entries = await this.#readStore(from, limit);
    if (state.head.epoch !== from.epoch) return { kind: 'startOver', reason: 'epoch' };
    // Between the decision and the read the log was trimmed, or an epoch began of which this node will hear.
    if (entries[0]?.revision !== from.revision + 1) return { kind: 'startOver', reason: 'trimmed' };
    // The store may be ahead of this node's view, and what the view has not seen is not told yet.
    const { revision } = state.head;
    return { kind: 'changes', entries: entries.filter((entry) => entry.revision <= revision) };
  }

  #readStore(from: Position, limit: ReadLimit): Promise<Entry[]> {
    const { store, turns, counter } = this.#deps;
    // What was read in another epoch may be of another history.
    const key = `${from.epoch}:${from.revision}:${limit.entries}:${limit.bytes}`;
    let read = this.#reads.get(key);
    if (read === undefined) {
      const ask = (): Promise<Entry[]> => {
        counter.inc();
        return store.changesSince(from, limit);
      };
      read = turns.take(ask).finally(() => this.#reads.delete(key));
      this.#reads.set(key, read);
    }
    return read;
  }
}
