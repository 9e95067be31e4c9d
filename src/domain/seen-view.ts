import type { AnyItem } from './item.ts';
import { audienceOf, sees, type Sight } from './visibility.ts';
import type { Usage } from './usage.ts';
import type { Catalog, View } from './view.ts';

interface Kept {
  readonly generation: number;
  readonly items: readonly AnyItem[];
}

/**
 * The view as a caller sees it: what is hidden is not there (SEC3). Where nothing of a list is hidden, it is the view's
 * own array, so that what was encoded for others serves here too.
 */
export class SeenView implements Catalog {
  readonly #view: View;
  readonly #sight: Sight;
  #counted = { folds: -1, size: 0 };
  readonly #kept = new WeakMap<readonly AnyItem[], Kept>();

  constructor(view: View, sight: Sight) {
    this.#view = view;
    this.#sight = sight;
  }

  /** Counted once for each state of the view: probes ask for it all the time. */
  get size(): number {
    const { folds } = this.#view;
    if (this.#counted.folds !== folds) {
      let size = 0;
      for (const _ of this.all()) size++;
      this.#counted = { folds, size };
    }
    return this.#counted.size;
  }

  get(name: string): AnyItem | undefined {
    const item = this.#view.get(name);
    return item !== undefined && this.#isSeen(item) ? item : undefined;
  }

  /** What projects hold is counted whole; it is for decisions, and shown to nobody. */
  usage(project: string): Usage {
    return this.#view.usage(project);
  }

  *bucket(key: string): Iterable<AnyItem> {
    for (const item of this.#view.bucket(key)) if (this.#isSeen(item)) yield item;
  }

  *all(): Iterable<AnyItem> {
    for (const item of this.#view.all()) if (this.#isSeen(item)) yield item;
  }

  sorted(key: string): readonly AnyItem[] {
    const source = this.#view.sorted(key);
    const { generation } = this.#view;
    const kept = this.#kept.get(source);
    if (kept?.generation === generation) return kept.items;
    const seen = source.filter((item) => this.#isSeen(item));
    const items = seen.length === source.length ? source : seen.length === 0 ? NONE : seen;
    this.#kept.set(source, { generation, items });
    return items;
  }

  #isSeen(item: AnyItem): boolean {
    return sees(this.#sight, audienceOf(item, this.#view));
  }
}

/** Nothing to see is the same as nothing there. */
export const NONE: readonly AnyItem[] = [];
