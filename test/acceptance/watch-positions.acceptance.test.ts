import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import type { Position } from '../../src/domain/position.ts';
import type { ServerFrame } from '../../src/protocol/frames.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { call, startSignalbox, type Signalbox } from '../support/signalbox.ts';
import { check, readLog } from './log-model.ts';
import { applyWorld, RandomWriter } from './random-writer.ts';
import { until } from './until.ts';
import { ENV, leftovers, open, putRegion, revisionOf } from './watch-nodes.ts';
import { metric } from './metric.ts';

describe('positions from which the log cannot go on', () => {
  let db: TestDatabase;
  let server: Signalbox;
  let sql: pg.Client;

  beforeAll(async () => {
    db = await createDatabase();
    // The ring is small, so that resuming reads the log.
    server = await startSignalbox({ env: { ...ENV, DATABASE_URL: db.url, HISTORY_MEMORY_BYTES: '1MiB' } });
    await connect();
    await applyWorld(server.url);
    // Several times of what memory holds.
    const labels = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`l${i}`, 'x'.repeat(63)]));
    for (let i = 0; i < 20; i++) {
      const fat = (k: number) => putRegion(server.url, `fat-${k}`, { title: `${i}`, labels: { ...labels, n: `${i}` } });
      await Promise.all(Array.from({ length: 25 }, (_, k) => fat(k)));
    }
  }, 150_000);

  async function connect(): Promise<void> {
    sql = new pg.Client({ connectionString: db.url });
    sql.on('error', () => {
      // One of the tests takes the database away.
    });
    await sql.connect();
  }
  afterAll(async () => {
    await server.stop('SIGKILL');
    await sql.end().catch(() => {});
    await db.drop();
  });

  /** Subscribes from a position, and holds what comes up to the present revision against the log or, after a reset, the state. */
  async function resume({ epoch, revision }: Position): Promise<ServerFrame[]> {
    const client = await open(server.url);
    const topic = await client.sync('1', { kind: '*' }, { epoch, revision });
    const head = await revisionOf(server.url);
    await client.reached(topic, head);
    const frames = client.of(topic);
    const exported = (await call(server.url, 'GET', '/v1/export', undefined, { accept: 'application/json' })).body as {
      name: string;
    }[];
    const cache = new Set<string>();
    for (const frame of frames) {
      if (frame.type === 'snapshot') for (const { name } of frame.items) cache.add(name as string);
      if (frame.type === 'change') for (const { op, key } of frame.changes) cache[op === 'put' ? 'add' : 'delete'](key);
    }
    if (frames[0]?.type !== 'subscribed') throw new Error(JSON.stringify(frames[0]));
    if (frames[1]?.type === 'reset') expect([...cache].toSorted()).toEqual(exported.map(({ name }) => name).toSorted());
    return frames.slice(1);
  }

  const state = async (): Promise<{ epoch: string; revision: number; trimmed: number }> =>
    (await call(server.url, 'GET', '/v1/state')).body;
  const startsOver = (frames: readonly ServerFrame[]): string =>
    frames[0]?.type === 'reset' && frames[1]?.type === 'snapshot' ? frames[0].reason : `no reset: ${frames[0]?.type}`;

  test('PUSH5 REV4: a position in the future or of another epoch is a reset and a snapshot, never wrong data', async () => {
    const { epoch, revision } = await state();
    expect(startsOver(await resume({ epoch, revision: revision + 1 }))).toBe('future');
    expect(startsOver(await resume({ epoch, revision: Number.MAX_SAFE_INTEGER }))).toBe('future');
    expect(startsOver(await resume({ epoch: 'another', revision }))).toBe('epoch');
    expect(startsOver(await resume({ epoch: epoch.toUpperCase(), revision: 0 }))).toBe('epoch');
    const present = await resume({ epoch, revision });
    expect(present[0]?.type).toBe('synced');
  });

  test('PUSH5: who was away for longer than memory goes back is caught up from the log, while writers go on', async () => {
    const { epoch } = await state();
    const revision = 1;
    expect(await metric(server.url, 'signalbox_recent_changes_bytes')).toBeLessThanOrEqual(1024 * 1024);
    const writers = [21, 22].map((seed) => new RandomWriter(server.url, seed));
    const written = Promise.all(writers.map((writer) => writer.write(60)));
    const clients = await Promise.all(
      [0, revision, revision + 3, revision + 250].map(async (from) => {
        const client = await open(server.url);
        const topic = await client.sync('1', { kind: '*' }, { epoch, revision: from });
        return { client, from, topic };
      }),
    );
    await written;
    const { model, head } = await readLog(server.url);
    for (const { client, from, topic } of clients) {
      await client.reached(topic, head);
      const frames = client.of(topic);
      expect(frames.filter(({ type }) => type === 'reset' || type === 'snapshot')).toEqual([]);
      // Whoever resumes had the state at that revision: a snapshot of it, as the model knows it.
      const items = [...(model.states.get(from)?.values() ?? [])].map(({ value }) => value);
      const had = { type: 'snapshot', topic, revision: from, items, more: false } as unknown as ServerFrame;
      const subscription = check(model, { kind: '*' }, topic, [had, ...frames]);
      expect(subscription.position).toBe(head);
      expect(subscription.events).toBeGreaterThanOrEqual(head - from);
    }
  }, 60_000);

  test('PUSH5 REV4: a trimmed position is a reset, the first one that the log still holds is not, and live subscribers notice nothing', async () => {
    const live = await open(server.url);
    const topic = await live.sync('1', { kind: '*' });
    const { epoch } = await state();
    // Older than what memory holds, so that the first one held is read from the log.
    const trimmed = 100;
    await sql.query('WITH gone AS (DELETE FROM change_log WHERE revision <= $1) UPDATE head SET trimmed = $1', [
      trimmed,
    ]);
    await until('the server knows', async () => (await state()).trimmed === trimmed);
    expect(startsOver(await resume({ epoch, revision: 0 }))).toBe('trimmed');
    expect(startsOver(await resume({ epoch, revision: trimmed - 1 }))).toBe('trimmed');
    const held = await resume({ epoch, revision: trimmed });
    expect(held[0]?.type).toBe('change');
    expect((await call(server.url, 'GET', `/v1/changes?since=${trimmed - 1}`)).body).toMatchObject({
      type: '/problems/start-over',
      reason: 'trimmed',
    });
    const { body } = await putRegion(server.url, 'after-trim');
    await live.reached(topic, body.revision as number);
    expect(live.frames.filter(({ type }) => type === 'reset' || type === 'snapshot')).toHaveLength(1);
  });

  test('PUSH5: with the database away, who resumes from the log starts over from memory, and the feed goes on when it is back', async () => {
    const name = new URL(db.url).pathname.slice(1);
    const live = await open(server.url);
    const topic = await live.sync('1', { kind: 'region' });
    const { epoch, trimmed } = await state();
    const admin = new pg.Client({ connectionString: db.url.replace(`/${name}`, '/postgres') });
    await admin.connect();
    leftovers.push(() => admin.end());
    try {
      await admin.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
      await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name]);
      expect(startsOver(await resume({ epoch, revision: trimmed }))).toBe('unavailable');
      const refused = await putRegion(server.url, 'while-away');
      expect(refused.status).toBe(503);
      expect(live.closed).toBeUndefined();
    } finally {
      await admin.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
      await connect();
    }
    const written = await until('a write', async () => {
      const answer = await putRegion(server.url, 'back-again', { title: 'back' });
      return answer.status < 300 ? answer : undefined;
    });
    await live.reached(topic, written.body.revision as number);
    const changes = live.of(topic).flatMap((frame) => (frame.type === 'change' ? frame.changes : []));
    expect(changes.filter(({ key }) => key === 'regions/back-again')).toHaveLength(1);
  });

  test('PUSH5 REV4: when the database is restored under a running server, live subscribers start over in the new epoch', async () => {
    const live = await open(server.url);
    const topic = await live.sync('1', { kind: '*' });
    const before = await state();
    for (const table of ['resource', 'change_log', 'head'])
      await sql.query(`CREATE TABLE saved_${table} AS TABLE ${table}`);
    const lost = await putRegion(server.url, 'lost', {});
    await putRegion(server.url, 'lost-too', {});
    await live.reached(topic, (lost.body.revision as number) + 1);
    await sql.query('BEGIN');
    await sql.query('TRUNCATE resource, change_log, head');
    for (const table of ['resource', 'change_log', 'head'])
      await sql.query(`INSERT INTO ${table} TABLE saved_${table}`);
    await sql.query(`UPDATE head SET epoch = 'restored'`);
    await sql.query('COMMIT');
    const reset = await live.next('reset');
    expect(reset).toMatchObject({ type: 'reset', topic, reason: 'epoch' });
    const from = live.frames.indexOf(reset);
    const snapshot = await live.next('snapshot', ({ more }) => !more, from);
    expect(snapshot.revision).toBe(before.revision);
    const items = live.frames.slice(from).flatMap((frame) => (frame.type === 'snapshot' ? frame.items : []));
    expect(items.map(({ name }) => name)).not.toContain('regions/lost');
    expect(startsOver(await resume({ epoch: before.epoch, revision: before.revision }))).toBe('epoch');
    // The same numbers mean other things now.
    const { body } = await putRegion(server.url, 'found', {});
    expect(body.revision).toBe(lost.body.revision);
    const change = await live.next('change', () => true, from);
    expect(change.changes.map(({ key }) => key)).toEqual(['regions/found']);
    await live.reached(topic, body.revision as number, from);
  });

  test('PUSH5 REV4: NEW_EPOCH begins a new history once, and positions of the old one are resets', async () => {
    const old = await state();
    await server.stop();
    server = await startSignalbox({ env: { ...ENV, DATABASE_URL: db.url, NEW_EPOCH: 'true' }, port: server.port });
    const renewed = await state();
    expect(renewed.epoch).not.toBe(old.epoch);
    expect(renewed.revision).toBe(old.revision);
    expect(startsOver(await resume(old))).toBe('epoch');
    expect(startsOver(await resume({ epoch: old.epoch, revision: old.trimmed }))).toBe('epoch');
    await server.stop('SIGKILL');
    server = await startSignalbox({ env: { ...ENV, DATABASE_URL: db.url }, port: server.port });
    expect((await state()).epoch).toBe(renewed.epoch);
    expect((await resume(renewed))[0]?.type).toBe('synced');
  });
});
