import { byKind } from '../domain/indexes.ts';
import type { Item } from '../domain/item.ts';
import { instanceName } from '../domain/names.ts';
import type { View } from '../domain/view.ts';

export function* instancesIn(view: View): Iterable<Item<'instance'>> {
  for (const item of view.bucket(byKind('instance'))) if (item.kind === 'instance') yield item;
}

/** `undefined` as well when it is of another generation than this. */
export function instanceIn(view: View, id: string, generation?: number): Item<'instance'> | undefined {
  const item = view.get(instanceName(id));
  if (item?.kind !== 'instance') return undefined;
  return generation === undefined || generation === item.value.generation ? item : undefined;
}

export const isIn = (view: View, id: string, generation?: number): boolean =>
  instanceIn(view, id, generation) !== undefined;
