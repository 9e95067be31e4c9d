import type { Fields } from './fields.ts';
import type { Filter } from './filter-ast.ts';
import { parseFilterText } from './filter-parser.ts';
import { faultsOf, type Parsed } from './filter-tokens.ts';

export type { Filter } from './filter-ast.ts';
export { matchesFilter } from './filter-evaluate.ts';

/**
 * A filter of the language that docs/filters.md describes, parsed once for the fields of a kind and then asked about each
 * item. A text of spaces alone is a filter that everything passes.
 */
export function parseFilter(text: string, fields: Fields): Parsed<Filter> {
  return faultsOf(() => parseFilterText(text, fields));
}
