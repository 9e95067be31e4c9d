import { parseName } from '../../domain/names.ts';
import type { Resource, WatchChange } from '../watch/watch.ts';

interface Held {
  get(name: string): Resource | undefined;
  values(): Iterable<Resource>;
}

const kindOf = (name: string): string => parseName(name)?.kind ?? 'unknown';

export const asAdded = (value: Resource): WatchChange => ({
  kind: kindOf(value.name),
  name: value.name,
  revision: value.revision,
  value,
});

/** How to get from one copy to another; a resource that is gone went at some revision up to `revision`. */
export function difference(old: Held, now: Held, revision: number): WatchChange[] {
  const changes: WatchChange[] = [];
  for (const value of now.values()) {
    const before = old.get(value.name);
    if (before === undefined) changes.push(asAdded(value));
    else if (!isSame(before, value)) changes.push({ ...asAdded(value), before });
  }
  for (const before of old.values()) {
    const { name } = before;
    if (now.get(name) === undefined) changes.push({ kind: kindOf(name), name, revision, before });
  }
  return changes.sort((a, b) => a.revision - b.revision);
}

/** Two histories may count alike, so that only the content tells. */
export const isSame = (a: Resource, b: Resource): boolean =>
  a === b || (a.revision === b.revision && JSON.stringify(a) === JSON.stringify(b));
