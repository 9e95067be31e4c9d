import type { RuntimeFacets } from './instances/instance.ts';
import { makeItem, type Change } from './item.ts';
import { partsOf } from './names.ts';
import type { Labels, Value } from './resources.ts';
import type { Audience } from './visibility.ts';

interface StoredBefore {
  was?: Labels;
  facets?: RuntimeFacets;
  audience?: Audience;
  audienceBefore?: Audience | null;
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
    return `{"op":${head}${was}${facets}${encodeAudience(change)}}`;
  });
  return `[${parts.join(',')}]`;
}

const AUDIENCES = new WeakMap<Audience, string>();

/** A service's audience is one object for all of its changes. */
function audienceJson(audience: Audience): string {
  let json = AUDIENCES.get(audience);
  if (json === undefined) AUDIENCES.set(audience, (json = JSON.stringify(audience)));
  return json;
}

function encodeAudience(change: Change): string {
  const audience = change.audience === undefined ? '' : `,"audience":${audienceJson(change.audience)}`;
  if (change.op === 'delete' || change.audienceBefore === undefined) return audience;
  return `${audience},"audienceBefore":${JSON.stringify(change.audienceBefore)}`;
}

export function decodeChanges(stored: unknown): Change[] {
  return (stored as StoredChange[]).map((change): Change => {
    const { facets, audience, audienceBefore } = change;
    const seen = { ...(facets !== undefined && { facets }), ...(audience !== undefined && { audience }) };
    if (change.op === 'delete') {
      return { op: 'delete', kind: partsOf(change.name).kind, name: change.name, was: change.was, ...seen };
    }
    return {
      op: 'put',
      item: makeItem(change.value),
      ...(change.was !== undefined && { was: change.was }),
      ...seen,
      ...(audienceBefore !== undefined && { audienceBefore }),
    };
  });
}
