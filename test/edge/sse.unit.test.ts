import { afterEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent } from 'node:http';
import { Connection } from '../../src/feed/connection.ts';
import type { Frame } from '../../src/feed/frame.ts';
import { CLOSE } from '../../src/protocol/close-codes.ts';
import { until } from '../acceptance/until.ts';
import { EventStream } from '../feed/event-stream.ts';
import { LiveNode, type NodeOptions } from '../feed/live-node.ts';

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

async function open(options: NodeOptions = {}): Promise<LiveNode> {
  const node = await LiveNode.open(options);
  leftovers.push(() => node.close());
  return node;
}

async function watch(node: LiveNode, query = '', headers: Record<string, string> = {}, reading = true) {
  const stream = await EventStream.open(`${node.url}/v1/watch${query}`, headers, { reading });
  leftovers.push(() => stream.destroy());
  return stream;
}

const keysOf = (stream: EventStream): string[] =>
  stream.frames.flatMap((frame) =>
    frame.type === 'change' ? frame.changes.map(({ op, key, revision }) => `${op} ${key}@${revision}`) : [],
  );

test('PUSH1 PUSH3 PUSH6 PUSH7 a stream is a snapshot, then changes, and an id stands for everything up to it', async () => {
  const node = await open();
  await node.put('regions/us');
  const stream = await watch(node, '?kind=region');
  expect(stream.response.statusCode).toBe(200);
  expect(stream.response.headers).toMatchObject({
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    'x-signalbox-revision': '1',
    'transfer-encoding': 'chunked',
  });
  await stream.next('synced');
  await node.put('regions/eu');
  await node.put('projects/core', { title: 'Core' });
  await node.delete('regions/us');
  await stream.next('bookmark', ({ revision }) => revision === 4);
  const begin = ['welcome', 'subscribed', 'snapshot', 'synced'];
  expect(stream.events.map(({ event }) => event).slice(0, 4)).toEqual(begin);
  expect(keysOf(stream)).toEqual(['put regions/eu@2', 'delete regions/us@4']);
  for (const { event, id, data } of stream.events) {
    const { revision } = JSON.parse(data) as { revision: number };
    expect([event, id]).toEqual([event, /synced|change|bookmark/.test(event) ? `e1:${revision}` : undefined]);
  }
  await until('a ping', () => stream.comments > 0);
});

test('PUSH5 a stream that comes back continues after the last event it has seen, by header or by parameter', async () => {
  const node = await open();
  await node.put('regions/us');
  const first = await watch(node, '?kind=region');
  await first.next('synced');
  await node.put('regions/r2');
  await first.next('change');
  const id = first.lastEventId ?? '';
  expect(id).toBe('e1:2');
  first.destroy();
  await node.put('regions/r3');
  const ways: [query: string, headers: Record<string, string>][] = [
    ['?kind=region', { 'last-event-id': id }],
    [`?kind=region&lastEventId=${id}`, {}],
    ['?kind=region&since=2&epoch=e1', {}],
    ['?kind=region&since=2', {}],
    // What the browser says when it comes back counts more than what it was told at first.
    ['?kind=region&lastEventId=e1:1', { 'last-event-id': id }],
  ];
  for (const [query, headers] of ways) {
    const stream = await watch(node, query, headers);
    await stream.next('synced');
    expect(stream.events.map(({ event }) => event).slice(0, 4)).toEqual(['welcome', 'subscribed', 'change', 'synced']);
    expect(keysOf(stream)).toEqual(['put regions/r3@3']);
    expect(stream.lastEventId).toBe('e1:3');
  }
});

test.each(['other:2', 'e1:99'])('PUSH5 REV4 a stream that comes back from %s starts over', async (id) => {
  const node = await open();
  await node.put('regions/us');
  const stream = await watch(node, '', { 'last-event-id': id });
  expect(await stream.next('reset')).toMatchObject({ epoch: 'e1', reason: id === 'e1:99' ? 'future' : 'epoch' });
  await stream.next('synced');
  // A bookmark may follow at any time.
  const events = stream.events.map(({ event }) => event).filter((event) => event !== 'bookmark');
  expect(events).toEqual(['welcome', 'subscribed', 'reset', 'snapshot', 'synced']);
});

test('PUSH3 the parameters select, and an instance that stops matching is a delete', async () => {
  const node = await open();
  const here = { environment: 'prod', region: 'us', version: 'v1', tags: { team: 'x' } };
  const id = await node.register(here);
  await node.register({ port: 1 });
  const query =
    '?kind=instance&services=orders.example.com,other.example.com&environments=prod,&protocols=http,grpc&versions=v1&regions=us&tags=team=x&passing=true';
  const stream = await watch(node, query);
  const { items } = await stream.next('snapshot');
  expect(items.map((item) => item['name'])).toEqual([`instances/${id}`]);
  await stream.next('synced');
  await node.register({ ...here, version: 'v2' });
  await node.register({ ...here, version: 'v2', weight: 5 });
  await node.register(here);
  await stream.next('change', ({ revision }) => revision === 5);
  expect(keysOf(stream)).toEqual([`delete instances/${id}@3`, `put instances/${id}@5`]);
});

test('PUSH9 a stream that does not read is cut off, while others and writers go on', async () => {
  const node = await open({ limits: { maxQueuedBytes: 64 * 1024 } });
  const quick = await watch(node, '?kind=region');
  const slow = await watch(node, '?kind=region', {}, false);
  await quick.next('synced');
  let revision = 0;
  const began = performance.now();
  for (let i = 0; node.hub.cutOffs.length === 0; i++) {
    if (i > 20_000) throw new Error('it was never cut off');
    revision = await putMany(node, i);
    const [reader] = [...node.hub.subscribers].filter(({ id }) => id === 2);
    if (reader !== undefined) expect(reader.queuedBytes).toBeLessThan(1024 * 1024);
  }
  expect(performance.now() - began).toBeLessThan(15_000);
  expect(node.hub.cutOffs[0]).toMatchObject({ reason: 'too-slow', topics: ['region'], remoteAddress: '127.0.0.1' });
  await quick.next('change', (frame) => frame.revision === revision);
  slow.response.resume();
  await until('the stream was cut', () => slow.ended);
  expect(slow.ended).toBe('cut');
  expect(slow.events.some(({ event }) => event === 'close')).toBe(false);
}, 30_000);

test('PUSH3 PUSH9 a stream that is slow for a while is caught up with every change', async () => {
  const node = await open({ limits: { stallTimeoutMs: 60_000 } });
  const stream = await watch(node, '?kind=region');
  await stream.next('synced');
  stream.response.pause();
  const [connection] = node.hub.subscribers;
  let head = 0;
  for (let i = 0; connection?.subscriptions[0]?.state.phase === 'live'; i++) head = await putMany(node, i);
  expect(head).toBeGreaterThan(1000);
  stream.response.resume();
  await stream.next('change', ({ revision }) => revision === head);
  const revisions = stream.frames.flatMap((f) => (f.type === 'change' ? f.changes.map((c) => c.revision) : []));
  expect(revisions).toEqual(Array.from({ length: head }, (_, i) => i + 1));
  await until('it is live again', () => connection?.subscriptions[0]?.state.phase === 'live');
});

test('PUSH5 REV4 when the history begins anew, a stream is reset and its ids are of the new epoch', async () => {
  const node = await open();
  await node.put('regions/us');
  const stream = await watch(node);
  await stream.next('synced');
  await node.store.newEpoch();
  await node.tail.catchUp();
  expect(await stream.next('reset')).toMatchObject({ epoch: 'e2', reason: 'epoch' });
  await until('an id of the new epoch', () => stream.lastEventId === 'e2:1');
  const types = stream.events.map(({ event }) => event);
  expect(types.slice(types.indexOf('reset'))).toEqual(expect.arrayContaining(['reset', 'snapshot', 'synced']));
});

test('PUSH9 the timeouts for requests do not end a stream, however seldom it is written to', async () => {
  const node = await open({ env: { REQUEST_TIMEOUT: '1s' }, limits: { heartbeatMs: 60_000 } });
  const stream = await watch(node);
  await stream.next('synced');
  const sockets = await new Promise<number>((done) => node.app.server.getConnections((_error, count) => done(count)));
  expect(sockets).toBe(1);
  // Node looks for late requests every two seconds.
  await sleep(4500);
  expect(stream.ended).toBeUndefined();
  await node.put('regions/us');
  await stream.next('change');
  expect(stream.response.socket.destroyed).toBe(false);
}, 15_000);

test('a stream says why it ends, and when to come back', async () => {
  const node = await open({ limits: { maxSockets: 1 } });
  const agent = new Agent({ keepAlive: true });
  leftovers.push(() => agent.destroy());
  const stream = await EventStream.open(`${node.url}/v1/watch`, {}, { agent });
  await stream.next('synced');
  const full = await watch(node);
  await until('the second one ended', () => full.ended);
  const reason = JSON.stringify({ retryAfterMs: 2500 });
  expect(full.events).toEqual([
    { event: 'close', id: undefined, retry: 2500, data: JSON.stringify({ code: CLOSE.full, reason }) },
  ]);
  await node.hub.drain(20);
  await until('the stream ended', () => stream.ended);
  expect(stream.ended).toBe('end');
  expect(stream.events.at(-1)).toMatchObject({ event: 'close', retry: 125 });
  expect(JSON.parse(stream.events.at(-1)?.data ?? '')).toMatchObject({ code: CLOSE.draining });
  expect(node.hub.connections).toBe(0);
  // The connection is good for more.
  const other = await EventStream.open(`${node.url}/v1/watch`, {}, { agent });
  expect(other.response.statusCode).toBe(200);
  await until('it is told to go, too', () => other.ended);
});

test('a client that goes away is forgotten', async () => {
  const node = await open();
  const stream = await watch(node);
  await stream.next('synced');
  expect([node.hub.connections, node.hub.topics]).toEqual([1, 1]);
  stream.destroy();
  await until('the hub has forgotten it', () => node.hub.connections === 0);
  expect(node.hub.topics).toBe(0);
});

test.each<[what: string, query: string, headers: Record<string, string>, status: number, type: string]>([
  ['an unknown parameter', '?service=a.example', {}, 400, 'invalid'],
  ['an unknown kind', '?kind=planet', {}, 400, 'invalid'],
  ['an empty entry', '?services=a.example,,b', {}, 400, 'invalid'],
  ['a label without a value', '?labels=team', {}, 400, 'invalid'],
  ['passing that is neither', '?passing=perhaps', {}, 400, 'invalid'],
  ['too many entries', `?services=${Array.from({ length: 101 }, (_, i) => `s${i}`).join(',')}`, {}, 400, 'invalid'],
  ['an epoch without since', '?epoch=e1', {}, 400, 'invalid'],
  ['an id that is none', '?lastEventId=41', {}, 400, 'invalid'],
  ['a header that is no id', '', { 'last-event-id': 'e1' }, 400, 'invalid'],
  ['no Accept', '', { accept: '*/*' }, 426, 'upgrade-required'],
  ['another origin', '', { origin: 'https://evil.example' }, 403, 'forbidden'],
])('%s is a problem and no stream', async (_what, query, headers, status, type) => {
  const node = await open();
  const response = await fetch(`${node.url}/v1/watch${query}`, {
    headers: { accept: 'text/event-stream', ...headers },
  });
  expect([response.status, response.headers.get('content-type')?.split(';')[0]]).toEqual([
    status,
    'application/problem+json',
  ]);
  expect(await response.json()).toMatchObject({ type: `/problems/${type}` });
  expect(node.hub.connections).toBe(0);
});

test('HEAD has no stream, and a WebSocket takes no parameters', async () => {
  const node = await open();
  const head = await fetch(`${node.url}/v1/watch`, { method: 'HEAD', headers: { accept: 'text/event-stream' } });
  expect([head.status, head.headers.get('allow')]).toEqual([405, 'GET']);
  const upgrade = await raw(
    node,
    'GET /v1/watch?kind=region HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    'requestId',
  );
  expect(upgrade).toMatch(/^HTTP\/1.1 400 /);
  expect(upgrade).toContain('send a subscribe frame');
});

test('HTTP/1.0 gets its events without chunks, and a request behind another waits for its turn', async () => {
  const node = await open();
  await node.put('regions/us');
  const lines = 'Host: localhost\r\nAccept: text/event-stream\r\n\r\n';
  const old = await raw(node, `GET /v1/watch?kind=region HTTP/1.0\r\n${lines}`, 'event: bookmark');
  expect(old.split('\r\n\r\n')[0]).not.toMatch(/chunked/i);
  expect(old.split('\r\n\r\n')[1]).toMatch(/^event: welcome\ndata: [^\n]+\n\nevent: subscribed\n/);
  const both = await raw(
    node,
    `GET /v1/changes?since=1&wait=300ms HTTP/1.1\r\nHost: localhost\r\n\r\nGET /v1/watch HTTP/1.1\r\n${lines}`,
    'event: bookmark',
  );
  expect(both).toMatch(
    /^HTTP\/1.1 200 OK[^]*"changes":\[\]\}HTTP\/1.1 200 OK[^]*\r\n\r\n[0-9a-f]+\r\nevent: welcome\n/,
  );
});

test('PUSH10 the bytes of an event are made once for all streams', async () => {
  const node = await open();
  const streams = await Promise.all([1, 2, 3].map(() => watch(node, '?kind=region')));
  for (const stream of streams) await stream.next('synced');
  const sent: Frame[] = [];
  for (const { subscriptions } of node.hub.subscribers) {
    const connection = subscriptions[0]?.connection;
    if (connection === undefined) throw new Error('no subscription');
    const write = connection.write.bind(connection);
    connection.write = (frame) => {
      write(frame);
      sent.push(frame);
    };
  }
  await node.put('regions/us');
  for (const stream of streams) await stream.next('change');
  const changes = sent.filter((frame) => frame.text.includes('"type":"change"'));
  expect(changes).toHaveLength(3);
  expect(new Set(changes).size).toBe(1);
  expect(changes[0]?.sse?.toString()).toContain('event: change\nid: e1:1\n');
});

/** A hundred revisions of a kilobyte each; resolves with the last of them. */
async function putMany(node: LiveNode, round: number): Promise<number> {
  const labels = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`l${i}`, 'x'.repeat(60)]));
  const puts = Array.from({ length: 100 }, (_, n) => node.put(`regions/r${n}`, { title: `round ${round}`, labels }));
  return Math.max(...(await Promise.all(puts)));
}

/** What comes back for bytes, until a text is in it. */
async function raw(node: LiveNode, bytes: string, upTo: string): Promise<string> {
  const socket = connect(node.port, '127.0.0.1');
  await once(socket, 'connect');
  let text = '';
  socket.on('data', (data: Buffer) => (text += data.toString()));
  socket.write(bytes);
  await until(`${upTo} in ${text}`, () => text.includes(upTo));
  socket.destroy();
  return text;
}

test('PUSH9 a defect that a stream meets when it begins, at once or in its turn, ends that stream alone', async () => {
  const node = await open();
  const { subscribe } = Connection.prototype;
  Connection.prototype.subscribe = () => {
    throw new Error('a defect');
  };
  leftovers.push(() => (Connection.prototype.subscribe = subscribe));
  const ask = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n`;
  for (const asked of [ask('/v1/watch'), `${ask('/v1/regions')}${ask('/v1/watch')}`]) {
    const socket = connect(Number(new URL(node.url).port), '127.0.0.1', () => socket.write(asked));
    socket.on('error', () => {}).resume();
    await once(socket, 'close');
  }
  Connection.prototype.subscribe = subscribe;
  expect(node.hub.connections).toBe(0);
  await (await watch(node)).next('synced');
});
