import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { NO_MEMBERSHIP } from '../../src/domain/membership.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import type { Store } from '../../src/store/port.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { append, entry, put, until } from './fixtures.ts';

const node = { id: 'a', name: 'a', version: '1', state: {} };

describe('the membership and a commit that is under way', () => {
  let database: TestDatabase;
  let store: Store;
  /** Holds what others wait for. */
  let holder: pg.Client;
  let watcher: pg.Client;
  beforeAll(async () => {
    database = await createDatabase();
    store = await openPostgres({ url: database.url });
    [holder, watcher] = [1, 2].map(() => new pg.Client({ connectionString: database.url })) as [pg.Client, pg.Client];
    await holder.connect();
    await watcher.connect();
  });
  afterAll(async () => {
    await holder.end();
    await watcher.end();
    await store.close();
    await database.drop();
  });

  const waiting = async (): Promise<number> => {
    const { rows } = await watcher.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return rows[0]?.n ?? 0;
  };
  const decided = async (fence: number) => {
    const { epoch, revision: base } = await store.head();
    return { epoch, base, entries: [entry(base + 1, [put('held', base + 1)])], fence };
  };

  test('a change waits for the commit that is under way, and the commit stands', async () => {
    const { term } = await store.nodes.membership();
    const { revision } = await store.head();
    await holder.query('BEGIN');
    await holder.query('UPDATE head SET revision = revision + 1 WHERE id = 1');
    let changed: boolean | undefined;
    const change = store.nodes.change({ ...NO_MEMBERSHIP, term: term + 1 }).then((done) => (changed = done));
    await until(async () => (await waiting()) === 1);
    expect(changed).toBeUndefined();
    expect((await store.nodes.membership()).term).toBe(term);
    await holder.query('COMMIT');
    await change;
    expect(changed).toBe(true);
    expect((await store.nodes.membership()).term).toBe(term + 1);
    expect((await store.head()).revision).toBe(revision + 1);
    await watcher.query('UPDATE head SET revision = $1', [revision]);
  });

  test('a commit waits for the change that is under way, and is held against what it has changed', async () => {
    await append(store, (r) => entry(r, [put('before', r)]));
    const { term } = await store.nodes.membership();
    await holder.query('BEGIN');
    await holder.query('UPDATE head SET term = $1 WHERE id = 1', [term + 1]);
    let committed: boolean | undefined;
    const batch = await decided(term);
    const commit = store.commit(batch).then((done) => (committed = done));
    await until(async () => (await waiting()) === 1);
    expect(committed).toBeUndefined();
    await holder.query('COMMIT');
    await commit;
    expect(committed).toBe(false);
    expect((await store.head()).revision).toBe(batch.base);
    expect(await store.commit({ ...batch, fence: term + 1 })).toBe(true);
    await watcher.query('UPDATE head SET term = $1', [term]);
  });

  test('a heartbeat waits neither for a commit or change that is under way, nor for long work of others on this node', async () => {
    await holder.query('BEGIN');
    await holder.query('UPDATE head SET revision = revision WHERE id = 1');
    await holder.query('LOCK TABLE audit_entry');
    const { term } = await store.nodes.membership();
    const held = [
      decided(term).then((batch) => store.commit(batch)),
      store.nodes.change({ ...NO_MEMBERSHIP, term: term + 1 }),
      ...Array.from({ length: 12 }, () => store.readAudit({}, { limit: 1 })),
    ].map((call) => call.catch(() => undefined));
    await until(async () => (await waiting()) >= 4);
    for (let n = 0; n < 10; n++) {
      const began = performance.now();
      await store.nodes.beat(node);
      expect(performance.now() - began).toBeLessThan(1000);
    }
    expect(await waiting()).toBeGreaterThanOrEqual(4);
    await holder.query('ROLLBACK');
    await Promise.all(held);
  });
});

test('in another time zone heartbeats tell the same times', async () => {
  const database = await createDatabase();
  const admin = new pg.Client({ connectionString: database.url });
  await admin.connect();
  await admin.query(`ALTER DATABASE ${new URL(database.url).pathname.slice(1)} SET TimeZone = 'Asia/Tokyo'`);
  await admin.end();
  const store = await openPostgres({ url: database.url });
  const before = Date.now();
  const { clock, nodes } = await store.nodes.beat(node);
  for (const time of [clock, nodes[0]?.startedAt, nodes[0]?.heardAt]) {
    expect(time).toBeGreaterThanOrEqual(before - 1);
    expect(time).toBeLessThanOrEqual(Date.now() + 1);
  }
  await store.close();
  await database.drop();
});
