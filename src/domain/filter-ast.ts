import type { FieldPath } from './fields.ts';

/** A filter as its parser understood it. */
export type Filter =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Filter[] }
  | { readonly kind: 'not'; readonly part: Filter }
  /** Any of the values equals any of the literals. */
  | { readonly kind: 'equals'; readonly path: FieldPath; readonly literals: readonly Literal[] }
  /** A string that holds the literal's text, a list that has an element equal to it, a map that has it as a key. */
  | { readonly kind: 'contains'; readonly path: FieldPath; readonly literal: Literal };

/** A literal equals a string by its text; one without quotes equals a number or boolean that it denotes as well. */
export interface Literal {
  readonly text: string;
  readonly number?: number;
  readonly boolean?: boolean;
}

export const MAX_FILTER_LENGTH = 2048;
/** How deep parentheses and `not` may be nested. */
export const MAX_FILTER_DEPTH = 32;
/** How many literals a filter may have: what it costs to ask about one item is bounded by it. */
export const MAX_FILTER_LITERALS = 128;
