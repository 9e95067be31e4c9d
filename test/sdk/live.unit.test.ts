import { afterEach, expect, test } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SignalboxClient } from '../../src/sdk/client.ts';
import type { Client } from '../../src/sdk/api.ts';
import type { Keep, Kept } from '../../src/sdk/cache/keep.ts';
import { webSocket } from '../../src/sdk/links/web-socket.ts';
import type { ConnectOptions } from '../../src/sdk/options.ts';
import type { Parts, RegistrarDeps, ServiceDeps } from '../../src/sdk/parts.ts';
import type { WatchChanges } from '../../src/sdk/watch/watch.ts';
import { nodeServices } from '../../src/sdk/node-services.ts';
import { realTime } from '../../src/sdk/time.ts';
import { until as probe } from '../acceptance/until.ts';
import { INSTANCE, LiveNode } from '../feed/live-node.ts';
import { FakeTime } from './fake-time.ts';
import { testParts } from './test-parts.ts';

/** The client against the real hub, its real routes and a real socket. */

const until = (condition: () => boolean): Promise<unknown> => probe(String(condition), condition, 5000);

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

interface Opened {
  readonly client: Client;
  readonly errors: string[];
  readonly registrar: RegistrarDeps;
  readonly services: ServiceDeps;
}

function open(options: ConnectOptions, parts: Partial<Parts> = {}): Opened {
  let registrar: RegistrarDeps | undefined;
  let services: ServiceDeps | undefined;
  const base = testParts({});
  const client = new SignalboxClient(
    { backoff: { baseMs: 10, maxMs: 50 }, ...options },
    {
      ...base,
      carriers: [webSocket],
      createRegistrar: (deps) => ((registrar = deps), base.createRegistrar(deps)),
      createService: (deps) => ((services = deps), base.createService(deps)),
      ...parts,
    },
  );
  leftovers.push(() => client.close());
  const errors: string[] = [];
  client.on('error', ({ code, message }) => void errors.push(`${code}: ${message}`));
  if (registrar === undefined || services === undefined) throw new Error('nobody was created');
  return { client, errors, registrar, services };
}

async function openNode(options: Parameters<typeof LiveNode.open>[0] = {}): Promise<LiveNode> {
  const node = await LiveNode.open(options);
  leftovers.push(() => node.close());
  return node;
}

test('PUSH5 PUSH8 a snapshot, a change, a restart of the server, and on from there', async () => {
  const node = await LiveNode.open();
  await node.put('regions/eu-west');
  const { client } = open({ url: node.url });
  const watch = client.watch({ kind: 'region' });
  const told: WatchChanges[] = [];
  watch.on('change', (changes) => void told.push(changes));
  const first = await watch.ready({ timeoutMs: 5000 });
  expect([...first.values()]).toMatchObject([{ name: 'regions/eu-west', revision: 1 }]);
  await node.put('regions/us-east');
  await until(() => watch.snapshot?.size === 2);
  const { port, store } = node;
  await node.close();
  await until(() => watch.state === 'stale');
  expect(watch.snapshot?.size).toBe(2);
  const again = await openNode({ port, store });
  await again.put('regions/ap-south');
  await until(() => watch.state === 'live' && watch.snapshot?.size === 3);
  await again.delete('regions/us-east');
  await until(() => watch.snapshot?.size === 2);
  expect(told.map(({ type, changes }) => `${type} ${changes.map(({ name }) => name).join(' ')}`)).toEqual([
    'loaded regions/eu-west',
    'changed regions/us-east',
    'changed regions/ap-south',
    'changed regions/us-east',
  ]);
  // A bookmark has found it right: its position has moved with it.
  await until(() => watch.snapshot?.position.revision === again.head);
  expect(watch.state).toBe('live');
});

test('watches that select alike share a subscription, which ends with the last of them', async () => {
  const node = await openNode();
  const { client } = open({ url: node.url });
  const one = client.watch({ kind: 'service', services: ['b.example.com', 'a.example.com'] });
  const two = client.watch({ kind: 'service', services: ['a.example.com', 'b.example.com'] });
  const other = client.watch({ kind: 'region' });
  await Promise.all([one.ready(), two.ready(), other.ready()]);
  const count = () => [...node.hub.subscribers].flatMap((peer) => peer.subscriptions).length;
  expect(count()).toBe(2);
  one.close();
  expect([one.state, two.state]).toEqual(['closed', 'live']);
  two.close();
  await until(() => count() === 1);
  other.close();
  await until(() => client.phase === 'cold');
});

test('a subscription past the limit is told to its watch, and the others go on', async () => {
  const node = await openNode({ limits: { maxSubscriptions: 2 } });
  const { client, errors } = open({ url: node.url });
  const kinds = ['region', 'service', 'bundle'] as const;
  const watches = kinds.map((kind) => client.watch({ kind }));
  const [a, b, c] = await Promise.allSettled(watches.map((watch) => watch.ready({ timeoutMs: 5000 })));
  expect([a?.status, b?.status]).toEqual(['fulfilled', 'fulfilled']);
  expect(c).toMatchObject({
    status: 'rejected',
    reason: { code: 'refused', problem: { title: 'too-many-subscriptions' } },
  });
  expect(watches[2]?.state).toBe('loading');
  expect(errors).toHaveLength(1);
  expect(client.phase).toBe('live');
});

test('a service that is refused once is asked for again after a while, and is there when it may be', async () => {
  const time = new FakeTime();
  const node = await openNode({ limits: { maxSubscriptions: 1 } });
  // Only the pause is of the test's time: the connection has its own.
  const slow = (ms: number, then: () => void) => (ms >= 30_000 ? time : realTime).after(ms, then);
  const parts = testParts({
    carriers: [webSocket],
    createService: nodeServices,
    time: { now: () => realTime.now(), after: slow },
  });
  const client = new SignalboxClient({ url: node.url }, parts);
  leftovers.push(() => client.close());
  const other = client.watch({ kind: 'region' });
  await other.ready({ timeoutMs: 5000 });
  const orders = client.service('orders.example.com');
  await expect(orders.ready({ timeoutMs: 5000 })).rejects.toMatchObject({ code: 'refused' });
  expect([orders.state, client.phase]).toEqual(['loading', 'live']);
  await time.pass(30_000);
  await expect(orders.ready({ timeoutMs: 5000 })).rejects.toMatchObject({ code: 'refused' });
  other.close();
  await until(() => [...node.hub.subscribers].every((peer) => peer.subscriptions.length === 0));
  const ready = orders.ready({ timeoutMs: 5000 });
  await time.pass(30_000);
  await ready;
  expect([orders.state, orders.instances()]).toEqual(['live', []]);
});

test('INS1 registrations go over the open socket, and their answers come back by id', async () => {
  const node = await openNode();
  const { client, registrar, services } = open({ url: node.url });
  await expect(registrar.requests.send({ type: 'renew' })).rejects.toMatchObject({ code: 'unreachable' });
  const release = registrar.hold();
  await until(() => registrar.attachment.socket !== undefined);
  const source = services.source({ kind: 'instance', services: [INSTANCE.service], passing: true });
  await source.ready({ timeoutMs: 5000 });
  expect(source.instances).toEqual([]);
  const [reply, refused] = await Promise.all([
    registrar.requests.send({ type: 'register', instance: { ...INSTANCE } }),
    registrar.requests.send({ type: 'register', instance: { ...INSTANCE, port: -1 } }),
  ]);
  expect(reply).toMatchObject({ type: 'registered', instance: { generation: 1 } });
  expect(refused).toMatchObject({ type: 'error', code: 'refused' });
  await until(() => source.instances?.length === 1);
  expect(await registrar.requests.send({ type: 'renew' })).toMatchObject({ type: 'renewed', renewed: 1 });
  const { socket } = registrar.attachment;
  expect(registrar.url()).toBe(node.url);
  source.close();
  release();
  await until(() => client.phase === 'cold');
  expect([socket, registrar.attachment.socket]).toEqual([1, undefined]);
});

test('a watch is ready from the copy of an earlier process while nobody is there, and says so', async () => {
  const node = await LiveNode.open();
  await node.put('regions/eu-west');
  const kept = new Map<string, Kept>();
  const keep: Keep = {
    load: (topic) => Promise.resolve(kept.get(topic)),
    save: (topic, copy) => void kept.set(topic, structuredClone(copy)),
    close: () => Promise.resolve(),
  };
  const openKeep = () => keep;
  const before = open({ url: node.url, directory: 'd' }, { openKeep }).client;
  await before.watch({ kind: 'region' }).ready();
  await before.close();
  expect(kept.get('region')).toMatchObject({ server: node.url, position: { revision: 1 }, items: [{ revision: 1 }] });
  const { port, store, url } = node;
  await node.close();
  const { client } = open({ url, directory: 'd' }, { openKeep, clock: () => 1_700_000_060_000 });
  const watch = client.watch({ kind: 'region' });
  const snapshot = await watch.ready({ timeoutMs: 5000 });
  expect([watch.state, snapshot.size, client.phase === 'live']).toEqual(['stale', 1, false]);
  expect(watch.age).toBeGreaterThanOrEqual(60_000);
  const again = await openNode({ port, store });
  await again.put('regions/us-east');
  await until(() => watch.state === 'live' && watch.snapshot?.size === 2);
  // Of another server, it is no copy.
  const elsewhere = open({ url: 'http://127.0.0.1:1', directory: 'd' }, { openKeep }).client.watch({ kind: 'region' });
  await expect(elsewhere.ready({ timeoutMs: 100 })).rejects.toMatchObject({ code: 'timeout' });
});

async function strange(answer: (server: Server) => void): Promise<string> {
  const server = createServer();
  answer(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  leftovers.push(() => (server.closeAllConnections(), server.close()));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('another program in its place is said to be one; a refused token ends it, with the problem', async () => {
  const url = await strange((server) =>
    server.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 404 X\r\n\r\n')),
  );
  const one = open({ url });
  await expect(one.client.watch({ kind: 'region' }).ready({ timeoutMs: 200 })).rejects.toMatchObject({
    code: 'timeout',
    message: expect.stringContaining('is not an answer of Signalbox'),
  });
  const problem = JSON.stringify({ type: '/problems/unauthenticated', detail: 'The token has expired.' });
  const head = `HTTP/1.1 401 X\r\ncontent-type: application/problem+json\r\ncontent-length: ${problem.length}\r\n\r\n`;
  const shown: unknown[] = [];
  const locked = await strange((server) =>
    server.on('upgrade', (request, socket) => (shown.push(request.headers.authorization), socket.end(head + problem))),
  );
  const two = open({ url: locked, auth: { token: 'abc' } });
  await expect(two.client.watch({ kind: 'region' }).ready()).rejects.toMatchObject({
    code: 'unauthorized',
    message: 'The token has expired.',
    problem: { status: 401, type: '/problems/unauthenticated' },
  });
  expect([two.client.phase, shown]).toEqual(['stopped', ['Bearer abc']]);
});
