import { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { POSTGRES_MAJOR } from '../../src/store/embedded/data-directory.ts';
import { DirectoryInUse } from '../../src/store/embedded/directory-lock.ts';
import { openEmbedded } from '../../src/store/embedded/embedded.ts';
import { ask, endChild, startChild } from './child.ts';
import type { CrashReport } from './crash-child.ts';
import { append, entry, isGapless, itemNamed, put, replay, byName } from './fixtures.ts';
import { entriesSince } from '../support/entries-since.ts';

/** Nothing is so old. */
const FOREVER_MS = Number.MAX_SAFE_INTEGER;

// Processes that start a database each: seconds on an idle machine, and much more on a busy one.
jest.setTimeout(180_000);

describe('the embedded store and its directory', () => {
  let root: string;
  /** A directory that was opened once: making the database takes seconds, copying it does not. */
  let made: string;
  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'signalbox-embedded-'));
    made = join(root, 'made');
    const store = await openEmbedded({ dir: made });
    await append(store, (r) => entry(r, [put('first', r)]));
    await store.close();
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  const copy = (name: string): string => {
    const dir = join(root, name);
    cpSync(made, dir, { recursive: true });
    return dir;
  };

  test('a second store on the same directory is refused, in this process and from another one', async () => {
    const dir = copy('twice');
    const store = await openEmbedded({ dir });
    await expect(openEmbedded({ dir })).rejects.toThrow(DirectoryInUse);
    const other = startChild('lock-child.ts');
    await once(other, 'message');
    expect(await ask(other, { take: dir })).toBe('DirectoryInUse');
    await endChild(other);
    await append(store, (r) => entry(r, [put('second', r)]));
    await store.close();
    const again = await openEmbedded({ dir });
    expect((await again.head()).revision).toBe(2);
    await again.close();
  });

  test('REV2 kill -9 while commits run: every acknowledged one is there on reopening, and none twice', async () => {
    const dir = copy('killed');
    for (let round = 0; round < 4; round++) {
      const child = startChild('commit-child.ts', dir, String(round));
      const acknowledged = new Map<number, string>();
      const reading = (async () => {
        for await (const line of createInterface({ input: child.stdout ?? process.stdin })) {
          const [revision, author] = line.split(' ');
          if (author !== undefined) acknowledged.set(Number(revision), author);
        }
      })();
      while (acknowledged.size < 100 * (1 + round)) await sleep(5);
      await sleep(37 * round);
      await endChild(child);
      await reading;

      const store = await openEmbedded({ dir });
      const { head, items } = await store.load();
      const log = await entriesSince(store, 0);
      expect(isGapless(log, 0)).toBe(true);
      expect(log).toHaveLength(head.revision);
      for (const [revision, author] of acknowledged) expect(log[revision - 1]?.author).toBe(author);
      const written = log.map(({ author }) => author).filter((author) => author.startsWith(`${round}-`));
      expect(new Set(written).size).toBe(written.length);
      // At most the one batch that was under way is there unacknowledged.
      expect(written.length - acknowledged.size).toBeLessThanOrEqual(5);
      expect(byName(items)).toEqual(replay(log));
      await store.close();
    }
  });

  test('REV2 a first start that was killed is done over, whatever it left', async () => {
    const dir = join(root, 'begun');
    const child = startChild('commit-child.ts', dir);
    child.stdout?.resume();
    await sleep(2000);
    await endChild(child);
    rmSync(join(dir, 'database'), { recursive: true, force: true });
    cpSync(join(made, 'database'), join(dir, 'database.new'), { recursive: true });
    rmSync(join(dir, 'database.new', 'global'), { recursive: true });
    const store = await openEmbedded({ dir });
    expect(await store.head()).toMatchObject({ revision: 0 });
    await append(store, (r) => entry(r, [put('alive', r)]));
    await store.close();
    expect(existsSync(join(dir, 'database.new'))).toBe(false);
  });

  test('when the database dies, its owner is told once, every call is unavailable, and the files are sound', async () => {
    const dir = copy('crashed');
    const child = startChild('crash-child.ts', dir);
    const [report] = (await once(child, 'message')) as [CrashReport];
    await endChild(child);
    expect(report.fatal).toHaveLength(1);
    expect(report.fatal[0]).toContain('embedded database');
    expect(report.pending === 'true' || report.pending === 'StoreUnavailable, outcome unknown').toBe(true);
    expect(report.after).toEqual(['StoreUnavailable', 'StoreUnavailable', 'StoreUnavailable']);
    expect(report.closedMs).toBeLessThan(2000);
    const again = await openEmbedded({ dir });
    expect((await again.head()).revision).toBeGreaterThanOrEqual(1);
    await again.close();
  });

  test('a directory of another PostgreSQL version is refused with the reason, and can be locked again', async () => {
    const dir = copy('newer');
    writeFileSync(join(dir, 'database', 'PG_VERSION'), '19\n');
    await expect(openEmbedded({ dir })).rejects.toThrow(/made by PostgreSQL 19.*contains PostgreSQL 18/);
    writeFileSync(join(dir, 'database', 'PG_VERSION'), `${POSTGRES_MAJOR}\n`);
    await (await openEmbedded({ dir })).close();
  });

  test('a directory that holds something else is refused', async () => {
    const dir = join(root, 'else');
    mkdirSync(join(dir, 'database'), { recursive: true });
    await expect(openEmbedded({ dir })).rejects.toThrow('is not a database');
    expect(existsSync(join(dir, 'database', 'PG_VERSION'))).toBe(false);
  });

  test('a directory whose files are damaged is refused with what PostgreSQL says', async () => {
    const dir = copy('damaged');
    writeFileSync(join(dir, 'database', 'global', 'pg_control'), 'nonsense');
    await expect(openEmbedded({ dir })).rejects.toThrow(/cannot open the database/);
  });

  test('the version that is checked is the one that PGlite has', async () => {
    expect(readFileSync(join(made, 'database', 'PG_VERSION'), 'utf8').trim()).toBe(String(POSTGRES_MAJOR));
    const db = await PGlite.create(join(copy('asked'), 'database'));
    const { rows } = await db.query<{ server_version_num: string }>('SHOW server_version_num');
    expect(Math.floor(Number(rows[0]?.server_version_num) / 10_000)).toBe(POSTGRES_MAJOR);
    await db.close();
  });

  test('space that trimming frees is used again', async () => {
    const store = await openEmbedded({ dir: copy('trimmed') });
    const fill = () =>
      append(
        store,
        ...Array.from({ length: 500 }, () => (r: number) => entry(r, [put('filler', r, 'x'.repeat(1000))])),
      );
    await fill();
    expect((await store.trim({ maxAgeMs: FOREVER_MS, maxBytes: 0 })).trimmed).toBe(500);
    await fill();
    expect((await store.trim({ maxAgeMs: FOREVER_MS, maxBytes: 0 })).trimmed).toBe(1000);
    expect(await itemNamed(store, 'filler')).toMatchObject({ revision: 1001 });
    await store.close();
  });
});
