import { matchesFilter, type Filter } from './filter.ts';
import type { AnyItem } from './item.ts';
import { compareSortKeys, sortKeyOf, type Order, type SortKey } from './order-by.ts';

export interface PageQuery {
  readonly filter?: Filter;
  readonly order: Order;
  /** Only what comes after it. */
  readonly after?: SortKey;
  readonly size: number;
}

export interface Page {
  readonly items: readonly AnyItem[];
  /** Where the next page begins; `undefined` on the last one. */
  readonly next: SortKey | undefined;
}

/**
 * A page of items that are given in order of name. Pages follow one another by key and not by number, so that an item
 * that is there throughout, with an unchanged sort key, is on exactly one page, whatever comes and goes around it.
 */
export function pageOf(items: readonly AnyItem[], query: PageQuery): Page {
  return query.order.length === 0 ? pageByName(items, query) : pageByKeys(items, query);
}

function pageByName(items: readonly AnyItem[], { filter, after, size }: PageQuery): Page {
  const found: AnyItem[] = [];
  for (let i = after === undefined ? 0 : firstAfter(items, after.name); i < items.length; i++) {
    const item = items[i] as AnyItem;
    if (filter !== undefined && !matchesFilter(filter, item)) continue;
    if (found.length === size) return { items: found, next: { values: [], name: (found[size - 1] as AnyItem).name } };
    found.push(item);
  }
  return { items: found, next: undefined };
}

function pageByKeys(items: readonly AnyItem[], { filter, order, after, size }: PageQuery): Page {
  const rows: { item: AnyItem; key: SortKey }[] = [];
  for (const item of items) {
    if (filter !== undefined && !matchesFilter(filter, item)) continue;
    const key = sortKeyOf(item, order);
    if (after === undefined || compareSortKeys(key, after, order) > 0) rows.push({ item, key });
  }
  rows.sort((a, b) => compareSortKeys(a.key, b.key, order));
  const page = rows.slice(0, size);
  return { items: page.map((row) => row.item), next: rows.length > size ? page.at(-1)?.key : undefined };
}

/** The index of the first item whose name is greater. */
export function firstAfter(items: readonly AnyItem[], name: string): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((items[middle] as AnyItem).name <= name) low = middle + 1;
    else high = middle;
  }
  return low;
}
