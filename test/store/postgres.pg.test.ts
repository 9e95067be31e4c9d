import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { openPostgres } from '../../src/store/postgres.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { storeContract } from './contract.ts';
import { append, entry, put } from './fixtures.ts';

storeContract('PostgreSQL', async () => {
  const database = await createDatabase();
  return {
    open: () => openPostgres({ url: database.url }),
    exclusive: false,
    run: (sql) => database.run(sql),
    dispose: () => database.drop(),
  };
});

describe('the PostgreSQL store where the server is set up in another way', () => {
  let database: TestDatabase;
  let admin: pg.Client;
  beforeEach(async () => {
    database = await createDatabase();
    admin = new pg.Client({ connectionString: database.url });
    await admin.connect();
  });
  afterEach(async () => {
    await admin.end();
    await database.drop();
  });

  test('another schema than public', async () => {
    await admin.query('CREATE SCHEMA elsewhere');
    const store = await openPostgres({
      url: `${database.url}?options=${encodeURIComponent('-c search_path=elsewhere')}`,
    });
    await append(store, (r) => entry(r, [put('there', r)]));
    expect((await store.load()).items).toHaveLength(1);
    expect((await store.newEpoch()).revision).toBe(1);
    expect((await admin.query('SELECT * FROM elsewhere.resource')).rowCount).toBe(1);
    await store.close();
  });

  test('REV4 in another time zone the log is trimmed by the same age', async () => {
    await admin.query(`ALTER DATABASE ${new URL(database.url).pathname.slice(1)} SET TimeZone = 'Asia/Tokyo'`);
    const store = await openPostgres({ url: database.url });
    const now = Date.now();
    for (const hoursAgo of [3, 2, 1]) {
      await append(store, (r) => ({ ...entry(r, [put('there', r)]), at: now - hoursAgo * 3_600_000 }));
    }
    expect(await store.trim({ maxAgeMs: 2.5 * 3_600_000, maxBytes: Infinity })).toMatchObject({ trimmed: 1 });
    await store.close();
  });

  test('REV2 a server that may lose acknowledged writes is warned about', async () => {
    await admin.query(`ALTER DATABASE ${new URL(database.url).pathname.slice(1)} SET synchronous_commit = off`);
    const warnings: string[] = [];
    const store = await openPostgres({
      url: database.url,
      log: { info: () => {}, warn: (message) => void warnings.push(message) },
    });
    expect(warnings).toEqual([expect.stringContaining('synchronous_commit = off')]);
    await store.close();
  });

  test('a migration that was edited is an error of its own, not a database that is away', async () => {
    await (await openPostgres({ url: database.url })).close();
    await admin.query(`UPDATE _prisma_migrations SET checksum = 'another'`);
    await expect(openPostgres({ url: database.url })).rejects.toMatchObject({ name: 'MigrationError' });
  });
});
