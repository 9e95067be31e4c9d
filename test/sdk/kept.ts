import { addTo, digestHex, emptyDigest } from '../../src/domain/digest.ts';
import type { Caller } from '../../src/sdk/caller.ts';
import type { Kept } from '../../src/sdk/cache/keep.ts';
import type { Resource } from '../../src/sdk/watch/watch.ts';

export const CALLER: Caller = { kind: 'nobody', key: '' };

/** A copy of so many regions, each of which changed at the revision. */
export function keptAt(server: string, revision: number, size = 3): Kept {
  const items: Resource[] = Array.from({ length: size }, (_, i) => ({
    name: `regions/r-${i}`,
    revision,
    title: `Zürich ${i}`,
  }));
  const digest = emptyDigest();
  for (const item of items) addTo(digest, item.name, item.revision);
  return {
    server,
    caller: CALLER,
    position: { epoch: 'e1', revision },
    digest: digestHex(digest),
    items,
    currentAt: 1_700_000_000_000,
  };
}
