import { indexKeys } from './indexes.ts';
import type { AnyItem, Change } from './item.ts';
import type { Reader } from './view.ts';

/**
 * A state that is not committed: a reader's state with changes laid over it. The reader stays as it is, so a refused
 * command is a draft thrown away, and a batch is a draft over the view with a draft of each command over that.
 */
export class Draft implements Reader {
  readonly #base: Reader;
  readonly #items = new Map<string, AnyItem | null>();
  readonly #buckets = new Map<string, Map<string, AnyItem | null>>();

  constructor(base: Reader) {
    this.#base = base;
  }

  get(name: string): AnyItem | undefined {
    const item = this.#items.get(name);
    return item === undefined ? this.#base.get(name) : (item ?? undefined);
  }

  *bucket(key: string): Iterable<AnyItem> {
    const over = this.#buckets.get(key);
    if (over === undefined) {
      yield* this.#base.bucket(key);
      return;
    }
    for (const item of this.#base.bucket(key)) if (!over.has(item.name)) yield item;
    for (const item of over.values()) if (item !== null) yield item;
  }

  put(item: AnyItem): void {
    this.#unindex(item.name);
    this.#items.set(item.name, item);
    for (const key of indexKeys(item)) this.#over(key).set(item.name, item);
  }

  delete(name: string): void {
    this.#unindex(name);
    this.#items.set(name, null);
  }

  /** Lays the changes of an accepted command over this state. */
  absorb(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.op === 'put') this.put(change.item);
      else this.delete(change.name);
    }
  }

  /** The names this draft has touched, each with what it now is. */
  touched(): Iterable<[name: string, after: AnyItem | null]> {
    return this.#items.entries();
  }

  #unindex(name: string): void {
    const before = this.get(name);
    if (before !== undefined) for (const key of indexKeys(before)) this.#over(key).set(name, null);
  }

  #over(key: string): Map<string, AnyItem | null> {
    let over = this.#buckets.get(key);
    if (over === undefined) this.#buckets.set(key, (over = new Map()));
    return over;
  }
}
