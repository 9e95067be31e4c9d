import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Position } from '../../src/domain/position.ts';
import { sightOf } from '../../src/domain/visibility.ts';
import type { Peer, Standing } from '../../src/feed/peer.ts';
import { CLOSE } from '../../src/protocol/close-codes.ts';
import { until } from '../acceptance/until.ts';
import { WatchClient } from '../acceptance/watch-client.ts';
import { CountedStore } from '../support/counted-store.ts';
import { CountingMetrics } from '../support/counting-metrics.ts';
import { ListeningSocket } from '../support/listening-socket.ts';
import { testPeer } from '../support/peer.ts';
import { turns } from '../support/turns.ts';
import { EventStream } from './event-stream.ts';
import { LiveNode } from './live-node.ts';

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

let store: CountedStore;
/** Everything is written here. */
let ahead: LiveNode;
/** It hears of nothing by itself. */
let behind: LiveNode;
let metrics: CountingMetrics;

beforeEach(async () => {
  store = new CountedStore();
  metrics = new CountingMetrics();
  ahead = await LiveNode.bare({}, { store });
  await ahead.put('regions/us');
  behind = await LiveNode.open({
    store,
    metrics: metrics.hub,
    limits: { heartbeatMs: 60_000, maxSockets: 1000 },
  });
  leftovers.push(() => behind.close());
  await ahead.put('regions/eu');
  await ahead.put('projects/core', { title: 'Core' });
  expect([ahead.head, behind.head]).toEqual([3, 1]);
  store.countAnew();
});

const at = (revision: number, epoch = 'e1'): Position => ({ epoch, revision });

async function socket(node = behind): Promise<WatchClient> {
  const client = await WatchClient.open(node.url);
  leftovers.push(() => client.ws.terminate());
  return client;
}

/** On a socket of its own, without a network in between. */
function subscribe(since: Position, peer: Peer = testPeer(), kind = '*'): ListeningSocket {
  const listening = new ListeningSocket();
  const connection = behind.hub.connect(listening, peer);
  connection?.receive(JSON.stringify({ type: 'subscribe', id: '1', select: { kind }, since }));
  return listening;
}

const typesOf = ({ said }: ListeningSocket): string[] => said.map(({ type }) => type);
const synced = (sockets: readonly ListeningSocket[]): Promise<unknown> =>
  until('all are synced', () => sockets.every((one) => typesOf(one).includes('synced')));

/** The database is asked, and does not answer before `open` is called. */
function shut(): { open: () => void } {
  let open!: () => void;
  store.gate = new Promise((resolve) => (open = resolve));
  return { open };
}

async function changes(query: string): Promise<{ status: number; retryAfter: string | null; body: unknown }> {
  const response = await fetch(`${behind.url}/v1/changes?epoch=e1&${query}`);
  return { status: response.status, retryAfter: response.headers.get('retry-after'), body: await response.json() };
}

describe("PUSH5 a bookmark ahead of this node's data", () => {
  test('is gone on from over WebSocket, and nothing older is told', async () => {
    const client = await socket();
    expect(client.welcome.revision).toBe(1);
    await client.sync('1', { kind: '*' }, at(3));
    await ahead.put('regions/af');
    await behind.tail.catchUp();
    await client.next('change');
    const about = client.frames.map((frame) => [frame.type, 'revision' in frame ? frame.revision : undefined]);
    expect(about).toEqual([
      ['welcome', 1],
      ['subscribed', undefined],
      ['synced', 3],
      ['change', 4],
    ]);
    expect(metrics).toMatchObject({ resets: [], resumes: { memory: 1, log: 0, snapshot: 0 } });
  });

  test('likewise from the middle of what this node has not heard of', async () => {
    const client = await socket();
    await client.sync('1', { kind: '*' }, at(2));
    const { changes: told } = await client.next('change');
    expect(told.map(({ key }) => key)).toEqual(['projects/core']);
  });

  test('likewise as a stream of events', async () => {
    const stream = await EventStream.open(`${behind.url}/v1/watch`, { 'last-event-id': 'e1:3' });
    leftovers.push(() => stream.destroy());
    await stream.next('synced');
    expect(stream.events.map(({ event }) => event)).toEqual(['welcome', 'subscribed', 'synced']);
    expect(stream.lastEventId).toBe('e1:3');
  });

  test('likewise as a poll, and for a reader of the log', async () => {
    const asked = changes('since=3&wait=10s');
    await until('it waits', () => behind.hub.connections === 1);
    await ahead.put('regions/af');
    await behind.tail.catchUp();
    expect(await asked).toMatchObject({ status: 200, body: { from: 3, to: 4, changes: [{ key: 'regions/af' }] } });
    await ahead.put('regions/as');
    expect(await changes('since=5')).toMatchObject({ status: 200, body: { from: 5, to: 5, head: 5, changes: [] } });
  });

  test('several hundred who come at once cost one look at the log', async () => {
    const { open } = shut();
    const sockets = Array.from({ length: 500 }, (_, i) => subscribe(at(2 + (i % 2))));
    await turns();
    expect(sockets.every((one) => typesOf(one).at(-1) === 'subscribed')).toBe(true);
    open();
    await synced(sockets);
    // The head, what there is up to it, and the head again.
    expect(store.reads).toEqual({ head: 2, changes: 1, load: 0 });
    expect(metrics).toMatchObject({ logReads: 1, resets: [], resumes: { memory: 500, log: 0, snapshot: 0 } });
    expect(sockets.filter((one) => one.of('change').length === 1)).toHaveLength(250);
  });

  test('a look that is under way may have missed it: there is another one', async () => {
    // As if the head had been answered just before the commit.
    const early = at(3);
    const { head } = store;
    store.head = () => {
      store.head = head;
      return Promise.resolve({ epoch: 'e1', revision: 1, trimmed: 0 });
    };
    const one = subscribe(early);
    await synced([one]);
    expect(one.of('reset')).toEqual([]);
  });

  test('of an epoch that this node has not heard of is looked for too', async () => {
    await store.newEpoch();
    const one = subscribe(at(1, 'e2'));
    await synced([one]);
    // Its welcome was of the old epoch, so it starts over, with what the new one has.
    expect(typesOf(one)).toEqual(['welcome', 'subscribed', 'reset', 'snapshot', 'synced']);
    expect(one.of('reset')).toMatchObject([{ epoch: 'e2', reason: 'epoch' }]);
    expect(one.of('snapshot')).toMatchObject([{ revision: 3 }]);
    const next = subscribe(at(3, 'e2'));
    expect(typesOf(next)).toEqual(['welcome', 'subscribed', 'synced']);
  });
});

describe('a watch on a future revision is not answered with old data', () => {
  test('what the log does not know either starts over, with all that it knows', async () => {
    const sockets = [4, 5, Number.MAX_SAFE_INTEGER].map((revision) => subscribe(at(revision)));
    await synced(sockets);
    for (const one of sockets) {
      expect(typesOf(one)).toEqual(['welcome', 'subscribed', 'reset', 'snapshot', 'synced']);
      expect(one.of('reset')).toMatchObject([{ reason: 'future' }]);
      expect(one.of('synced')).toMatchObject([{ revision: 3 }]);
    }
    expect(store.reads.changes).toBe(1);
    expect(await changes('since=9')).toMatchObject({ status: 410, body: { reason: 'future', head: { revision: 3 } } });
  });

  test('while the database is away, the client is sent away with its position', async () => {
    store.failing = 'unavailable';
    const client = await socket();
    client.send({ type: 'subscribe', id: '0', select: { kind: 'region' }, since: at(1) });
    client.send({ type: 'subscribe', id: '1', select: { kind: '*' }, since: at(3) });
    const { code, reason } = await client.untilClosed();
    expect([code, JSON.parse(reason)]).toEqual([CLOSE.behind, { retryAfterMs: 1000 }]);
    expect(client.frames.map(({ type }) => type)).toEqual(['welcome', 'subscribed', 'synced', 'subscribed']);

    const stream = await EventStream.open(`${behind.url}/v1/watch?since=3`);
    leftovers.push(() => stream.destroy());
    await until('the stream ended', () => stream.ended);
    expect(stream.events.map(({ event }) => event)).toEqual(['welcome', 'subscribed', 'close']);
    expect(stream.events.at(-1)).toMatchObject({ retry: 1000, id: undefined });

    for (const query of ['since=3', 'since=3&wait=10s', 'since=3&wait=10s&kind=region']) {
      const answer = await changes(query);
      expect(answer).toMatchObject({ status: 503, body: { type: '/problems/store-unavailable' } });
      expect(Number(answer.retryAfter)).toBeGreaterThan(0);
    }
    // Who is not ahead is served from memory.
    expect(await changes('since=1')).toMatchObject({ status: 200, body: { to: 1 } });
    store.failing = false;
    const again = await socket();
    await again.sync('1', { kind: '*' }, at(3));
    expect(metrics.resets).toEqual([]);
  });

  test('nor when it asks for something else while the log is looked at', async () => {
    const { open } = shut();
    const one = new ListeningSocket();
    const connection = behind.hub.connect(one, testPeer());
    const say = (frame: object): void => connection?.receive(JSON.stringify(frame));
    say({ type: 'subscribe', id: 'a', select: { kind: '*' }, since: at(3) });
    say({ type: 'subscribe', id: 'b', select: { kind: 'region' }, since: at(3) });
    say({ type: 'subscribe', id: 'c', select: { kind: 'project' }, since: at(1) });
    say({ type: 'resync', id: 'a', revision: 3, digest: '0'.repeat(16) });
    say({ type: 'unsubscribe', id: 'b' });
    say({ type: 'ping' });
    // Others are answered meanwhile, and no bookmark says that all of them have everything.
    const answers = ['subscribed', 'subscribed', 'subscribed', 'synced', 'unsubscribed', 'pong'];
    expect(typesOf(one)).toEqual(['welcome', ...answers]);
    for (let slice = 0; slice < 10; slice++) behind.hub.heartbeat();
    expect(one.of('bookmark')).toEqual([]);
    open();
    await until('the first one is synced', () => one.of('synced').some(({ topic }) => topic === '*'));
    expect(one.of('reset')).toMatchObject([{ topic: '*', reason: 'resync' }]);
    expect(one.of('snapshot')).toMatchObject([{ topic: '*', revision: 3 }]);
    expect(one.said.some((frame) => 'topic' in frame && frame.topic === 'region' && frame.type === 'synced')).toBe(
      false,
    );
  });

  test('nor when its caller sees other things from then on', async () => {
    const { open } = shut();
    const peer = testPeer();
    let standing: Standing = peer.standing;
    const one = subscribe(at(3), { ...peer, gate: { ...peer.gate, look: () => standing } });
    standing = { ...standing, sight: sightOf([]) };
    for (const connection of behind.hub.subscribers) if (connection.lookAgain()) connection.startAnew();
    expect(typesOf(one)).toEqual(['welcome', 'subscribed']);
    open();
    await synced([one]);
    expect(one.of('reset')).toMatchObject([{ reason: 'access' }]);
    expect(one.of('synced')).toMatchObject([{ revision: 3 }]);
  });

  test('nor when the view is loaded anew meanwhile: what was loaded has it', async () => {
    await store.trim({ maxAgeMs: Number.NEGATIVE_INFINITY, maxBytes: 1 });
    const one = subscribe(at(3));
    await synced([one]);
    expect(typesOf(one)).toEqual(['welcome', 'subscribed', 'synced']);
    expect(store.reads.load).toBe(1);
  });

  test('a client that goes away while the log is looked at is forgotten', async () => {
    const { open } = shut();
    const client = await socket();
    client.send({ type: 'subscribe', id: '1', select: { kind: '*' }, since: at(3) });
    await client.next('subscribed');
    client.ws.terminate();
    await until('it is forgotten', () => behind.hub.connections === 0 && behind.hub.topics === 0);
    open();
    await behind.tail.catchUp();
    expect(behind.hub.subscriptions).toBe(0);
  });
});
