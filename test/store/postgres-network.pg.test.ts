import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { StoreUnavailable, type Store } from '../../src/store/port.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { append, entry, everything, failure, put, untilBack } from './fixtures.ts';
import { silentProxy, type SilentProxy } from './silent-proxy.ts';

const one = (r: number) => entry(r, [put('thing', r)]);

describe('a network that loses everything without a word', () => {
  let database: TestDatabase;
  let proxy: SilentProxy;
  let store: Store;
  beforeAll(async () => {
    database = await createDatabase();
    proxy = await silentProxy(database.url);
    store = await openPostgres({ url: proxy.url, statementTimeoutMs: 500 });
  });
  afterAll(async () => {
    await store.close();
    await proxy.close();
    await database.drop();
  });

  test('REV2 a commit on a half-open connection ends in time with its outcome unknown, and the next one works', async () => {
    await append(store, one);
    const { epoch, revision: base } = await store.head();
    proxy.cutExisting();
    const { error, ms } = await failure(() => store.commit({ epoch, base, entries: [one(base + 1)] }));
    expect(error).toMatchObject({ name: 'StoreUnavailable', outcomeUnknown: true });
    expect(ms).toBeLessThan(5000);
    await untilBack(store);
    expect((await store.head()).revision).toBe(base);
    await append(store, one);
  });

  test('reads on half-open connections end in time', async () => {
    for (const read of [
      () => store.head(),
      () => store.load(),
      () => store.changesSince({ epoch: '', revision: 0 }, everything),
    ]) {
      await untilBack(store);
      proxy.cutExisting();
      const { error, ms } = await failure(read);
      expect(error).toBeInstanceOf(StoreUnavailable);
      expect(ms).toBeLessThan(5000);
    }
    await untilBack(store);
  });

  test('a server that accepts connections and never answers is given up in time', async () => {
    proxy.cutExisting();
    proxy.swallowNew(true);
    await failure(() => store.head());
    const { error, ms } = await failure(() => append(store, one));
    expect(error).toMatchObject({ name: 'StoreUnavailable', outcomeUnknown: false });
    expect(ms).toBeLessThan(6000);
    proxy.swallowNew(false);
    await untilBack(store);
    await append(store, one);
  });
});
