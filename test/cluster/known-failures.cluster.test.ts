/** What has gone wrong in other registries, each as a short story with real processes. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { until } from '../acceptance/until.ts';
import { WatchClient } from '../acceptance/watch-client.ts';
import { call } from '../support/signalbox.ts';
import { ask } from './ask.ts';
import type { ClusterNode } from './cluster-node.ts';
import { Scene } from './scene.ts';

const REGIONS = { kind: 'region' } as const;
/** One look at the log (TAIL_INTERVAL, 200 ms), one read, one frame, on a busy machine. */
const HEALED_WITHIN_MS = 3000;

const MAX_ROUNDS = 150;
const LONG = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`label-${i}`, 'x'.repeat(60)]));

const ENV = {
  WATCH_HEARTBEAT: '250ms',
  WATCH_MAX_QUEUED_BYTES: '64KiB',
  READ_WAIT_MAX: '500ms',
};

describe('the known failures of others', () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await Scene.open({ nodes: 2, seed: 7, env: ENV }, [REGIONS, { kind: '*' }]);
  }, 180_000);
  afterEach(async () => {
    await scene.clear();
  }, 90_000);
  afterAll(async () => {
    await scene.close();
  });

  const positionOf = (revision: number) => ({ epoch: scene.reader.epoch, revision });
  const knows = (node: ClusterNode, revision: number) =>
    until(
      `${node.name} is at ${revision}`,
      async () => (await call(node.direct, 'GET', '/v1/state')).body.revision >= revision,
    );
  const min = (revision: number) => ({ 'x-signalbox-min-revision': String(revision) });

  test('PUSH6 a bookmark ahead of its data: none, while news come early, late and twice', async () => {
    const [a, b] = [scene.node(0), scene.node(1)];
    const watchers = [REGIONS, { kind: '*' } as const].map((select) => scene.subscribe(select, b));
    for (const one of watchers) await scene.reached(one, 0);
    // What is announced overtakes the log, and the log what is announced.
    b.links.redis.delay(0, 300);
    b.links.postgres.delay(0, 60);
    const write = async (node: ClusterNode, count: number): Promise<number> => {
      let last = 0;
      for (let i = 0; i < count; i++) last = await scene.put(node, `early-${node.name}-${i % 7}`, `${i}`);
      return last;
    };
    const head = Math.max(...(await Promise.all([write(a, 400), write(b, 20)])));
    for (const one of watchers) await scene.reached(one, head);
    expect(scene.complaints).toEqual([]);
  }, 90_000);

  test('REV2 a duplicate from a cached transaction: a write whose answer was lost is there once, however often it is sent', async () => {
    const [a, b] = [scene.node(0), scene.node(1)];
    await scene.put(a, 'lost', 'before');
    await scene.reader.look();
    // The commit happens, and the node never hears of it.
    a.links.postgres.lose('down');
    const first = ask(a.url, 'PUT', '/v1/regions/lost', { title: 'after' }, 25_000);
    await until('it is committed', () => scene.reader.marks.get('regions/lost after')?.length === 1);
    const [revision] = scene.reader.marks.get('regions/lost after') ?? [];
    const again = await call(b.url, 'PUT', '/v1/regions/lost', { title: 'after' });
    expect([again.status, again.headers.get('etag')]).toEqual([200, `"${revision}"`]);
    a.links.postgres.heal();
    const answer = await first;
    expect([200, 503]).toContain(answer?.status);
    if (answer?.status === 503) expect(answer.body.type).toBe('/problems/outcome-unknown');
    // Nor when the answer is lost between the node and the client.
    a.links.client.lose('down');
    expect(await ask(a.url, 'PUT', '/v1/regions/lost', { title: 'last' }, 1000)).toBeUndefined();
    a.links.client.heal();
    for (const node of [b, a])
      expect((await call(node.url, 'PUT', '/v1/regions/lost', { title: 'last' })).status).toBe(200);
    await scene.reader.look();
    expect(scene.reader.marks.get('regions/lost after')).toEqual([revision]);
    expect(scene.reader.marks.get('regions/lost last')).toHaveLength(1);
    expect(scene.complaints).toEqual([]);
  }, 90_000);

  test('PUSH5 time travel after a partition: who has seen a revision is never told an older state by a node that has not', async () => {
    const [a, b] = [scene.node(0), scene.node(1)];
    const seen = scene.subscribe(REGIONS, a, b);
    await scene.reached(seen, await scene.put(a, 'travel', 'old'));
    await until(
      'the other node has it',
      async () => (await call(b.direct, 'GET', '/v1/regions/travel')).body.title === 'old',
    );
    for (const link of [b.links.postgres, b.links.redis]) link.refuse();
    const head = await scene.put(a, 'travel', 'new');
    await scene.reached(seen, head);
    // Its node goes away, and the other one knows nothing of what it has seen.
    a.links.client.refuse();
    await sleep(2000);
    expect(scene.complaints).toEqual([]);
    expect(seen.position).toBeGreaterThanOrEqual(head);
    const stale = await ask(b.url, 'GET', '/v1/regions/travel');
    expect(stale?.body.title).toBe('old');
    const read = await call(b.url, 'GET', '/v1/regions/travel', undefined, min(head));
    expect([read.status, read.body.type]).toEqual([503, '/problems/revision-not-reached']);
    b.heal();
    const next = await scene.put(b, 'travel', 'newest');
    await scene.reached(seen, next);
    expect([seen.node, scene.complaints]).toEqual([b.name, []]);
  }, 60_000);

  test('PUSH3 PUSH9 events lost on starvation: who does not read while thousands of them pass gets all of them, or starts over', async () => {
    const [a, b] = [scene.node(0), scene.node(1)];
    // Not through the link, which would read in its place.
    const starving = scene.subscribe({ kind: '*' }, { name: b.name, url: b.direct });
    await scene.reached(starving, await scene.put(a, 'starve', 'first'));
    starving.starve();
    const many = (n: number) =>
      Array.from({ length: 250 }, (_, i) => ({ name: `regions/starve-${i}`, title: `${n}`, labels: LONG }));
    const before = starving.events;
    let head = 0;
    let rounds = 0;
    // What the buffers of the machine take, it is not behind with.
    for (let since = 0; since < 10; rounds++) {
      const answer = await call(a.url, 'POST', '/v1/apply', many(rounds));
      expect(answer.status).toBe(200);
      head = Number(answer.headers.get('x-signalbox-revision'));
      if (since > 0 || (await lagAt(b)) > 1) since += 1;
      if (rounds === MAX_ROUNDS) throw new Error('it is never behind');
    }
    starving.eat();
    await scene.reached(starving, head);
    expect(rounds * 250).toBeGreaterThan(2000);
    // From the state, or change by change; each was held against the log.
    if (starving.resets.size === 0) expect(starving.events - before).toBeGreaterThanOrEqual(rounds * 250);
    expect(scene.complaints).toEqual([]);
  }, 90_000);

  test('REV4 a delete dropped at compaction: who was away while the log was trimmed starts over, and does not keep what is gone', async () => {
    const [a, b] = [scene.node(0), scene.node(1)];
    await scene.put(a, 'stays', 'here');
    const since = await scene.put(a, 'goes', 'soon');
    const watcher = await WatchClient.open(a.url);
    await watcher.sync('w', REGIONS);
    await watcher.end();
    await call(a.url, 'DELETE', '/v1/regions/goes');
    const head = await scene.put(a, 'stays', 'still');
    await scene.reader.look();
    for (const node of [a, b]) await knows(node, head);
    await trim(scene.cluster.postgres.url, head - 1);
    for (const node of [a, b]) {
      await until(
        'the node knows of it',
        async () => (await call(node.url, 'GET', `/v1/changes?since=${since}`)).status === 410,
      );
      const back = await WatchClient.open(node.url);
      await back.sync('w', REGIONS, positionOf(since));
      const [, , reset, snapshot] = back.frames;
      expect(reset).toMatchObject({ type: 'reset', reason: 'trimmed' });
      const names = snapshot?.type === 'snapshot' ? snapshot.items.map(({ name }) => name) : [];
      expect(names).toContain('regions/stays');
      expect(names).not.toContain('regions/goes');
      await back.end();
    }
    expect(scene.complaints).toEqual([]);
  }, 60_000);

  test('PUSH5 a watch on a future revision is never answered with old data as if it were that', async () => {
    const [a, b] = [scene.node(0), scene.node(1)];
    const head = await scene.put(a, 'future', 'now');
    for (const node of [a, b]) {
      await knows(node, head);
      const client = await WatchClient.open(node.url);
      await client.sync('w', REGIONS, positionOf(head + 1000));
      expect(client.frames.slice(1, 4).map(({ type }) => type)).toEqual(['subscribed', 'reset', 'snapshot']);
      expect(client.frames[2]).toMatchObject({ reason: 'future' });
      expect(client.frames[3]).toMatchObject({ revision: expect.any(Number), more: false });
      for (const frame of client.frames) if ('revision' in frame) expect(frame.revision).toBeLessThan(head + 1000);
      await client.end();
      const poll = await call(node.url, 'GET', `/v1/changes?since=${head + 1000}&epoch=${scene.reader.epoch}`);
      expect([poll.status, poll.body.head.revision]).toEqual([410, head]);
      const read = await call(node.url, 'GET', '/v1/regions/future', undefined, min(head + 1000));
      expect([read.status, read.body.type]).toEqual([503, '/problems/revision-not-reached']);
    }
  }, 60_000);

  test('PUSH5 stale reads after a pause: who names a revision is not answered from before it', async () => {
    const [a, b] = [scene.node(0), scene.node(1)];
    const watcher = scene.subscribe(REGIONS, b);
    await scene.reached(watcher, await scene.put(a, 'paused', 'old'));
    b.pause();
    const head = await scene.put(a, 'paused', 'new');
    // It is asked while it stands still, and answers when it goes on.
    const asked = call(b.url, 'GET', '/v1/regions/paused', undefined, min(head));
    await sleep(2500);
    b.resume();
    const resumedAt = performance.now();
    const read = await asked;
    expect([200, 503]).toContain(read.status);
    if (read.status === 200) expect(read.body.title).toBe('new');
    await until(
      'reads that name nothing are current',
      async () => (await call(b.url, 'GET', '/v1/regions/paused')).body.title === 'new',
    );
    expect(performance.now() - resumedAt).toBeLessThan(HEALED_WITHIN_MS);
    await scene.reached(watcher, head, HEALED_WITHIN_MS);
    expect(scene.complaints).toEqual([]);
  }, 60_000);

  test('PUSH11 watchers that never heal after the server lost an event: what is not announced to a node comes with its next look', async () => {
    const [a, b] = [scene.node(0), scene.node(1)];
    const watcher = scene.subscribe(REGIONS, b);
    await scene.reached(watcher, await scene.put(a, 'unheard', '0'));
    b.links.redis.lose('down');
    for (let i = 1; i <= 5; i++) await scene.reached(watcher, await scene.put(a, 'unheard', `${i}`), HEALED_WITHIN_MS);
    b.heal();
    await scene.cluster.askRedis('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await scene.reached(watcher, await scene.put(a, 'unheard', 'last'), HEALED_WITHIN_MS);
    expect([watcher.moves, scene.complaints]).toEqual([0, []]);
  }, 60_000);
});

/** How far the furthest subscription of the node is behind. */
async function lagAt({ direct }: ClusterNode): Promise<number> {
  const { body } = await call(direct, 'GET', '/v1/subscribers');
  const lags = body.items.flatMap((one: { subscriptions: { lag?: number }[] }) =>
    one.subscriptions.map(({ lag }) => lag ?? 0),
  );
  return Math.max(0, ...lags);
}

/** As any node does when the log has grown too long. */
async function trim(url: string, upTo: number): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query('UPDATE head SET trimmed = $1', [upTo]);
    await client.query('DELETE FROM change_log WHERE revision <= $1', [upTo]);
    await client.query('COMMIT');
  } finally {
    await client.end();
  }
}
