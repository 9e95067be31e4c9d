import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { CLOSE } from '../../src/protocol/close-codes.ts';
import type { Select } from '../../src/protocol/frames.ts';
import { PROTOCOL } from '../../src/protocol/version.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { Random } from '../support/random.ts';
import { call, startSignalbox, type Signalbox } from '../support/signalbox.ts';
import { digestOf } from './described-digest.ts';
import { check, readLog } from './log-model.ts';
import { applyWorld, RandomWriter, SERVICES } from './random-writer.ts';
import { RawSocket, RawWatch, upgradeRequest } from './raw-socket.ts';
import { until } from './until.ts';
import { Follower } from './watch-client.ts';
import { ENV, HEARTBEAT, leftovers, open, putRegion, revisionOf, SELECTORS } from './watch-nodes.ts';
import { metric } from './metric.ts';

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

async function RawWatchFrom(port: number, headers: Record<string, string>): Promise<RawWatch> {
  const raw = await RawWatch.open(port, headers);
  leftovers.push(() => raw.destroy());
  return raw;
}
