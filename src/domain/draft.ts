import { indexKeys } from './indexes.ts';
import type { AnyItem, Change } from './item.ts';
import { Tally, type Usage } from './usage.ts';
import type { Reader } from './view.ts';

type Buckets = Map<string, Map<string, AnyItem | null>>;

/**
 * A state that is not committed: a reader's state with changes laid over it. The reader stays as it is, so a refused
 * command is a draft thrown away, and a batch is a draft over the view with a draft of each command over that.
 *
 * Most commands change one resource and ask for few buckets, often for none: buckets are laid over the reader's only
 * when the first one is asked for, and kept current from then on.
 */
export class Draft implements Reader {
  readonly #base: Reader;
  readonly #items = new Map<string, AnyItem | null>();
  #buckets: Buckets | undefined;
  /** What it holds more, or less, than the reader. */
  #tally: Tally | undefined;

  constructor(base: Reader) {
    this.#base = base;
  }

  get(name: string): AnyItem | undefined {
    const item = this.#items.get(name);
    return item === undefined ? this.#base.get(name) : (item ?? undefined);
  }

  bucket(key: string): Iterable<AnyItem> {
    if (this.#items.size === 0) return this.#base.bucket(key);
    this.#buckets ??= this.#index();
    const over = this.#buckets.get(key);
    if (over === undefined) return this.#base.bucket(key);
    const items: AnyItem[] = [];
    for (const item of this.#base.bucket(key)) if (!over.has(item.name)) items.push(item);
    for (const item of over.values()) if (item !== null) items.push(item);
    return items;
  }

  usage(project: string): Usage {
    const { services, instances } = this.#base.usage(project);
    if (this.#tally === undefined) return { services, instances };
    const more = this.#tally.of(project);
    return { services: services + more.services, instances: instances + more.instances };
  }

  put(item: AnyItem): void {
    if (isCounted(item)) this.#count(this.get(item.name), item);
    if (this.#buckets !== undefined) move(this.#buckets, item.name, this.get(item.name), item);
    this.#items.set(item.name, item);
  }

  delete(name: string): void {
    this.#count(this.get(name), undefined);
    if (this.#buckets !== undefined) move(this.#buckets, name, this.get(name), null);
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

  #count(before: AnyItem | undefined, after: AnyItem | undefined): void {
    if ((before === undefined) === (after === undefined)) return;
    this.#tally ??= new Tally();
    this.#tally.count(this, before, after);
  }

  #index(): Buckets {
    const buckets: Buckets = new Map();
    for (const [name, after] of this.#items) move(buckets, name, this.#base.get(name), after);
    return buckets;
  }
}

const isCounted = ({ kind }: AnyItem): boolean => kind === 'instance' || kind === 'service';

function move(buckets: Buckets, name: string, before: AnyItem | undefined, after: AnyItem | null): void {
  if (before !== undefined) for (const key of indexKeys(before)) lay(buckets, key, name, null);
  if (after !== null) for (const key of indexKeys(after)) lay(buckets, key, name, after);
}

function lay(buckets: Buckets, key: string, name: string, item: AnyItem | null): void {
  const over = buckets.get(key);
  if (over === undefined) buckets.set(key, new Map([[name, item]]));
  else over.set(name, item);
}
