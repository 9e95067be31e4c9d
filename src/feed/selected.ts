import { changeKind, changeName, type Change } from '../domain/item.ts';
import { changeFacets, effectOn, type Selector } from '../domain/selector.ts';
import type { Sight } from '../domain/visibility.ts';
import { encodeDelete, encodePut } from '../protocol/change.ts';

/** A change from the log as a selection sees it: what stops matching is a delete. `undefined` when it is nothing to it. */
export function encodeSelected(selector: Selector, sight: Sight, change: Change, revision: number): string | undefined {
  const effect = effectOn(selector, sight, change, changeFacets(change));
  if (effect === undefined) return undefined;
  if (effect === 'put' && change.op === 'put') return encodePut(change.item);
  return encodeDelete(changeKind(change), changeName(change), revision);
}
