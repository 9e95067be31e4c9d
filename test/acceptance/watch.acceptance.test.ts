import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import WebSocket from 'ws';
import type { Position } from '../../src/domain/position.ts';
import { CLOSE } from '../../src/protocol/close-codes.ts';
import type { Select, ServerFrame } from '../../src/protocol/frames.ts';
import { PROTOCOL } from '../../src/protocol/version.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { Random } from '../support/random.ts';
import { call, spawnSignalbox, startSignalbox, type Signalbox } from '../support/signalbox.ts';
import { embeddedHome } from './homes.ts';
import { check, readLog } from './log-model.ts';
import { applyWorld, RandomWriter, SERVICES } from './random-writer.ts';
import { RawSocket, RawWatch, upgradeRequest } from './raw-socket.ts';
import { until } from './until.ts';
import { Follower, WatchClient, watchUrl } from './watch-client.ts';

/** Long enough that a machine with other work does not make anybody look silent. */
const HEARTBEAT = 1000;
const ENV = { WATCH_HEARTBEAT: `${HEARTBEAT}ms`, TAIL_INTERVAL: '50ms' };

const SELECTORS: readonly Select[] = [
  { kind: '*' },
  { kind: 'deployment' },
  { kind: 'service', labels: { tier: 'gold' } },
  { kind: '*', labels: { tier: 'silver' } },
  { kind: '*', services: [SERVICES[0] as string, SERVICES[2] as string] },
  { kind: 'deployment', regions: ['eu-west', 'us-west'], labels: { tier: 'gold' } },
  { kind: 'region', regions: ['eu-north'] },
  { kind: 'bundle' },
];

/** What a test started, ended after it in the reverse order. */
const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

async function database(): Promise<TestDatabase> {
  const made = await createDatabase();
  leftovers.push(() => made.drop());
  return made;
}

async function node(env: Record<string, string>, port?: number): Promise<Signalbox> {
  const started = await startSignalbox({ env: { ...ENV, ...env }, ...(port !== undefined && { port }) });
  leftovers.push(() => started.stop('SIGKILL'));
  return started;
}

async function open(url: string): Promise<WatchClient> {
  const client = await WatchClient.open(url);
  leftovers.push(() => client.ws.terminate());
  return client;
}

const revisionOf = async (url: string): Promise<number> =>
  (await call(url, 'GET', '/v1/state')).body.revision as number;
const putRegion = (url: string, id: string, rest: object = {}) =>
  call(url, 'PUT', `/v1/regions/${id}`, { title: id, ...rest });

async function metric(url: string, line: string): Promise<number> {
  const { body } = await call(url, 'GET', '/metrics');
  const found = String(body)
    .split('\n')
    .find((one) => one.startsWith(`${line} `));
  return Number(found?.slice(line.length) ?? 0);
}

describe('the feed of one server', () => {
  let db: TestDatabase;
  let server: Signalbox;

  beforeAll(async () => {
    db = await createDatabase();
    server = await startSignalbox({ env: { ...ENV, DATABASE_URL: db.url, WATCH_MAX_SUBSCRIPTIONS: '8' } });
    await applyWorld(server.url);
  });
  afterAll(async () => {
    await server.stop('SIGKILL');
    await db.drop();
  });

  test('PUSH1 PUSH2 PUSH3 PUSH4 PUSH6 PUSH7 PUSH8: under concurrent writers every frame of every subscription is what the log says', async () => {
    const writers = [1, 2, 3, 4, 5, 6].map((seed) => new RandomWriter(server.url, seed));
    const random = new Random(7);
    // One socket for all selections, one socket each, one that comes late, and some that are cut off at any moment.
    const all = await open(server.url);
    const topics = await Promise.all(SELECTORS.map((select, i) => all.sync(`s${i}`, select)));
    const single = await Promise.all(
      SELECTORS.map(async (select) => {
        const client = await open(server.url);
        return { client, select, topic: await client.sync('1', select) };
      }),
    );
    const restless = SELECTORS.slice(0, 5).map((select) => new Follower(server.url, select));
    leftovers.push(() => restless.forEach((one) => one.stop()));
    let writing = true;
    const cuts = (async () => {
      while (writing) {
        random.pick(restless).cut();
        await new Promise((done) => setTimeout(done, 20 + random.below(60)));
      }
    })();
    const written = Promise.all(writers.map((writer) => writer.write(120)));
    const late = await open(server.url);
    await until('half of the writes', async () => (await revisionOf(server.url)) > 250);
    const lateTopic = await late.sync('late', { kind: '*' });
    await written;
    writing = false;
    await cuts;

    const { model, head } = await readLog(server.url);
    expect(head).toBeGreaterThan(400);
    await Promise.all([
      ...topics.map((topic) => all.reached(topic, head)),
      ...single.map(({ client, topic }) => client.reached(topic, head)),
      late.reached(lateTopic, head),
      ...restless.map((one) => one.reached(head)),
    ]);
    const acknowledged = writers.flatMap((writer) => writer.acknowledged);
    expect(Math.max(...acknowledged)).toBe(head);
    const checked = [
      ...topics.map((topic, i) => check(model, SELECTORS[i] as Select, topic, all.of(topic))),
      ...single.map(({ client, select, topic }) => check(model, select, topic, client.of(topic))),
      check(model, { kind: '*' }, lateTopic, late.of(lateTopic)),
      ...restless.map((one) => check(model, one.select, one.topic ?? '', one.frames)),
    ];
    for (const subscription of checked) {
      expect(subscription.position).toBeGreaterThanOrEqual(head);
      expect(subscription.resets).toBe(0);
    }
    // Nothing of this would have been noticed by subscribers that saw nothing.
    expect(checked.filter(({ events }) => events > 30).length).toBeGreaterThanOrEqual(14);
    expect(restless.reduce((sum, { connections }) => sum + connections, 0)).toBeGreaterThan(15);
  }, 60_000);

  test('PUSH4: a revision of many resources comes in one frame, and only what was selected of it', async () => {
    const client = await open(server.url);
    const topic = await client.sync('1', { kind: 'region', labels: { batch: 'b1' } });
    const from = client.frames.length;
    const documents = Array.from({ length: 300 }, (_, i) => ({
      name: `regions/batch-${i}`,
      title: `Batch ${i}`,
      labels: { batch: i % 3 === 0 ? 'b1' : 'b2' },
    }));
    const applied = await call(server.url, 'POST', '/v1/apply', documents);
    expect(applied.status).toBe(200);
    await client.reached(topic, applied.body.revision as number, from);
    const changes = client.of(topic, from).filter((frame) => frame.type === 'change');
    expect(changes).toHaveLength(1);
    expect(changes[0]?.changes).toHaveLength(100);
    expect(new Set(changes[0]?.changes.map(({ revision }) => revision))).toEqual(new Set([applied.body.revision]));
  });

  test('PUSH3: a resource that stops matching the labels is a delete, and one that never matched is nothing', async () => {
    const client = await open(server.url);
    const topic = await client.sync('1', { kind: 'region', labels: { tier: 'a', zone: 'x' } });
    const from = client.frames.length;
    const put = (labels: object) => putRegion(server.url, 'moody', { labels });
    await put({ tier: 'b', zone: 'x' });
    const first = await put({ tier: 'a', zone: 'x' });
    const second = await put({ tier: 'a', zone: 'x', more: 'y' });
    const left = await put({ tier: 'b', zone: 'x' });
    await put({ tier: 'c', zone: 'x' });
    const back = await put({ tier: 'a', zone: 'x' });
    const gone = await call(server.url, 'DELETE', '/v1/regions/moody');
    await put({ tier: 'b' });
    const last = await call(server.url, 'DELETE', '/v1/regions/moody');
    const at = (answer: { headers: Headers }): number => Number(answer.headers.get('x-signalbox-revision'));
    await client.reached(topic, at(last), from);
    const changes = client.of(topic, from).flatMap((frame) => (frame.type === 'change' ? frame.changes : []));
    expect(changes.map(({ op, key, revision }) => `${op} ${key} ${revision}`)).toEqual([
      `put regions/moody ${at(first)}`,
      `put regions/moody ${at(second)}`,
      `delete regions/moody ${at(left)}`,
      `put regions/moody ${at(back)}`,
      `delete regions/moody ${at(gone)}`,
    ]);
    expect(changes[1]?.value).toMatchObject({ name: 'regions/moody', labels: { more: 'y' }, revision: at(second) });
    expect(changes[2]).not.toHaveProperty('value');
    const bookmark = await client.next('bookmark', ({ revision }) => revision >= at(last), from);
    expect(bookmark.digests[topic]).toBe('0000000000000000');
  });

  test('PUSH8: the digests of synced and bookmark are those that PUSH.md describes; who disagrees gets a new snapshot and is counted', async () => {
    expect(
      digestOf([
        ['regions/us-east', 1],
        ['regions/eu-west', 2],
      ]),
    ).toBe('45dcaf2e3c087d8a');
    const client = await open(server.url);
    const topic = await client.sync('1', { kind: 'service' });
    const cache = new Map<string, number>();
    const verify = (): void => {
      for (const frame of client.of(topic)) {
        if (frame.type === 'snapshot') {
          for (const { name, revision } of frame.items) cache.set(name as string, revision as number);
        } else if (frame.type === 'change') {
          for (const { op, key, revision } of frame.changes) {
            if (op === 'put') cache.set(key, revision);
            else cache.delete(key);
          }
        } else if (frame.type === 'synced') {
          expect(frame.digest).toBe(digestOf(cache));
        } else if (frame.type === 'bookmark') {
          expect(frame.digests[topic]).toBe(digestOf(cache));
        }
      }
    };
    const changed = await call(server.url, 'PATCH', `/v1/services/${SERVICES[0]}`, { labels: { digest: 'new' } });
    await client.reached(topic, changed.body.revision as number);
    verify();
    expect(cache.size).toBe(SERVICES.length);

    const counted = await metric(server.url, 'signalbox_watch_digest_mismatches_total');
    const resets = await metric(server.url, 'signalbox_watch_resets_total{reason="resync"}');
    const from = client.frames.length;
    client.send({ type: 'resync', id: '1', revision: changed.body.revision, digest: '0123456789abcdef' });
    const synced = await client.next('synced', () => true, from);
    const kinds = client.of(topic, from).filter(({ type }) => type !== 'bookmark');
    expect(kinds.slice(0, 3).map(({ type }) => type)).toEqual(['reset', 'snapshot', 'synced']);
    expect(kinds[0]).toMatchObject({ type: 'reset', topic, reason: 'resync' });
    expect(synced.digest).toBe(digestOf(cache));
    expect(await metric(server.url, 'signalbox_watch_digest_mismatches_total')).toBe(counted + 1);
    expect(await metric(server.url, 'signalbox_watch_resets_total{reason="resync"}')).toBe(resets + 1);
    // And it goes on as before.
    const again = await call(server.url, 'PATCH', `/v1/services/${SERVICES[0]}`, { labels: { digest: null } });
    await client.next('change', ({ revision }) => revision === again.body.revision, from);
  });

  test('PUSH10: equal selections on different sockets have one topic and get the same bytes', async () => {
    const selects: Select[] = [
      { kind: '*', regions: ['us-west', 'us-east'], labels: { a: '1', b: '2' } },
      { kind: '*', labels: { b: '2', a: '1' }, regions: ['us-east', 'us-west', 'us-east'] },
    ];
    const clients = await Promise.all(selects.map(() => open(server.url)));
    const topics = await Promise.all(clients.map((client, i) => client.sync(`id-${i}`, selects[i] as Select)));
    expect(topics[0]).toBe(topics[1]);
    const topic = topics[0] as string;
    const starts = clients.map(({ texts }) => texts.length);
    // Each round is seen before the next is written, so that there are at least as many messages, however busy the machine.
    for (let round = 0; round < 3; round++) {
      const writes = Array.from({ length: 20 }, (_, i) =>
        putRegion(server.url, i % 2 === 0 ? 'us-east' : 'us-west', {
          title: `t${round}-${i}`,
          labels: { a: '1', b: '2', n: `${round}-${i}` },
        }),
      );
      const answers = await Promise.all(writes);
      const last = Math.max(...answers.map(({ body }) => body.revision as number));
      await Promise.all(
        clients.map((client) => client.next('change', (frame) => frame.topic === topic && frame.revision >= last)),
      );
    }
    const changes = clients.map(({ texts }, i) =>
      texts.slice(starts[i]).filter((text) => text.startsWith('{"type":"change"')),
    );
    expect(changes[0]?.length).toBeGreaterThan(2);
    expect(changes[1]).toEqual(changes[0]);
  });

  test('PUSH7: welcome comes first, and what is no upgrade, no subprotocol of ours or from elsewhere is told so', async () => {
    const client = await open(server.url);
    const state = await call(server.url, 'GET', '/v1/state');
    expect(client.welcome).toEqual({
      type: 'welcome',
      protocol: 1,
      epoch: state.body.epoch,
      revision: state.body.revision,
      heartbeat: HEARTBEAT,
      resumeWithin: 250,
    });
    expect(client.ws.protocol).toBe(PROTOCOL);

    const plain = await call(server.url, 'GET', '/v1/watch');
    expect(plain.status).toBe(426);
    expect(plain.headers.get('upgrade')).toBe('websocket');
    expect(plain.headers.get('content-type')).toContain('application/problem+json');
    expect(plain.body).toMatchObject({ type: '/problems/upgrade-required', status: 426 });

    const refused = async (headers: Record<string, string>): Promise<RawSocket> => {
      const raw = await RawSocket.connect(server.port);
      raw.write(upgradeRequest(headers));
      await until('an answer', () => raw.text.includes('\r\n\r\n{'));
      raw.destroy();
      return raw;
    };
    const wrong = await refused({ 'Sec-WebSocket-Protocol': 'graphql-ws, signalbox.v9' });
    expect(wrong.status).toBe(400);
    expect(wrong.problem).toMatchObject({ type: '/problems/invalid', status: 400 });
    for (const headers of [{ Origin: 'https://evil.example' }, { Host: 'evil.example' }, { Origin: 'null' }]) {
      const stranger = await refused(headers as unknown as Record<string, string>);
      expect(stranger.status).toBe(403);
      expect(stranger.problem).toMatchObject({ type: '/problems/forbidden', status: 403 });
    }
    const local = await RawWatchFrom(server.port, { Origin: `http://localhost:${server.port}` });
    expect(local.frames[0]?.type).toBe('welcome');
  });

  test('PUSH2: ids and selections are unique on a socket, unsubscribe ends one, and their number is bounded', async () => {
    const client = await open(server.url);
    const error = (id: string, from: number) => client.next('error', (frame) => frame.id === id, from);
    const topic = await client.sync('a', { kind: 'region' });
    let from = client.frames.length;
    client.send({ type: 'subscribe', id: 'a', select: { kind: 'bundle' } });
    expect((await error('a', from)).code).toBe('duplicate-id');
    client.send({ type: 'subscribe', id: 'b', select: { kind: 'region' } });
    expect((await error('b', from)).code).toBe('duplicate-topic');
    client.send({ type: 'unsubscribe', id: 'zzz' });
    expect((await error('zzz', from)).code).toBe('unknown-id');
    client.send({ type: 'resync', id: 'zz', revision: 1, digest: '0000000000000000' });
    expect((await error('zz', from)).code).toBe('unknown-id');
    client.send({ type: 'subscribe', id: 'c', select: { kind: 'planet' } });
    expect((await error('c', from)).code).toBe('bad-select');

    // What was refused has changed nothing: the first subscription goes on, and only it.
    const { body } = await putRegion(server.url, 'unique', { title: '1' });
    await client.reached(topic, body.revision as number, from);
    expect(client.frames.slice(from).filter(({ type }) => type === 'change')).toHaveLength(1);

    client.send({ type: 'unsubscribe', id: 'a' });
    expect(await client.next('unsubscribed')).toEqual({ type: 'unsubscribed', id: 'a', topic });
    from = client.frames.length;
    await putRegion(server.url, 'unique', { title: '2' });
    client.send({ type: 'ping' });
    await client.next('pong', () => true, from);
    await client.sync('a', { kind: 'project' });
    const again = await client.sync('again', { kind: 'region' });
    expect(again).toBe(topic);
    const passed = client.frames.slice(from).findIndex((frame) => frame.type === 'subscribed' && frame.id === 'again');
    expect(client.of(topic, from).filter(({ type }) => type === 'change')).toHaveLength(0);
    expect(passed).toBeGreaterThan(0);

    const regions = (i: number): Select => ({ kind: 'region', regions: [`many-${i}`] });
    for (let i = 0; i < 6; i++) await client.sync(`m${i}`, regions(i));
    client.send({ type: 'subscribe', id: 'one-more', select: regions(6) });
    expect((await error('one-more', 0)).code).toBe('too-many-subscriptions');
    client.send({ type: 'unsubscribe', id: 'm3' });
    await client.sync('one-more', regions(6));
    expect(client.closed).toBeUndefined();
  });

  test('PUSH6: a bookmark speaks for every subscription of a socket, and not before all of them are synced', async () => {
    const client = await open(server.url);
    const topics = await Promise.all([
      client.sync('1', { kind: 'region' }),
      client.sync('2', { kind: 'service' }),
      client.sync('3', { kind: 'bundle' }),
    ]);
    const from = client.frames.length;
    const { body } = await putRegion(server.url, 'marked', {});
    const bookmark = await client.next('bookmark', ({ revision }) => revision >= body.revision, from);
    expect(Object.keys(bookmark.digests).toSorted()).toEqual(topics.toSorted());
    const sent = client.frames.findIndex((frame) => frame.type === 'change' && frame.revision === body.revision);
    expect(sent).toBeGreaterThan(0);
    expect(client.frames.indexOf(bookmark)).toBeGreaterThan(sent);
    // Without news too, once a heartbeat.
    const quiet = client.frames.length;
    await client.next('bookmark', () => true, quiet);
    await client.next('bookmark', () => true, quiet + 1);
  });

  test('PUSH9: a client that is silent for two and a half heartbeats is closed with 4002, one that answers is not', async () => {
    const answering = await open(server.url);
    const talking = await RawWatch.open(server.port);
    const silent = await RawWatch.open(server.port);
    leftovers.push(
      () => talking.destroy(),
      () => silent.destroy(),
    );
    silent.send({ type: 'subscribe', id: '1', select: { kind: 'region' } });
    const talk = setInterval(() => talking.send({ type: 'ping' }), HEARTBEAT);
    leftovers.push(() => clearInterval(talk));
    const opened = performance.now();
    await until('a close frame', () => silent.close !== undefined);
    expect(silent.close?.code).toBe(CLOSE.silent);
    expect(performance.now() - opened).toBeGreaterThan(2 * HEARTBEAT);
    expect(silent.pings).toBeGreaterThanOrEqual(2);
    // It does not take part in the closing either.
    await silent.untilClosed(10_000);
    expect(answering.closed).toBeUndefined();
    expect(talking.close).toBeUndefined();
    expect(talking.frames.filter(({ type }) => type === 'pong').length).toBeGreaterThan(0);
  });

  test('PUSH9: a server that was itself held up does not take its clients for silent', async () => {
    const clients = await Promise.all([1, 2, 3].map(() => open(server.url)));
    const topics = await Promise.all(clients.map((client) => client.sync('1', { kind: 'region' })));
    process.kill(server.pid, 'SIGSTOP');
    await sleep(4 * HEARTBEAT);
    process.kill(server.pid, 'SIGCONT');
    const { body } = await putRegion(server.url, 'after-the-pause');
    await Promise.all(clients.map((client, i) => client.reached(topics[i] ?? '', body.revision as number)));
    // And it goes on to look after them: nobody is closed in the heartbeats that follow.
    const from = clients.map(({ frames }) => frames.length);
    await Promise.all(clients.map((client, i) => client.next('bookmark', () => true, (from[i] ?? 0) + 2)));
    for (const { closed } of clients) expect(closed).toBeUndefined();
  });
});

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

async function RawWatchFrom(port: number, headers: Record<string, string>): Promise<RawWatch> {
  const raw = await RawWatch.open(port, headers);
  leftovers.push(() => raw.destroy());
  return raw;
}

/** PUSH.md's words, without the server's code. */
function digestOf(items: Iterable<readonly [key: string, revision: number]>): string {
  let [a, b] = [0n, 0n];
  for (const [key, revision] of items) {
    const bytes = Buffer.from(`${key}@${revision}`);
    a = (a + murmurHash3(bytes, 0n)) & 0xffffffffn;
    b = (b + murmurHash3(bytes, 0x9747b28cn)) & 0xffffffffn;
  }
  return a.toString(16).padStart(8, '0') + b.toString(16).padStart(8, '0');
}

/** MurmurHash3_x86_32, after Austin Appleby's reference. */
function murmurHash3(bytes: Buffer, seed: bigint): bigint {
  const mask = 0xffffffffn;
  const rotate = (x: bigint, by: bigint): bigint => ((x << by) | (x >> (32n - by))) & mask;
  const scramble = (k: bigint): bigint => (rotate((k * 0xcc9e2d51n) & mask, 15n) * 0x1b873593n) & mask;
  let hash = seed;
  const whole = bytes.length - (bytes.length % 4);
  for (let i = 0; i < whole; i += 4) {
    hash = (rotate(hash ^ scramble(BigInt(bytes.readUInt32LE(i))), 13n) * 5n + 0xe6546b64n) & mask;
  }
  let rest = 0n;
  for (let i = bytes.length - 1; i >= whole; i--) rest = (rest << 8n) | BigInt(bytes[i] ?? 0);
  if (bytes.length > whole) hash ^= scramble(rest);
  hash ^= BigInt(bytes.length);
  hash = ((hash ^ (hash >> 16n)) * 0x85ebca6bn) & mask;
  hash = ((hash ^ (hash >> 13n)) * 0xc2b2ae35n) & mask;
  return hash ^ (hash >> 16n);
}
