import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { setImmediate as nextTurn } from 'node:timers/promises';
import pg from 'pg';
import type { Leases } from '../../src/leases/port.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import type { Store } from '../../src/store/port.ts';
import { failure, until } from '../store/fixtures.ts';
import { silentProxy, type SilentProxy } from '../store/silent-proxy.ts';
import { createDatabase, startPostgres, type TestDatabase } from '../support/postgres.ts';
import { leasesContract } from './contract.ts';

leasesContract('PostgreSQL', async () => {
  const server = await startPostgres();
  return {
    open: async () => {
      const store = await openPostgres({ url: server.url });
      const leases = store.leases();
      const close = async (): Promise<void> => {
        await leases.close();
        await store.close();
      };
      return { ...leases, close };
    },
    // Installations have databases of their own.
    prefixes: false,
    losesAll: true,
    goAway: () => server.stop(),
    comeBack: () => server.start(),
    setBack: async (ms) => {
      const admin = new pg.Client({ connectionString: server.url });
      await admin.connect();
      await admin.query(`UPDATE lease SET heard_at = heard_at + interval '${ms} ms'`);
      await admin.end();
    },
    lose: async () => {
      await server.kill();
      await server.start();
    },
    dispose: () => server.destroy(),
  };
});

/** What a client hears, in order, the answers among it. */
function hear(leases: Leases): string[] {
  const events: string[] = [];
  leases.listen({
    onAway: () => events.push('away'),
    onBack: () => events.push('back'),
    onLost: (reason) => events.push(reason),
  });
  return events;
}

describe('leases in a database to which something happens', () => {
  let database: TestDatabase;
  let admin: pg.Client;
  let store: Store;
  beforeAll(async () => {
    database = await createDatabase();
    admin = new pg.Client({ connectionString: database.url });
    await admin.connect();
    store = await openPostgres({ url: database.url });
  });
  afterAll(async () => {
    await store.close();
    await admin.end();
    await database.drop();
  });

  test('INS3 a table that was emptied while the server went on is told by every client, once', async () => {
    const clients = [store.leases(), store.leases()] as const;
    const events = clients.map(hear);
    for (const client of clients) await client.renew([{ key: 'a', age: 0 }]);
    await admin.query('TRUNCATE lease');
    for (const client of clients) await client.read(['a']);
    for (const client of clients) await client.read(['a']);
    for (const heard of events) expect(heard).toEqual(['the database server has lost what is not logged']);
    for (const client of clients) await client.close();
  });

  test('INS3 neither sweeping nor forgetting takes away what tells the server', async () => {
    const leases = store.leases();
    const events = hear(leases);
    await leases.renew([{ key: 'b', age: 0 }]);
    await leases.sweep(0);
    expect(await leases.read(['b'])).toEqual([{ age: undefined, note: undefined, since: expect.any(Number) }]);
    expect(events).toEqual([]);
    await leases.close();
  });

  test.each([5000, -5000])(
    'INS3 a clock that is set against the other (by %i ms) is told before the answer',
    async (by) => {
      let set = 0;
      const leases = store.leases(() => performance.now() + set);
      const events = hear(leases);
      await leases.renew([{ key: 'c', age: 0 }]);
      await leases.read(['c']);
      expect(events).toEqual([]);
      set = by;
      await leases.read(['c']);
      await leases.read(['c']);
      expect(events).toEqual(["the database server's clock was set, or this node stood still"]);
      await leases.close();
    },
  );

  test('a note that no database takes fails nobody', async () => {
    const leases = store.leases();
    await leases.note([{ key: 'f', note: 'a\0b' }]);
    expect((await leases.read(['f']))[0]?.note).toBe('a\ufffdb');
    await leases.close();
  });
});

test('INS3 a crash of one process of the server empties the table, and is told though the server was never away for long', async () => {
  const server = await startPostgres();
  const store = await openPostgres({ url: server.url });
  const leases = store.leases();
  const events = hear(leases);
  await leases.renew([{ key: 'a', age: 0 }]);
  const admin = new pg.Client({ connectionString: server.url });
  admin.on('error', () => undefined);
  await admin.connect();
  const { rows } = await admin.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  process.kill(rows[0]?.pid ?? 0, 'SIGKILL');
  // The server ends every other process, and starts over without being started again.
  await until(async () => (await failure(() => leases.read(['a']))).error === undefined && events.length > 0);
  expect(await leases.read(['a'])).toEqual([{ age: undefined, note: undefined, since: expect.any(Number) }]);
  expect(events.filter((event) => event !== 'away' && event !== 'back')).toEqual([
    'the database server has lost what is not logged',
  ]);
  await leases.close();
  await store.close();
  await server.destroy();
}, 60_000);

describe('leases over a network that loses everything without a word', () => {
  let database: TestDatabase;
  let proxy: SilentProxy;
  let store: Store;
  beforeAll(async () => {
    database = await createDatabase();
    proxy = await silentProxy(database.url);
    store = await openPostgres({ url: proxy.url });
  });
  afterAll(async () => {
    await store.close();
    await proxy.close();
    await database.drop();
  });

  test('a renewal, a heartbeat and a change of the membership are given up in time, and the leases were only away', async () => {
    const leases = store.leases();
    const events = hear(leases);
    await leases.renew([{ key: 'a', age: 0 }]);
    const node = { id: 'a', name: 'a', version: '1', state: {} };
    await store.nodes.beat(node);
    proxy.cutExisting();
    proxy.swallowNew(true);
    const failed = await Promise.all([
      failure(() => leases.renew([{ key: 'a', age: 0 }])),
      failure(() => store.nodes.beat(node)),
      failure(() => store.nodes.membership()),
    ]);
    expect(failed.map(({ error }) => (error as Error).name)).toEqual([
      'LeasesAway',
      'StoreUnavailable',
      'StoreUnavailable',
    ]);
    for (const { ms } of failed) expect(ms).toBeLessThan(6000);
    // Nobody waits for what is known to be away.
    const refused = failure(() => leases.renew([{ key: 'a', age: 0 }])).then(() => 'refused');
    expect(await Promise.race([refused, nextTurn('asked')])).toBe('refused');
    expect(events).toEqual(['away']);
    proxy.swallowNew(false);
    await until(() => events.length > 1);
    expect((await leases.read(['a']))[0]?.age).toBeGreaterThan(2000);
    expect(events).toEqual(['away', 'back']);
    await leases.close();
  });
});
