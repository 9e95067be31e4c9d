import type { AnyItem } from './item.ts';

/**
 * What a field of a resource is to filters and orders: one value, several (a list, or a value inside a list), a map of
 * free keys (labels), or a group of other fields that is none itself.
 */
export type FieldType = 'value' | 'list' | 'map' | 'group';

/** The fields of a kind, by their dotted path: `location.city`, `imports.service`. */
export type Fields = ReadonlyMap<string, FieldType>;

/** The names from the top of a resource down to the field; what follows a map is one name, whatever it holds. */
export type FieldPath = readonly string[];

/** Fields that are not in the resource's value but follow from its name. */
export const ID_FIELD = 'id';
export const PARENT_FIELD = 'parent';

/** Whether any value at the path passes the test; lists on the way are reached into, a list at its end is given whole. */
export function someValue(item: AnyItem, path: FieldPath, test: (value: unknown) => boolean): boolean {
  if (path[0] === ID_FIELD) return test(item.id);
  if (path[0] === PARENT_FIELD) return test(item.parent);
  return walk(item.value, path, 0, test);
}

/** The one value at a path without lists; `undefined` when the resource does not have it. */
export function valueAt(item: AnyItem, path: FieldPath): unknown {
  let found: unknown;
  someValue(item, path, (value) => {
    found = value;
    return true;
  });
  return found;
}

function walk(value: unknown, path: FieldPath, depth: number, test: (value: unknown) => boolean): boolean {
  const name = path[depth];
  if (name === undefined) return value !== undefined && test(value);
  if (Array.isArray(value)) return value.some((element) => walk(element, path, depth, test));
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return false;
  return walk((value as Readonly<Record<string, unknown>>)[name], path, depth + 1, test);
}
