import type { Entry } from '../../src/domain/item.ts';
import type { Store } from '../../src/store/port.ts';

/** What the log says after a revision, in the history that goes on now. */
export async function entriesSince(
  store: Pick<Store, 'head' | 'changesSince'>,
  revision: number,
  limit = { entries: 1_000_000, bytes: 1_000_000_000 },
): Promise<Entry[]> {
  const { epoch } = await store.head();
  return store.changesSince({ epoch, revision }, limit);
}
