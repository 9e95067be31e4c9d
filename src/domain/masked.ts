import type { AnyItem } from './item.ts';
import type { Usage } from './usage.ts';
import type { Reader } from './view.ts';

/** A state in which some resources are not. */
export class Masked implements Reader {
  readonly #base: Reader;
  readonly #isMasked: (item: AnyItem) => boolean;

  constructor(base: Reader, isMasked: (item: AnyItem) => boolean) {
    this.#base = base;
    this.#isMasked = isMasked;
  }

  get(name: string): AnyItem | undefined {
    const item = this.#base.get(name);
    return item === undefined || this.#isMasked(item) ? undefined : item;
  }

  /** What projects hold is counted whole. */
  usage(project: string): Usage {
    return this.#base.usage(project);
  }

  *bucket(key: string): Iterable<AnyItem> {
    for (const item of this.#base.bucket(key)) if (!this.#isMasked(item)) yield item;
  }
}
