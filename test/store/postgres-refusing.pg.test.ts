import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { StoreUnavailable, type Store } from '../../src/store/port.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { entry, everything, failure, put, until } from './fixtures.ts';

const one = (r: number) => entry(r, [put('thing', r)]);

describe('a PostgreSQL that does not do what it is asked', () => {
  let database: TestDatabase;
  let admin: pg.Client;
  let store: Store;
  let broken: number;
  beforeEach(async () => {
    database = await createDatabase();
    broken = 0;
    store = await openPostgres({ url: database.url, statementTimeoutMs: 2000, onError: () => broken++ });
    admin = new pg.Client({ connectionString: database.url });
    await admin.connect();
  });
  afterEach(async () => {
    await admin.end();
    await store.close();
    await database.drop();
  });

  const commitOne = async (): Promise<boolean> => {
    const { epoch, revision: base } = await store.head();
    return store.commit({ epoch, base, entries: [one(base + 1)] });
  };
  const terminate = async (which: string): Promise<number | null> => {
    // Within a transaction PostgreSQL shows what it showed at the first look.
    await admin.query('SELECT pg_stat_clear_snapshot()');
    const { rowCount } = await admin.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND ${which}`,
    );
    return rowCount;
  };
  /** And until the store has noticed. */
  const terminateIdle = async (): Promise<void> => {
    const expected = broken + ((await terminate(`state = 'idle'`)) ?? 0);
    await until(() => broken === expected);
  };

  test('REV2 a backend that is ended in mid commit: outcome unknown, and the next commit works', async () => {
    await admin.query('BEGIN');
    await admin.query('SELECT 1 FROM head FOR UPDATE');
    const committing = failure(commitOne);
    await until(async () => (await terminate(`wait_event_type = 'Lock'`)) === 1);
    const { error } = await committing;
    expect(error).toMatchObject({ name: 'StoreUnavailable', outcomeUnknown: true });
    await admin.query('ROLLBACK');
    expect(await commitOne()).toBe(true);
    expect((await store.head()).revision).toBe(1);
  });

  test('a commit that waits too long for another one is given up, and is known not to have happened', async () => {
    await admin.query('BEGIN');
    await admin.query('SELECT 1 FROM head FOR UPDATE');
    const { error, ms } = await failure(commitOne);
    expect(error).toMatchObject({ name: 'StoreUnavailable', outcomeUnknown: false });
    expect(ms).toBeGreaterThan(1900);
    expect(ms).toBeLessThan(6000);
    await admin.query('ROLLBACK');
    expect(await commitOne()).toBe(true);
  });

  test('idle connections that were ended are replaced without anybody noticing', async () => {
    await commitOne();
    await terminateIdle();
    expect(await commitOne()).toBe(true);
  });

  test('a read-only server (a standby, a demoted primary) is unavailable to writers and still answers readers', async () => {
    await commitOne();
    const name = new URL(database.url).pathname.slice(1);
    await admin.query(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
    await terminateIdle();
    const { error } = await failure(commitOne);
    expect(error).toMatchObject({ name: 'StoreUnavailable', outcomeUnknown: false });
    expect((await store.load()).items).toHaveLength(1);
    await admin.query('SET default_transaction_read_only = off');
    await admin.query(`ALTER DATABASE ${name} RESET default_transaction_read_only`);
    await terminateIdle();
    expect(await commitOne()).toBe(true);
  });

  test('a database that is being replaced is unavailable, and is found again', async () => {
    await commitOne();
    await admin.query('ALTER TABLE head RENAME TO head_away');
    expect((await failure(() => store.head())).error).toBeInstanceOf(StoreUnavailable);
    expect((await failure(() => store.load())).error).toBeInstanceOf(StoreUnavailable);
    await admin.query('ALTER TABLE head_away RENAME TO head');
    await admin.query('CREATE TABLE kept AS SELECT * FROM head');
    await admin.query('DELETE FROM head');
    expect((await failure(() => store.head())).error).toBeInstanceOf(StoreUnavailable);
    expect(await store.commit({ epoch: 'any', base: 1, entries: [one(2)] })).toBe(false);
    const reopened = await openPostgres({ url: database.url });
    expect((await failure(() => reopened.head())).error).toBeInstanceOf(StoreUnavailable);
    await reopened.close();
    await admin.query('INSERT INTO head SELECT * FROM kept');
    expect(await commitOne()).toBe(true);
  });

  test('what only a bug can cause is not called unavailable', async () => {
    await commitOne();
    await admin.query(`INSERT INTO change_log VALUES (2, now(), 'an intruder', 2, '[]')`);
    const { error } = await failure(commitOne);
    expect(error).not.toBeInstanceOf(StoreUnavailable);
    expect(error).toMatchObject({ code: '23505' });
    expect((await store.head()).revision).toBe(1);
    await admin.query('ALTER TABLE change_log RENAME COLUMN author TO writer');
    expect((await failure(() => store.changesSince({ epoch: '', revision: 0 }, everything))).error).not.toBeInstanceOf(
      StoreUnavailable,
    );
  });
});
