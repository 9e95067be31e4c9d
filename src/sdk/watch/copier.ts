import type { Cache } from '../cache/cache.ts';
import { asAdded } from '../cache/difference.ts';
import { isSameCaller, type Caller } from '../caller.ts';
import type { Keep } from '../cache/keep.ts';
import type { Time } from '../time.ts';
import type { WatchChange } from './watch.ts';

/** Milliseconds after which what has changed is written, and what has only moved on. */
const CHANGED_MS = 5_000;
const MOVED_MS = 60_000;

export interface CopierDeps {
  readonly keep: Keep;
  readonly topic: string;
  readonly server: string;
  /** Who begins; undefined where that is not known. */
  readonly caller: () => Promise<Caller | undefined>;
  /** Whose copy the cache holds now; undefined where that is not certain, and nothing is kept. */
  readonly owner: () => Caller | undefined;
  readonly cache: Pick<Cache, 'restore' | 'since' | 'snapshot'>;
  readonly time: Time;
  /** In milliseconds since 1970; not finite where it is not known. */
  readonly currentAt: () => number;
}

/** Keeps the copy of one topic where it outlives the process. */
export class Copier {
  readonly #deps: CopierDeps;
  #due: number | undefined;
  #cancel: (() => void) | undefined;

  constructor(deps: CopierDeps) {
    this.#deps = deps;
  }

  /** When the copy was current that the cache begins with now; undefined where there is none. */
  async load(): Promise<number | undefined> {
    const { keep, topic, server, cache, caller: ask } = this.#deps;
    const caller = await ask();
    const kept = caller === undefined ? undefined : await keep.load(topic, caller);
    if (kept === undefined || kept.server !== server || !isSameCaller(kept.caller, caller)) return undefined;
    if (!cache.restore(kept)) return undefined;
    return kept.currentAt ?? -Infinity;
  }

  asChanges(): WatchChange[] {
    return Array.from(this.#deps.cache.snapshot?.values() ?? [], asAdded);
  }

  note(what: 'changes' | 'position'): void {
    const { time } = this.#deps;
    const due = time.now() + (what === 'changes' ? CHANGED_MS : MOVED_MS);
    if (this.#due !== undefined && this.#due <= due) return;
    this.#cancel?.();
    this.#due = due;
    this.#cancel = time.after(due - time.now(), () => this.#save());
  }

  /** What has not been written is. */
  end(): void {
    if (this.#due !== undefined) this.#save();
  }

  #save(): void {
    const { keep, topic, server, cache, currentAt } = this.#deps;
    const caller = this.#deps.owner();
    this.#cancel?.();
    this.#due = this.#cancel = undefined;
    const { since: position, snapshot } = cache;
    // What is not trusted is not kept: the copy that was written before is.
    if (position === undefined || snapshot === undefined || caller === undefined) return;
    const at = currentAt();
    const about = { server, caller, position, digest: snapshot.digest, items: [...snapshot.values()] };
    keep.save(topic, Number.isFinite(at) ? { ...about, currentAt: at } : about);
  }
}
