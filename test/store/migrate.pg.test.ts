import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { migrate, migrationsDir } from '../../src/store/migrate.ts';
import { type TestDatabase, createDatabase } from '../support/postgres.ts';

describe('migrate', () => {
  let database: TestDatabase;
  let pool: pg.Pool;
  let dir: string;
  let names: string[];

  beforeEach(async () => {
    database = await createDatabase();
    pool = new pg.Pool({ connectionString: database.url });
    dir = await mkdtemp(join(tmpdir(), 'signalbox-migrations-'));
    await cp(migrationsDir(), dir, { recursive: true });
    names = (await readdir(dir)).filter((name) => /^\d{14}_/.test(name)).toSorted();
  });

  afterEach(async () => {
    await pool.end();
    await database.drop();
    await rm(dir, { recursive: true });
  });

  test('applies every migration once, in order', async () => {
    expect(await migrate(pool, dir)).toEqual(names);
    expect(await migrate(pool, dir)).toEqual([]);
    expect(await tables()).toEqual([
      '_prisma_migrations',
      'api_document',
      'audit_entry',
      'change_log',
      'head',
      'lease',
      'membership',
      'node',
      'registration_token',
      'resource',
      'session',
    ]);
    // What it holds is not written to the log of the database.
    const { rows } = await pool.query(`SELECT relname FROM pg_class WHERE relpersistence = 'u' AND relkind = 'r'`);
    expect(rows).toEqual([{ relname: 'lease' }]);
  });

  test('applies what was added since', async () => {
    await migrate(pool, dir);
    await add('29990101000000_more', 'CREATE TABLE "more" (id int); CREATE INDEX ON "more" (id);');
    expect(await migrate(pool, dir)).toEqual(['29990101000000_more']);
    expect(await tables()).toContain('more');
  });

  test('of several runners at once, one applies each migration', async () => {
    await add('29990101000000_slow', 'SELECT pg_sleep(0.3); CREATE TABLE "slow" (id int);');
    const others = [new pg.Pool({ connectionString: database.url }), new pg.Pool({ connectionString: database.url })];
    try {
      const applied = await Promise.all([pool, ...others].map((each) => migrate(each, dir)));
      expect(applied.flat().toSorted()).toEqual([...names, '29990101000000_slow']);
    } finally {
      await Promise.all(others.map((each) => each.end()));
    }
  });

  test('refuses a migration that was edited after it was applied', async () => {
    await migrate(pool, dir);
    const file = join(dir, names[0] ?? '', 'migration.sql');
    await writeFile(file, `${await readFile(file, 'utf8')}\n-- edited\n`);
    await expect(migrate(pool, dir)).rejects.toThrow(/was edited after it was applied/);
  });

  test('takes translated line endings for no edit', async () => {
    await migrate(pool, dir);
    const file = join(dir, names[0] ?? '', 'migration.sql');
    await writeFile(file, (await readFile(file, 'utf8')).replaceAll('\n', '\r\n'));
    expect(await migrate(pool, dir)).toEqual([]);
  });

  test('a migration that fails leaves nothing behind and is tried again', async () => {
    await migrate(pool, dir);
    await add('29990101000000_broken', 'CREATE TABLE "half" (id int); SELECT 1 / 0;');
    await expect(migrate(pool, dir)).rejects.toThrow(
      /29990101000000_broken failed and was rolled back: division by zero/,
    );
    expect(await tables()).not.toContain('half');
    await add('29990101000000_broken', 'CREATE TABLE "half" (id int);');
    expect(await migrate(pool, dir)).toEqual(['29990101000000_broken']);
  });

  test('refuses while a migration stands that another tool began and did not finish', async () => {
    await migrate(pool, dir);
    await pool.query('UPDATE _prisma_migrations SET finished_at = NULL');
    await expect(migrate(pool, dir)).rejects.toThrow(/started but not finished/);
    await pool.query('UPDATE _prisma_migrations SET rolled_back_at = now()');
    const made = (await tables()).filter((table) => table !== '_prisma_migrations');
    await pool.query(`DROP TABLE ${made.join(', ')}`);
    expect(await migrate(pool, dir)).toEqual(names);
  });

  test('a migration that has to wait for a table lets those pass who come after it, and is applied in the end', async () => {
    await migrate(pool, dir);
    await add('29990101000000_more', 'ALTER TABLE "head" ADD COLUMN "more" INT');
    const reader = await pool.connect();
    await reader.query('BEGIN; SELECT revision FROM head');
    const migrating = migrate(pool, dir);
    const waits: number[] = [];
    for (const end = performance.now() + 3000; performance.now() < end; await sleep(20)) {
      const asked = performance.now();
      await pool.query('SELECT revision FROM head');
      waits.push(performance.now() - asked);
    }
    await reader.query('COMMIT');
    reader.release();
    expect(await migrating).toEqual(['29990101000000_more']);
    expect(Math.max(...waits)).toBeGreaterThan(500);
    expect(Math.max(...waits)).toBeLessThan(2500);
  });

  test('says so when the database is ahead of the program', async () => {
    await add('29990101000000_newer', 'SELECT 1;');
    await migrate(pool, dir);
    await rm(join(dir, '29990101000000_newer'), { recursive: true });
    const warnings: string[] = [];
    await migrate(pool, dir, { info: () => {}, warn: (message) => warnings.push(message) });
    expect(warnings).toEqual([expect.stringContaining('29990101000000_newer')]);
  });

  async function add(name: string, sql: string): Promise<void> {
    await mkdir(join(dir, name), { recursive: true });
    await writeFile(join(dir, name, 'migration.sql'), sql);
  }

  async function tables(): Promise<string[]> {
    const answer = await pool.query<{ name: string }>(
      `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY table_name`,
    );
    return answer.rows.map((row) => row.name);
  }
});
