import { afterEach, describe, expect, test } from '@jest/globals';
import { dueBy } from '../../src/feed/one-after-another.ts';
import type { Peer } from '../../src/feed/peer.ts';
import { resumeWithinMs } from '../../src/feed/welcome.ts';
import { CLOSE } from '../../src/protocol/close-codes.ts';
import { until } from '../acceptance/until.ts';
import { WatchClient } from '../acceptance/watch-client.ts';
import { CountingMetrics } from '../support/counting-metrics.ts';
import { ListeningSocket } from '../support/listening-socket.ts';
import { testPeer } from '../support/peer.ts';
import { EventStream } from './event-stream.ts';
import { INSTANCE, LiveNode, type NodeOptions } from './live-node.ts';

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

async function open(options: NodeOptions = {}): Promise<LiveNode> {
  const node = await LiveNode.open({ ...options, limits: { heartbeatMs: 60_000, ...options.limits } });
  leftovers.push(() => node.close());
  await node.put('regions/us');
  return node;
}

async function socket(node: LiveNode): Promise<WatchClient> {
  const client = await WatchClient.open(node.url);
  leftovers.push(() => client.ws.terminate());
  return client;
}

async function stream(node: LiveNode, query = '', headers: Record<string, string> = {}): Promise<EventStream> {
  const opened = await EventStream.open(`${node.url}/v1/watch${query}`, headers);
  leftovers.push(() => opened.destroy());
  return opened;
}

const poll = async (node: LiveNode, query: string): Promise<{ status: number; body: unknown }> => {
  const response = await fetch(`${node.url}/v1/changes?${query}`);
  return { status: response.status, body: await response.json() };
};

function connect(node: LiveNode, peer: Peer = testPeer()): ListeningSocket {
  const listening = new ListeningSocket();
  node.hub.connect(listening, peer)?.subscribe({ id: '1', select: { kind: '*' } });
  return listening;
}

describe('how clients come back', () => {
  test('PUSH5 welcome says over how long: two thousand within a second', () => {
    expect([0, 1, 500, 501, 2000, 5000, 10_000, 20_000].map(resumeWithinMs)).toEqual([
      250, 250, 250, 500, 1000, 2500, 5000, 5000,
    ]);
  });

  test('PUSH10 welcomes that say the same are the same bytes', async () => {
    const node = await LiveNode.bare({ maxSockets: 2000 });
    const sockets = Array.from({ length: 1002 }, () => connect(node));
    const welcomes = sockets.map(({ frames }) => frames[0]);
    expect(new Set(welcomes).size).toBe(3);
    expect(sockets.at(-1)?.of('welcome')).toMatchObject([{ protocol: 1, resumeWithin: 750 }]);
  });

  test('PUSH5 those who leave are spread evenly, to the last one', () => {
    const steps = Array.from({ length: 201 }, (_, i) => dueBy(2000, i * 10, 2000));
    expect(steps[0]).toBe(0);
    expect(steps.at(-1)).toBe(2000);
    expect(Math.max(...steps.map((due, i) => due - (steps[i - 1] ?? 0)))).toBe(10);
    expect([dueBy(7, 0, 0), dueBy(7, 99, 100), dueBy(7, 1000, 100), dueBy(0, 0, 100)]).toEqual([7, 6, 7, 0]);
  });
});

describe('a node that drains', () => {
  test('PUSH5 sends its watchers away one after the other, and serves those who are still there', async () => {
    let now = 0;
    const node = await open({ now: () => now });
    const sockets = Array.from({ length: 40 }, () => connect(node));
    const gone = (): number => sockets.findIndex(({ closed }) => closed === undefined);
    const drained = node.hub.drain(400);
    expect([node.hub.draining, node.hub.connections]).toEqual([true, 40]);
    now = 205;
    await until('half of them are gone', () => node.hub.connections === 20);
    expect(gone()).toBe(20);
    await node.put('regions/eu');
    node.hub.flush();
    const late = connect(node);
    expect([late.closed, late.frames]).toEqual([CLOSE.draining, []]);
    now = 399;
    await until('one is left', () => node.hub.connections === 1);
    now = 400;
    await drained;
    expect(node.hub.connections).toBe(0);
    expect(sockets.map(({ closed }) => closed)).toEqual(sockets.map(() => CLOSE.draining));
    expect(sockets.map((one) => one.of('change').length)).toEqual(sockets.map((_, i) => (i < 20 ? 0 : 1)));
  });

  test('over every transport, with a hint where to go by, and leases run on', async () => {
    const node = await open();
    const client = await socket(node);
    client.send({ type: 'register', id: 'r', instance: INSTANCE });
    const { instance } = await client.next('registered');
    const events = await stream(node);
    await events.next('synced');
    const asked = poll(node, 'since=2&wait=1m');
    await until('it waits', () => node.hub.connections === 3);
    await node.hub.drain(30);
    expect(await client.untilClosed()).toEqual({ code: CLOSE.draining, reason: '{"retryAfterMs":125}' });
    await until('the stream ended', () => events.ended);
    expect(events.events.at(-1)).toMatchObject({ event: 'close', retry: 125 });
    expect(await asked).toMatchObject({ status: 200, body: { to: 2, changes: [] } });
    expect(await poll(node, 'since=2&wait=1m')).toMatchObject({ status: 503, body: { type: '/problems/draining' } });
    // Its countdown began when it was last heard, and nobody took it away.
    expect(node.leases.detached).toMatchObject([{ id: instance.id }]);
    expect(node.tail.view.get(`instances/${instance.id}`)).toBeDefined();
  });

  test('hurries when it is told to', async () => {
    const node = await open({ now: () => 0 });
    for (let i = 0; i < 10; i++) connect(node);
    const slowly = node.hub.drain(60_000);
    await node.hub.drain(0);
    expect(node.hub.connections).toBe(0);
    await slowly;
  });
});

test('PUSH5 a few watchers are not kept for as long as many', async () => {
  const node = await open();
  for (let i = 0; i < 3; i++) connect(node);
  const began = performance.now();
  await node.hub.drain(60_000);
  expect(performance.now() - began).toBeGreaterThanOrEqual(29);
  expect(node.hub.connections).toBe(0);
});

describe('a node that does not trust its view', () => {
  test('PUSH8 takes back what it has told, sends everyone away, and takes nobody until it is right again', async () => {
    const metrics = new CountingMetrics();
    const node = await open({ metrics: metrics.hub });
    const client = await socket(node);
    await client.sync('1', { kind: 'region' });
    await client.sync('2', { kind: 'service' });
    const events = await stream(node);
    await events.next('synced');
    const asked = poll(node, 'since=1&wait=1m');
    await until('it waits', () => node.hub.connections === 3);
    node.hub.fence();
    expect([node.hub.fenced, node.hub.connections, node.hub.topics]).toEqual([true, 0, 0]);
    expect(await client.untilClosed()).toEqual({ code: CLOSE.draining, reason: '{"retryAfterMs":125}' });
    const resets = client.frames.filter(({ type }) => type === 'reset');
    expect(resets).toMatchObject([
      { topic: 'region', epoch: 'e1', reason: 'fenced' },
      { topic: 'service', epoch: 'e1', reason: 'fenced' },
    ]);
    await until('the stream ended', () => events.ended);
    expect(events.events.slice(-2)).toMatchObject([{ event: 'reset', id: 'reset:0' }, { event: 'close' }]);
    expect(await asked).toMatchObject({ status: 410, body: { reason: 'fenced' } });
    expect(metrics.resets).toEqual(['fenced', 'fenced', 'fenced', 'fenced']);

    expect(connect(node).closed).toBe(CLOSE.draining);
    expect(await poll(node, 'since=1&wait=1m')).toMatchObject({ status: 503 });
    // What is heard meanwhile, and another view, change nothing for those who are gone.
    await node.put('regions/eu');
    await node.store.newEpoch();
    await node.tail.catchUp();
    node.hub.onReload('trimmed');
    expect(connect(node).closed).toBe(CLOSE.draining);
    node.hub.unfence();

    const again = connect(node);
    expect(again.of('synced')).toMatchObject([{ revision: 2 }]);
    await node.put('regions/af');
    node.hub.flush();
    expect(again.of('change')).toMatchObject([{ revision: 3 }]);
    expect(again.closed).toBeUndefined();
  });

  test('PUSH5 a stream that was reset starts over, whatever its parameters say', async () => {
    const node = await open();
    await node.put('regions/eu');
    const begun = ['welcome', 'subscribed', 'snapshot', 'synced'];
    for (const [query, headers] of [
      ['?since=1', { 'last-event-id': 'reset:0' }],
      ['?lastEventId=e1:1', { 'last-event-id': 'reset:0' }],
      ['?lastEventId=reset:0', {}],
    ] as const) {
      const back = await stream(node, query, headers);
      await back.next('synced');
      expect(back.events.map(({ event }) => event)).toEqual(begun);
    }
    const first = await stream(node, '?lastEventId=reset:0', { 'last-event-id': 'e1:1' });
    await first.next('synced');
    expect(first.events.map(({ event }) => event)).toEqual(['welcome', 'subscribed', 'change', 'synced']);
  });

  test('a subscriber in the middle of its snapshot is told, too', async () => {
    const node = await open();
    const slow = new ListeningSocket();
    // Nothing is taken from it, so that what is long stays on its way.
    Object.defineProperty(slow, 'queued', { get: () => (slow.frames.length > 2 ? 1e9 : 0) });
    node.hub.connect(slow, testPeer())?.subscribe({ id: '1', select: { kind: '*' } });
    expect(slow.said.map(({ type }) => type)).toEqual(['welcome', 'subscribed', 'snapshot']);
    node.hub.fence();
    expect(slow.said.map(({ type }) => type)).toEqual(['welcome', 'subscribed', 'snapshot', 'reset']);
    expect(slow.closed).toBe(CLOSE.draining);
  });
});
