import { ID_FIELD, valueAt, type FieldPath, type Fields } from './fields.ts';
import { readField, TokenReader } from './filter-reader.ts';
import { faultsOf, SyntaxProblem, type Parsed } from './filter-tokens.ts';
import type { AnyItem } from './item.ts';
import type { Kind } from './resources.ts';
import { compareVersions } from './versions.ts';

/** One part of an order; `versions` orders as versions, not as text. */
export interface OrderKey {
  readonly path: FieldPath;
  readonly descending: boolean;
  readonly versions: boolean;
}

/** An order of items. What its keys leave equal is ordered by name, so that it is total. */
export type Order = readonly OrderKey[];

export type SortValue = string | number | boolean | null;

/** Where an item stands in an order. */
export interface SortKey {
  readonly values: readonly SortValue[];
  readonly name: string;
}

export const BY_NAME: Order = [];

const MAX_LENGTH = 512;
const MAX_KEYS = 8;

/** `displayName desc, name`: fields that hold one value, each with `asc` (the default) or `desc`. */
export function parseOrderBy(text: string, kind: Kind, fields: Fields): Parsed<Order> {
  return faultsOf(() => {
    if (text.length > MAX_LENGTH)
      throw new SyntaxProblem(MAX_LENGTH + 1, `an order has at most ${MAX_LENGTH} characters`);
    const reader = new TokenReader(text);
    if (reader.is('end')) return BY_NAME;
    const keys: OrderKey[] = [];
    do keys.push(readKey(reader, kind, fields));
    while (reader.accept(','));
    if (!reader.is('end')) reader.fail('",", "asc", "desc" or the end');
    if (keys.length > MAX_KEYS) throw new SyntaxProblem(1, `an order has at most ${MAX_KEYS} fields`);
    const [first] = keys;
    return keys.length === 1 && first?.path[0] === 'name' && !first.descending ? BY_NAME : keys;
  });
}

function readKey(reader: TokenReader, kind: Kind, fields: Fields): OrderKey {
  const { path, type, at } = readField(reader, fields);
  if (type !== 'value') throw new SyntaxProblem(at + 1, `${path.join('.')} has not one value to order by`);
  const descending = reader.acceptKeyword('desc');
  if (!descending) reader.acceptKeyword('asc');
  return { path, descending, versions: holdsVersions(kind, path) };
}

const holdsVersions = (kind: Kind, path: FieldPath): boolean =>
  (kind === 'deployment' && path[0] === 'currentVersion') || (kind === 'version' && path[0] === ID_FIELD);

export function sortKeyOf(item: AnyItem, order: Order): SortKey {
  const values = order.map((key) => (valueAt(item, key.path) ?? null) as SortValue);
  return { values, name: item.name };
}

/** Missing values come first, then false and true, numbers, texts by their code units. */
export function compareSortKeys(a: SortKey, b: SortKey, order: Order): number {
  for (const [i, key] of order.entries()) {
    const difference = compareValues(a.values[i] ?? null, b.values[i] ?? null, key.versions);
    if (difference !== 0) return key.descending ? -difference : difference;
  }
  return a.name === b.name ? 0 : a.name < b.name ? -1 : 1;
}

function compareValues(a: SortValue, b: SortValue, versions: boolean): number {
  if (a === b) return 0;
  if (versions && typeof a === 'string' && typeof b === 'string') return compareVersions(a, b);
  const rank = rankOf(a) - rankOf(b);
  if (rank !== 0) return rank;
  return (a as string) < (b as string) ? -1 : 1;
}

const RANKS: Readonly<Record<string, number>> = { object: 0, boolean: 1, number: 2, string: 3 };
const rankOf = (value: SortValue): number => RANKS[typeof value] ?? 0;
