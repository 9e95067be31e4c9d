import { someValue } from './fields.ts';
import type { Filter, Literal } from './filter-ast.ts';
import type { AnyItem } from './item.ts';

/** As deep as the filter is nested, which its parser bounds. */
export function matchesFilter(filter: Filter, item: AnyItem): boolean {
  switch (filter.kind) {
    case 'and':
      return filter.parts.every((part) => matchesFilter(part, item));
    case 'or':
      return filter.parts.some((part) => matchesFilter(part, item));
    case 'not':
      return !matchesFilter(filter.part, item);
    case 'equals':
      return someValue(item, filter.path, (value) => filter.literals.some((literal) => equals(value, literal)));
    case 'contains':
      return someValue(item, filter.path, (value) => contains(value, filter.literal));
  }
}

function equals(value: unknown, literal: Literal): boolean {
  switch (typeof value) {
    case 'string':
      return value === literal.text;
    case 'number':
      return value === literal.number;
    case 'boolean':
      return value === literal.boolean;
    default:
      return Array.isArray(value) && value.some((element) => equals(element, literal));
  }
}

function contains(value: unknown, literal: Literal): boolean {
  if (typeof value === 'string') return value.includes(literal.text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return equals(value, literal);
  return Object.hasOwn(value, literal.text);
}
