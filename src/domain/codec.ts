import type { RuntimeFacets } from './instances/instance.ts';
import { makeItem, type Change } from './item.ts';
import { partsOf } from './names.ts';
import type { Labels, Value } from './resources.ts';

interface StoredBefore {
  was?: Labels;
  facets?: RuntimeFacets;
}
type StoredChange =
  ({ op: 'put'; value: Value } & StoredBefore) | ({ op: 'delete'; name: string; was: Labels } & StoredBefore);

/** The changes of one revision as the log keeps them; built from the encodings that the items already carry. */
export function encodeChanges(changes: readonly Change[]): string {
  const parts = changes.map((change) => {
    const head =
      change.op === 'delete' ? `"delete","name":${JSON.stringify(change.name)}` : `"put","value":${change.item.json}`;
    const was = change.was === undefined ? '' : `,"was":${JSON.stringify(change.was)}`;
    const facets = change.facets === undefined ? '' : `,"facets":${JSON.stringify(change.facets)}`;
    return `{"op":${head}${was}${facets}}`;
  });
  return `[${parts.join(',')}]`;
}

export function decodeChanges(stored: unknown): Change[] {
  return (stored as StoredChange[]).map((change): Change => {
    const facets = change.facets === undefined ? undefined : { facets: change.facets };
    if (change.op === 'delete') {
      return { op: 'delete', kind: partsOf(change.name).kind, name: change.name, was: change.was, ...facets };
    }
    const item = makeItem(change.value);
    return change.was === undefined ? { op: 'put', item, ...facets } : { op: 'put', item, was: change.was, ...facets };
  });
}
