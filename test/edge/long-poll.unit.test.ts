import { afterEach, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../acceptance/until.ts';
import { Random } from '../support/random.ts';
import { LiveNode, type NodeOptions } from '../feed/live-node.ts';
import { testPeer } from '../support/peer.ts';
import { entriesSince } from '../support/entries-since.ts';

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

async function open(options: NodeOptions = {}): Promise<LiveNode> {
  const node = await LiveNode.open(options);
  leftovers.push(() => node.close());
  return node;
}

interface Answer {
  readonly status: number;
  readonly ms: number;
  readonly revision: number;
  readonly body: {
    readonly from: number;
    readonly to: number;
    readonly head: number;
    readonly epoch: string;
    readonly changes: readonly { readonly op: string; readonly key: string; readonly revision: number }[];
    readonly [more: string]: unknown;
  };
}

async function ask(node: LiveNode, query: string, signal?: AbortSignal): Promise<Answer> {
  const began = performance.now();
  const response = await fetch(`${node.url}/v1/changes?${query}`, signal === undefined ? {} : { signal });
  const body = (await response.json()) as Answer['body'];
  const revision = Number(response.headers.get('x-signalbox-revision'));
  return { status: response.status, ms: performance.now() - began, revision, body };
}

const events = ({ body }: Answer): string[] => body.changes.map(({ op, key, revision }) => `${op} ${key}@${revision}`);
const waiting = (node: LiveNode, polls = 1): Promise<unknown> =>
  until(`${polls} polls wait`, () => node.hub.connections === polls);

test('PUSH3 a poll is answered with the first change after its revision, and at once when there is one already', async () => {
  const node = await open();
  await node.put('regions/us');
  const asked = ask(node, 'since=1&wait=10s');
  await waiting(node);
  await node.put('regions/eu');
  const answer = await asked;
  expect(answer.body).toEqual({
    from: 1,
    to: 2,
    head: 2,
    epoch: 'e1',
    changes: [
      {
        op: 'put',
        kind: 'region',
        key: 'regions/eu',
        revision: 2,
        value: node.tail.view.get('regions/eu')?.value,
      },
    ],
  });
  expect(answer.revision).toBe(2);
  expect(answer.ms).toBeLessThan(3000);
  await until('nobody waits', () => node.hub.connections === 0 && node.hub.topics === 0);
  const again = await ask(node, 'since=1&epoch=e1&wait=10s');
  expect(again.body).toEqual(answer.body);
  expect(again.ms).toBeLessThan(3000);
});

test('a poll for which nothing comes is answered when its time is over, and moves on', async () => {
  const node = await open();
  await node.put('regions/us');
  const asked = ask(node, 'since=1&wait=400ms&kind=service');
  await waiting(node);
  await node.put('regions/eu');
  const answer = await asked;
  expect(answer.ms).toBeGreaterThan(390);
  expect(answer.body).toEqual({ from: 1, to: 2, head: 2, epoch: 'e1', changes: [] });
  expect((await ask(node, 'since=2')).body).toMatchObject({ to: 2, changes: [] });
  expect((await ask(node, 'since=2&wait=0s')).ms).toBeLessThan(2000);
});

test('PUSH3 a selection is told what concerns it, and what stops matching is a delete', async () => {
  const node = await open();
  const query = 'kind=instance&services=orders.example.com&passing=true&versions=v1';
  const id = await node.register({ version: 'v1' });
  await node.put('regions/us');
  await node.register({ version: 'v2' });
  await node.put('regions/eu');
  const past = await ask(node, `since=0&${query}`);
  expect(events(past)).toEqual([`put instances/${id}@1`, `delete instances/${id}@3`]);
  expect(past.body).toMatchObject({ to: 4, head: 4 });
  const asked = ask(node, `since=4&wait=10s&${query}`);
  await waiting(node);
  await node.put('projects/core', { title: 'Core' });
  await node.register({ version: 'v3' });
  await node.register({ version: 'v1' });
  const live = await asked;
  expect(events(live)).toEqual([`put instances/${id}@7`]);
  expect(live.body).toMatchObject({ from: 4, to: 7 });
});

test('PUSH10 a revision wakes those whom it concerns, and nobody else', async () => {
  const node = await open();
  await node.put('regions/us');
  const woken: string[] = [];
  const asked = ['region', 'region', 'region', 'service', 'instance', '*'].map(async (kind) => {
    const answer = await ask(node, `since=1&wait=5s&kind=${encodeURIComponent(kind)}`);
    woken.push(kind);
    return answer;
  });
  await waiting(node, 6);
  expect(node.hub.topics).toBe(4);
  await node.put('regions/eu');
  await until('four are answered', () => woken.length === 4);
  expect(woken.toSorted()).toEqual(['*', 'region', 'region', 'region']);
  expect(node.hub.connections).toBe(2);
  void node.hub.drain(0);
  expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200]);
});

test('PUSH1 PUSH2 PUSH3 PUSH4 one poll after the other tells everything once, in order, whole revisions each', async () => {
  const node = await open();
  const random = new Random(3);
  let done = false;
  const writing = (async () => {
    for (let i = 0; i < 300; i++) {
      const name = `regions/r${random.below(20)}`;
      if (random.chance(0.3) && node.tail.view.get(name) !== undefined) await node.delete(name);
      else await node.put(name, { labels: { tier: random.pick(['gold', 'silver']) }, title: `${i}` });
      if (random.chance(0.2)) await sleep(random.below(5));
    }
    done = true;
  })();
  const follow = async (query: string): Promise<string[]> => {
    const told: string[] = [];
    for (let since = 0; !done || since < node.head;) {
      const answer = await ask(node, `since=${since}&epoch=e1&wait=200ms${query}`);
      expect(answer.body.to).toBeGreaterThanOrEqual(since);
      told.push(...events(answer));
      since = answer.body.to;
    }
    return told;
  };
  const [all, gold] = await Promise.all([follow(''), follow('&kind=region&labels=tier=gold')]);
  await writing;
  const log = [...(await entriesSince(node.store, 0))];
  const wanted: string[] = [];
  const wantedGold: string[] = [];
  const isGold = new Map<string, boolean>();
  for (const { revision, changes } of log) {
    for (const change of changes) {
      const name = change.op === 'put' ? change.item.name : change.name;
      wanted.push(`${change.op} ${name}@${revision}`);
      const is = change.op === 'put' && change.item.kind === 'region' && change.item.value.labels['tier'] === 'gold';
      if (is) wantedGold.push(`put ${name}@${revision}`);
      else if (isGold.get(name) === true) wantedGold.push(`delete ${name}@${revision}`);
      isGold.set(name, is);
    }
  }
  expect(all).toEqual(wanted);
  expect(gold).toEqual(wantedGold);
}, 30_000);

test('limit bounds the revisions that match, and a selection that finds nothing moves on', async () => {
  const node = await open();
  for (let i = 0; i < 10; i++) await node.put(i % 2 === 0 ? `regions/r${i}` : `projects/p${i}`, { title: 't' });
  const first = await ask(node, 'since=0&kind=region&limit=2');
  expect(events(first)).toEqual(['put regions/r0@1', 'put regions/r2@3']);
  expect(first.body).toMatchObject({ to: 3, head: 10 });
  expect((await ask(node, 'since=3&kind=bundle')).body).toMatchObject({ to: 10, changes: [] });
});

test('PUSH5 REV4 a poll from elsewhere starts over, and so does one under which the history begins anew', async () => {
  const node = await open();
  await node.put('regions/us');
  for (const [query, reason] of [
    ['since=1&epoch=other&wait=5s', 'epoch'],
    ['since=9&wait=5s', 'future'],
    ['since=9&kind=region', 'future'],
  ]) {
    expect(await ask(node, query ?? '')).toMatchObject({ status: 410, body: { type: '/problems/start-over', reason } });
  }
  const asked = ask(node, 'since=1&wait=10s');
  await waiting(node);
  await node.store.newEpoch();
  await node.tail.catchUp();
  expect(await asked).toMatchObject({ status: 410, body: { reason: 'epoch', head: { epoch: 'e2', revision: 1 } } });
});

test('PUSH9 a client that goes away waits no longer', async () => {
  const node = await open();
  const abort = new AbortController();
  const asked = ask(node, 'since=0&wait=5m', abort.signal).catch((error: Error) => error.name);
  await waiting(node);
  abort.abort();
  expect(await asked).toBe('AbortError');
  await until('it is forgotten', () => node.hub.connections === 0 && node.hub.topics === 0);
});

test('a node that drains answers those who wait, and lets nobody begin to', async () => {
  const node = await open();
  await node.put('regions/us');
  const asked = [ask(node, 'since=1&wait=5m'), ask(node, 'since=1&wait=5m&kind=service')];
  await waiting(node, 2);
  await node.hub.drain(20);
  for (const answer of await Promise.all(asked)) {
    expect(answer).toMatchObject({ status: 200, body: { from: 1, to: 1, changes: [] } });
  }
  const late = await ask(node, 'since=1&wait=5m');
  // An empty answer would be asked again at once.
  expect(late).toMatchObject({ status: 503, body: { type: '/problems/draining', retryAfter: 1 } });
  expect(late.ms).toBeLessThan(3000);
});

test('PUSH9 those who wait are counted among the sockets, and past the bound nobody waits', async () => {
  const node = await open({ limits: { maxSockets: 2 } });
  const asked = [ask(node, 'since=0&wait=5m'), ask(node, 'since=0&wait=5m&kind=region')];
  await waiting(node, 2);
  const refused = await ask(node, 'since=0&wait=1s');
  expect(refused).toMatchObject({ status: 503, body: { type: '/problems/overloaded', retryAfter: 5 } });
  expect((await ask(node, 'since=0')).status).toBe(200);
  void node.hub.drain(0);
  await Promise.all(asked);
});

test('PUSH9 neither heartbeats nor the timeouts for requests end a poll', async () => {
  const node = await open({ env: { REQUEST_TIMEOUT: '1s' }, limits: { heartbeatMs: 100 } });
  const asked = ask(node, 'since=0&wait=1m');
  await waiting(node);
  // Node looks for late requests every two seconds.
  await sleep(4500);
  expect(node.hub.connections).toBe(1);
  await node.put('regions/us');
  expect(await asked).toMatchObject({ status: 200, body: { to: 1 } });
  const metrics = await (await fetch(`${node.url}/metrics`)).text();
  const seconds = /duration_seconds_sum\{method="GET",route="\/v1\/changes",status="200"\} ([0-9.e-]+)/.exec(
    metrics,
  )?.[1];
  // What it waited is not what the server took.
  expect(Number(seconds)).toBeLessThan(1);
}, 15_000);

test.each(['wait=6m', 'wait=-1s', 'wait=soon', 'wait=10', 'wait=', 'kind=planet', 'tags=x', 'passing=1', 'regions='])(
  'changes with %s is refused',
  async (query) => {
    const node = await open();
    expect(await ask(node, `since=0&${query}`)).toMatchObject({
      status: 400,
      body: { type: '/problems/invalid', errors: [{ parameter: query.split('=')[0], detail: expect.any(String) }] },
    });
  },
);

test('PUSH10 thousands who wait for the same cost a revision one encoding, and others cost it nothing', async () => {
  const node = await open({ limits: { maxSockets: 10_000 } });
  const { poll } = await import('../../src/edge/long-poll.ts');
  const { EventEmitter } = await import('node:events');
  const peer = testPeer('poll');
  const raw = new EventEmitter();
  raw.setMaxListeners(10_000);
  const reply = { raw } as unknown as Parameters<typeof poll>[1]['reply'];
  const since = { epoch: 'e1', revision: 0 };
  const ask1 = (kind: 'region' | 'bundle') => poll(node.hub, { select: { kind }, since, waitMs: 60_000, peer, reply });
  const regions = Array.from({ length: 5000 }, () => ask1('region'));
  const bundles = Array.from({ length: 4000 }, () => ask1('bundle'));
  for (let i = 0; i < 300; i++) await node.put(`projects/p${i}`, { title: 'p' });
  expect(node.hub.connections).toBe(9000);
  await node.put('regions/us');
  const answers = await Promise.all(regions);
  expect(new Set(answers.map((answer) => (answer.kind === 'changes' ? answer.to : answer.kind)))).toEqual(
    new Set([301]),
  );
  expect(node.hub.connections).toBe(4000);
  raw.emit('close');
  expect(new Set((await Promise.all(bundles)).map(({ kind }) => kind))).toEqual(new Set(['nothing']));
}, 30_000);
