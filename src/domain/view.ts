import { indexKeys } from './indexes.ts';
import { changeName, type AnyItem, type Change } from './item.ts';

/** What a decision or a query may ask of a state: the committed view, or a draft over it. */
export interface Reader {
  get(name: string): AnyItem | undefined;
  /** The items under an index key (see `indexes.ts`), in no particular order. */
  bucket(key: string): Iterable<AnyItem>;
}

/** A change together with what it replaced. */
export interface Folded {
  readonly change: Change;
  readonly before: AnyItem | undefined;
}

interface Bucket {
  readonly items: Map<string, AnyItem>;
  sorted: readonly AnyItem[] | undefined;
}

const NONE: readonly AnyItem[] = [];

/** The state at one revision, in memory. It changes only by `fold`, which is the same everywhere. */
export class View implements Reader {
  readonly #items = new Map<string, AnyItem>();
  readonly #buckets = new Map<string, Bucket>();

  get size(): number {
    return this.#items.size;
  }

  get(name: string): AnyItem | undefined {
    return this.#items.get(name);
  }

  bucket(key: string): Iterable<AnyItem> {
    return this.#buckets.get(key)?.items.values() ?? NONE;
  }

  /** The items under a key in order of name; kept until one of them changes. */
  sorted(key: string): readonly AnyItem[] {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return NONE;
    bucket.sorted ??= [...bucket.items.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return bucket.sorted;
  }

  all(): Iterable<AnyItem> {
    return this.#items.values();
  }

  fold(changes: readonly Change[]): Folded[] {
    return changes.map((change) => {
      const name = changeName(change);
      const before = this.#items.get(name);
      const after = change.op === 'put' ? change.item : undefined;
      if (before !== undefined) for (const key of indexKeys(before)) this.#remove(key, name);
      if (after !== undefined) {
        for (const key of indexKeys(after)) this.#add(key, after);
        this.#items.set(name, after);
      } else {
        this.#items.delete(name);
      }
      return { change, before };
    });
  }

  #add(key: string, item: AnyItem): void {
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) this.#buckets.set(key, (bucket = { items: new Map(), sorted: undefined }));
    bucket.items.set(item.name, item);
    bucket.sorted = undefined;
  }

  #remove(key: string, name: string): void {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return;
    bucket.items.delete(name);
    bucket.sorted = undefined;
    if (bucket.items.size === 0) this.#buckets.delete(key);
  }
}
