import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { StoreUnavailable, type Store } from '../../src/store/port.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { startPostgres, type PrivatePostgres } from '../support/postgres.ts';
import { append, entry, everything, failure, isGapless, put, until, untilBack } from './fixtures.ts';
import { entriesSince } from '../support/entries-since.ts';

const one = (r: number) => entry(r, [put('thing', r)]);

describe('a PostgreSQL server that goes away', () => {
  let server: PrivatePostgres;
  let store: Store;
  const heard: Error[] = [];
  beforeAll(async () => {
    server = await startPostgres();
    store = await openPostgres({ url: server.url, onError: (error) => heard.push(error) });
  });
  afterAll(async () => {
    await store.close();
    await server.destroy();
  });

  test('every call rejects with StoreUnavailable within its bound, and works again when the server is back', async () => {
    await append(store, one, one, one);
    const { epoch, revision: base } = await store.head();
    heard.length = 0;
    await server.stop();
    await until(() => heard.length > 0);
    const calls: (() => Promise<unknown>)[] = [
      () => store.commit({ epoch, base, entries: [one(base + 1)] }),
      () => store.head(),
      () => store.load(),
      () => store.changesSince({ epoch, revision: 0 }, everything),
      () => store.trim({ maxAgeMs: 0, maxBytes: 0 }),
      () => store.newEpoch(),
    ];
    for (const call of calls) {
      const { error, ms } = await failure(call);
      expect(error).toBeInstanceOf(StoreUnavailable);
      expect((error as StoreUnavailable).outcomeUnknown).toBe(false);
      expect(ms).toBeLessThan(6000);
    }
    await expect(openPostgres({ url: server.url })).rejects.toThrow(StoreUnavailable);
    await server.start();
    expect(await store.head()).toEqual({ epoch, revision: base, trimmed: 0 });
    await append(store, one);
    expect(await entriesSince(store, 0)).toHaveLength(base + 1);
  });

  test('connections that break while idle are reported and replaced', async () => {
    await store.head();
    heard.length = 0;
    await server.stop();
    await until(() => heard.length > 0);
    await server.start();
    await append(store, one);
  });

  test('REV2 kill -9 of the server under load: every acknowledged commit is there, once, under its revision', async () => {
    for (let round = 0; round < 3; round++) {
      const from = (await store.head()).revision;
      const acknowledged = new Map<number, string>();
      const stop = new AbortController();
      let unknown = 0;
      const writer = async (name: string): Promise<void> => {
        for (let n = 0; !stop.signal.aborted; n++) {
          const author = `${name}-${round}-${n}`;
          try {
            const [written] = await append(store, (r) => entry(r, [put('thing', r)], { author }));
            acknowledged.set(written?.revision ?? 0, author);
          } catch (error) {
            if (!(error instanceof StoreUnavailable)) throw error;
            if (error.outcomeUnknown) unknown++;
            await sleep(20);
          }
        }
      };
      const writers = ['first', 'second', 'third'].map(writer);
      await sleep(300);
      await server.kill();
      await sleep(100);
      await server.start();
      await untilBack(store);
      await sleep(200);
      stop.abort();
      await Promise.all(writers);
      const log = await entriesSince(store, from);
      expect(isGapless(log, from)).toBe(true);
      expect(new Set(log.map(({ author }) => author)).size).toBe(log.length);
      for (const [revision, author] of acknowledged) expect(log[revision - from - 1]?.author).toBe(author);
      // What is in the log unacknowledged was answered "outcome unknown", no more than once for each such answer.
      expect(log.length - acknowledged.size).toBeLessThanOrEqual(unknown);
    }
  }, 60_000);
});
