import { indexKeys } from './indexes.ts';
import { changeName, type AnyItem, type Change } from './item.ts';
import { Recent } from './recent.ts';
import { NONE, SeenView } from './seen-view.ts';
import { audienceOfService, sameAudience, type Sight } from './visibility.ts';
import { Tally, type Usage } from './usage.ts';

/** What a decision or a query may ask of a state: the committed view, or a draft over it. */
export interface Reader {
  get(name: string): AnyItem | undefined;
  /** The items under an index key (see `indexes.ts`), in no particular order. */
  bucket(key: string): Iterable<AnyItem>;
  /** What a project holds, at the cost of a look. */
  usage(project: string): Usage;
}

/** What a query may ask of a view, or of the part of it that its caller sees. */
export interface Catalog extends Reader {
  readonly size: number;
  /** The items under a key in order of name; the same array until one of them changes. */
  sorted(key: string): readonly AnyItem[];
  all(): Iterable<AnyItem>;
}

/** A change together with what it replaced. */
export interface Folded {
  readonly change: Change;
  readonly before: AnyItem | undefined;
}

interface Bucket {
  readonly items: Map<string, AnyItem>;
  /** Their names in order; kept until one is added or removed. */
  order: readonly string[] | undefined;
  /** The items in that order; kept until one of them changes. */
  sorted: readonly AnyItem[] | undefined;
}

const NO_KEYS: readonly string[] = [];
/** Callers with different sights; of many more, those that asked longest ago start anew. */
const MAX_SIGHTS = 1000;

/** The state at one revision, in memory. It changes only by `fold`, which is the same everywhere. */
export class View implements Catalog {
  readonly #items = new Map<string, AnyItem>();
  readonly #buckets = new Map<string, Bucket>();
  readonly #seen = new Recent<SeenView>(MAX_SIGHTS);
  #generation = 0;
  readonly #tally = new Tally();
  #accounts: object = {};
  #folds = 0;

  get size(): number {
    return this.#items.size;
  }

  /** Another one whenever a service is seen by others than before. */
  get generation(): number {
    return this.#generation;
  }

  /** Grows whenever something changes. */
  get folds(): number {
    return this.#folds;
  }

  /** Another object whenever a service account is, and in every view. */
  get accounts(): object {
    return this.#accounts;
  }

  /** What a caller sees of it, now and after every fold. */
  seenBy(sight: Sight): Catalog {
    if (sight.keys === 'all') return this;
    let seen = this.#seen.get(sight.id);
    if (seen === undefined) this.#seen.set(sight.id, (seen = new SeenView(this, sight)));
    return seen;
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
    const { items } = bucket;
    bucket.order ??= [...items.keys()].sort();
    bucket.sorted ??= bucket.order.map((name) => items.get(name) as AnyItem);
    return bucket.sorted;
  }

  usage(project: string): Usage {
    return this.#tally.of(project);
  }

  all(): Iterable<AnyItem> {
    return this.#items.values();
  }

  fold(changes: readonly Change[]): Folded[] {
    this.#folds += 1;
    return changes.map((change) => {
      const name = changeName(change);
      const before = this.#items.get(name);
      const after = change.op === 'put' ? change.item : undefined;
      this.#tally.count(this, before, after);
      this.#index(name, before, after);
      if (isSeenByOthers(before, after)) this.#generation += 1;
      if (before?.kind === 'serviceAccount' || after?.kind === 'serviceAccount') this.#accounts = {};
      if (after !== undefined) this.#items.set(name, after);
      else this.#items.delete(name);
      return { change, before };
    });
  }

  /** Most changes leave an item where it is in the index, and then nothing is removed and added again. */
  #index(name: string, before: AnyItem | undefined, after: AnyItem | undefined): void {
    const were = before === undefined ? NO_KEYS : indexKeys(before);
    const are = after === undefined ? NO_KEYS : indexKeys(after);
    const same = were.length === are.length && were.every((key, i) => key === are[i]);
    if (!same) for (const key of were) this.#remove(key, name);
    if (after !== undefined) for (const key of are) this.#put(key, after);
  }

  #put(key: string, item: AnyItem): void {
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      this.#buckets.set(key, (bucket = { items: new Map(), order: undefined, sorted: undefined }));
    }
    const { size } = bucket.items;
    bucket.items.set(item.name, item);
    bucket.sorted = undefined;
    if (bucket.items.size !== size) bucket.order = undefined;
  }

  #remove(key: string, name: string): void {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return;
    bucket.items.delete(name);
    bucket.order = undefined;
    bucket.sorted = undefined;
    if (bucket.items.size === 0) this.#buckets.delete(key);
  }
}

function isSeenByOthers(before: AnyItem | undefined, after: AnyItem | undefined): boolean {
  if (before?.kind !== 'service' && after?.kind !== 'service') return false;
  if (before?.kind !== 'service' || after?.kind !== 'service') return true;
  return before !== after && !sameAudience(audienceOfService(before), audienceOfService(after));
}
