import { makeItem, type Change } from './item.ts';
import { partsOf } from './names.ts';
import type { Labels, Value } from './resources.ts';

type StoredChange = { op: 'put'; value: Value; was?: Labels } | { op: 'delete'; name: string; was: Labels };

/** The changes of one revision as the log keeps them; built from the encodings that the items already carry. */
export function encodeChanges(changes: readonly Change[]): string {
  const parts = changes.map((change) => {
    if (change.op === 'delete') {
      return `{"op":"delete","name":${JSON.stringify(change.name)},"was":${JSON.stringify(change.was)}}`;
    }
    const was = change.was === undefined ? '' : `,"was":${JSON.stringify(change.was)}`;
    return `{"op":"put","value":${change.item.json}${was}}`;
  });
  return `[${parts.join(',')}]`;
}

export function decodeChanges(stored: unknown): Change[] {
  return (stored as StoredChange[]).map((change): Change => {
    if (change.op === 'delete') {
      return { op: 'delete', kind: partsOf(change.name).kind, name: change.name, was: change.was };
    }
    const item = makeItem(change.value);
    return change.was === undefined ? { op: 'put', item } : { op: 'put', item, was: change.was };
  });
}
