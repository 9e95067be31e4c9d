import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { openPostgres } from '../../src/store/postgres.ts';
import { createDatabase, serverUrl, type TestDatabase } from '../support/postgres.ts';
import { append, entry, put, until } from './fixtures.ts';
import { entriesSince } from '../support/entries-since.ts';

describe('the epoch of a database that was restored, copied or failed over', () => {
  let database: TestDatabase;
  let admin: pg.Client;
  let warnings: string[];
  const log = { info: () => {}, warn: (message: string) => void warnings.push(message) };
  const open = () => openPostgres({ url: database.url, log });
  beforeEach(async () => {
    warnings = [];
    database = await createDatabase();
    admin = new pg.Client({ connectionString: database.url });
    await admin.connect();
  });
  afterEach(async () => {
    await admin.end();
    await database.drop();
  });

  test('REV4 the same database opened again is the same epoch', async () => {
    const first = await open();
    const { epoch } = await first.head();
    await first.close();
    const second = await open();
    expect((await second.head()).epoch).toBe(epoch);
    await second.close();
    expect(warnings).toEqual([]);
  });

  test('REV4 begun in another place: a new epoch at the same revision, said once, also when two nodes open at once', async () => {
    const before = await open();
    await append(before, (r) => entry(r, [put('kept', r)]));
    const old = await before.head();
    await before.close();
    await admin.query(`UPDATE head SET birthplace = 'elsewhere'`);
    const stores = await Promise.all([open(), open()]);
    const [left, right] = await Promise.all(stores.map((store) => store.head()));
    expect(left).toEqual({ ...old, epoch: left?.epoch });
    expect(left?.epoch).not.toBe(old.epoch);
    expect(right).toEqual(left);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('new epoch');
    expect(await entriesSince(stores[0], 0)).toHaveLength(1);
    await Promise.all(stores.map((store) => store.close()));
  });

  test('REV4 a copy made by the server itself (CREATE DATABASE ... TEMPLATE) is a history of its own', async () => {
    const original = await open();
    await append(original, (r) => entry(r, [put('kept', r)]));
    const { epoch } = await original.head();
    await original.close();
    const name = new URL(database.url).pathname.slice(1);
    await admin.end();
    const elsewhere = new pg.Client({ connectionString: serverUrl() ?? '' });
    await elsewhere.connect();
    await elsewhere.query(`CREATE DATABASE ${name}_copy TEMPLATE ${name}`);
    const url = new URL(database.url);
    url.pathname = `/${name}_copy`;
    const copy = await openPostgres({ url: url.href, log });
    expect((await copy.head()).epoch).not.toBe(epoch);
    expect((await copy.load()).items).toHaveLength(1);
    await copy.close();
    await elsewhere.query(`DROP DATABASE ${name}_copy`);
    await elsewhere.end();
    admin = new pg.Client({ connectionString: database.url });
    await admin.connect();
    const again = await open();
    expect((await again.head()).epoch).toBe(epoch);
    await again.close();
  });

  test('REV4 a fail-over under a running node is noticed by the first new connection, before it is used', async () => {
    let broken = 0;
    const store = await openPostgres({ url: database.url, log, onError: () => broken++ });
    const { epoch, revision: base } = await store.head();
    await admin.query(`UPDATE head SET birthplace = 'the primary that was'`);
    await admin.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    await until(() => broken > 0);
    expect(await store.commit({ epoch, base, entries: [entry(base + 1, [put('late', base + 1)])] })).toBe(false);
    expect((await store.head()).epoch).not.toBe(epoch);
    await store.close();
  });

  test('REV4 a role that may not ask about the server still gets a stable epoch', async () => {
    const role = `signalbox_plain_${process.pid}`;
    await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD 'plain'`);
    await admin.query(`GRANT ALL ON SCHEMA public TO ${role}`);
    await admin.query(`REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC`);
    const url = new URL(database.url);
    url.username = role;
    url.password = 'plain';
    const first = await openPostgres({ url: url.href, log });
    const { epoch } = await first.head();
    await first.close();
    const second = await openPostgres({ url: url.href, log });
    expect((await second.head()).epoch).toBe(epoch);
    await second.close();
    const { rows } = await admin.query<{ birthplace: string }>('SELECT birthplace FROM head');
    expect(rows[0]?.birthplace).toMatch(/^\?\/[0-9A-F]{8}\/\d+$/);
    await admin.query(`DROP OWNED BY ${role}`);
    await admin.query(`DROP ROLE ${role}`);
  });
});
