import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import WebSocket from 'ws';
import { CLOSE } from '../../src/protocol/close-codes.ts';
import { PROTOCOL } from '../../src/protocol/version.ts';
import { call, spawnSignalbox } from '../support/signalbox.ts';
import { embeddedHome } from './homes.ts';
import { check, readLog } from './log-model.ts';
import { applyWorld, RandomWriter } from './random-writer.ts';
import { RawSocket, upgradeRequest } from './raw-socket.ts';
import { until } from './until.ts';
import { Follower, WatchClient, watchUrl } from './watch-client.ts';
import { ENV, database, leftovers, node, open, revisionOf, SELECTORS } from './watch-nodes.ts';

describe('over restarts of the server', () => {
  /** Subscribers and writers who do not stop for anything, while the server goes away and comes back `ways.length` times. */
  async function survive(env: Record<string, string>, ways: readonly NodeJS.Signals[]): Promise<void> {
    let server = await node(env);
    await applyWorld(server.url);
    const followers = SELECTORS.slice(0, 5).map((select) => new Follower(server.url, select));
    leftovers.push(() => followers.forEach((one) => one.stop()));
    await Promise.all(followers.map((one) => one.reached(1)));
    const writers = [11, 12, 13, 14].map((seed) => new RandomWriter(server.url, seed));
    let writing = true;
    const written = writers.map(async (writer) => {
      while (writing) await writer.step();
    });
    for (const signal of ways) {
      const before = await revisionOf(server.url);
      await until('some writes', async () => (await revisionOf(server.url)) > before + 60);
      const ended = await server.stop(signal);
      expect(ended).toBe(signal === 'SIGTERM' ? 0 : null);
      server = await node(env, server.port);
    }
    const before = await revisionOf(server.url);
    await until('some writes', async () => (await revisionOf(server.url)) > before + 60);
    writing = false;
    await Promise.all(written);

    const { model, head } = await readLog(server.url);
    await Promise.all(followers.map((one) => one.reached(head)));
    for (const one of followers) {
      const subscription = check(model, one.select, one.topic ?? '', one.frames);
      expect(subscription.position).toBe(head);
      expect(subscription.resets).toBe(0);
      expect(subscription.events).toBeGreaterThan(20);
      expect(one.connections).toBeGreaterThanOrEqual(ways.length + 1);
      // Who comes back before the hint says so is turned away by the node that is still sending others away.
      const told = one.closes.filter(({ code, welcomed }) => code === CLOSE.draining && welcomed);
      expect(told).toHaveLength(ways.filter((signal) => signal === 'SIGTERM').length);
      for (const { reason } of told) {
        const { retryAfterMs } = JSON.parse(reason) as { retryAfterMs: number };
        expect(retryAfterMs).toBeGreaterThanOrEqual(0);
        expect(retryAfterMs).toBeLessThanOrEqual(2000);
      }
    }
    const acknowledged = writers.flatMap((writer) => writer.acknowledged);
    expect(acknowledged.length).toBeGreaterThan(180);
    for (const revision of acknowledged) expect(revision).toBeLessThanOrEqual(head);
  }

  test('PUSH5: no gap and no duplicate over a graceful restart and kill -9, on the embedded database', async () => {
    const home = await embeddedHome();
    leftovers.push(() => home.drop());
    await survive(home.env, ['SIGTERM', 'SIGKILL']);
  }, 90_000);

  test('PUSH5: no gap and no duplicate over kill -9 and a graceful restart, on PostgreSQL', async () => {
    const db = await database();
    await survive({ DATABASE_URL: db.url }, ['SIGKILL', 'SIGTERM', 'SIGKILL']);
  }, 90_000);

  test('PUSH7: until its view is loaded a server answers the upgrade, and every read, with 503', async () => {
    const db = await database();
    const first = await node({ DATABASE_URL: db.url });
    await applyWorld(first.url);
    await first.stop();

    const blocker = new pg.Client({ connectionString: db.url });
    await blocker.connect();
    leftovers.push(() => blocker.end().catch(() => {}));
    // Whoever reads a resource, rather than only looks whether there is one, waits until the lock is free.
    await blocker.query(`
      CREATE FUNCTION held(json) RETURNS json LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN $1; END';
      ALTER TABLE resource RENAME TO kept;
      CREATE VIEW resource AS SELECT name, kind, revision, held(value) AS value FROM kept;
      SELECT pg_advisory_lock(1)`);
    const second = await spawnSignalbox({ env: { ...ENV, DATABASE_URL: db.url } });
    leftovers.push(() => second.stop('SIGKILL'));
    await until('it listens', () =>
      fetch(`${second.url}/livez`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    expect((await call(second.url, 'GET', '/readyz')).status).toBe(503);
    for (const path of ['/v1/regions', '/v1/changes?since=0', '/v1/export', '/v1/state', '/v1/watch']) {
      const answer = await call(second.url, 'GET', path);
      expect([path, answer.status, answer.body.type]).toEqual([path, 503, '/problems/not-ready']);
      expect(answer.headers.get('retry-after')).toBe('1');
    }
    const raw = await RawSocket.connect(second.port);
    leftovers.push(() => raw.destroy());
    raw.write(upgradeRequest());
    await until('an answer', () => raw.text.includes('\r\n\r\n'));
    expect(raw.status).toBe(503);
    expect(raw.text.toLowerCase()).toContain('\r\nretry-after: 1\r\n');

    await blocker.query('SELECT pg_advisory_unlock(1)');
    await until('it is ready', async () => (await call(second.url, 'GET', '/readyz')).status === 200);
    const client = await open(second.url);
    expect(client.welcome.revision).toBe(1);
    const topic = await client.sync('1', { kind: '*' });
    const { model } = await readLog(second.url);
    expect(check(model, { kind: '*' }, topic, client.of(topic)).position).toBe(1);
  });

  test('PUSH9: sockets beyond the bound are closed with 4003 and a time to come back after', async () => {
    const db = await database();
    const server = await node({ DATABASE_URL: db.url, WATCH_MAX_SOCKETS: '3' });
    const clients = await Promise.all([1, 2, 3].map(() => open(server.url)));
    const fourth = new WebSocket(watchUrl(server.url), PROTOCOL);
    const closed = await new Promise<{ code: number; reason: string }>((done, fail) => {
      fourth.on('close', (code, reason) => done({ code, reason: reason.toString() }));
      fourth.on('message', (data: Buffer) => fail(new Error(`told ${data.toString()}`)));
    });
    expect(closed.code).toBe(CLOSE.full);
    expect((JSON.parse(closed.reason) as { retryAfterMs: number }).retryAfterMs).toBeGreaterThanOrEqual(0);
    await clients[0]?.end();
    const next = await until('a free place', () => WatchClient.open(server.url).catch(() => undefined));
    await next.sync('1', { kind: '*' });
    await clients[1]?.sync('1', { kind: '*' });
    next.ws.terminate();
  });
});
