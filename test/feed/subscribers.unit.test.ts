import { afterEach, expect, test } from '@jest/globals';
import type { JWTPayload } from 'jose';
import { Tokens } from '../../src/auth/tokens.ts';
import { RawWatch } from '../acceptance/raw-socket.ts';
import { until } from '../acceptance/until.ts';
import { WatchClient } from '../acceptance/watch-client.ts';
import { IssuerServer } from '../auth/issuer-server.ts';
import { EventStream } from './event-stream.ts';
import { INSTANCE, LiveNode, type NodeOptions } from './live-node.ts';

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

async function open(options: NodeOptions = {}): Promise<LiveNode> {
  const node = await LiveNode.open(options);
  leftovers.push(() => node.close());
  return node;
}

async function socket(node: LiveNode): Promise<WatchClient> {
  const client = await WatchClient.open(node.url);
  leftovers.push(() => client.ws.terminate());
  return client;
}

interface Page {
  readonly items: readonly { readonly id: string; readonly [more: string]: unknown }[];
  readonly nextPageToken: string;
  readonly head: object;
  readonly cutOffs: readonly object[];
}

const list = async (node: LiveNode, query = ''): Promise<Page> => {
  const response = await fetch(`${node.url}/v1/subscribers${query}`);
  expect(response.status).toBe(200);
  return (await response.json()) as Page;
};

test('who watches what is listed, over every transport', async () => {
  const node = await open({ limits: { heartbeatMs: 10_000 } });
  await node.put('regions/us');
  const began = Date.now();
  const client = await socket(node);
  await client.sync('mine', { kind: 'region' });
  await client.sync('other', { kind: 'instance', services: ['orders.example.com'], passing: true });
  client.send({ type: 'register', id: 'r', instance: INSTANCE });
  await client.next('registered');
  const agent = `test/1 ${'x'.repeat(500)}`;
  const stream = await EventStream.open(`${node.url}/v1/watch?kind=service`, { 'user-agent': agent });
  leftovers.push(() => stream.destroy());
  await stream.next('synced');
  const poll = fetch(`${node.url}/v1/changes?since=2&wait=1m&services=iam.example.com`);
  await until('the poll waits', () => node.hub.connections === 3);
  const { items, ...page } = await list(node);
  expect(page).toEqual({ nextPageToken: '', head: { epoch: 'e1', revision: 2 }, cutOffs: [] });
  const about = { remoteAddress: '127.0.0.1', subject: 'development', since: expect.any(String), queuedBytes: 0 };
  const live = { phase: 'live', sentRevision: 2, lag: 0 };
  expect(items).toEqual([
    {
      ...about,
      id: '1',
      transport: 'websocket',
      bytesSent: expect.any(Number),
      instances: 1,
      subscriptions: [
        { id: 'mine', topic: 'region', ...live },
        { id: 'other', topic: 'instance?services=orders.example.com&passing=true', ...live },
      ],
    },
    {
      ...about,
      id: '2',
      transport: 'sse',
      userAgent: agent.slice(0, 200),
      bytesSent: expect.any(Number),
      instances: 0,
      subscriptions: [{ topic: 'service', ...live }],
    },
    {
      ...about,
      id: '3',
      transport: 'poll',
      userAgent: 'node',
      bytesSent: 0,
      instances: 0,
      subscriptions: [{ topic: '*?services=iam.example.com', ...live }],
    },
  ]);
  for (const item of items) {
    const since = Date.parse(String(item['since']));
    expect(since).toBeGreaterThanOrEqual(began - 1);
    expect(since).toBeLessThanOrEqual(Date.now());
  }
  expect(Number(items[0]?.['bytesSent'])).toBeGreaterThan(300);
  expect(Number(items[1]?.['bytesSent'])).toBeGreaterThan(200);

  const ids = async (query: string): Promise<string[]> => (await list(node, query)).items.map(({ id }) => id);
  expect(await ids('?transport=sse')).toEqual(['2']);
  expect(await ids('?service=orders.example.com')).toEqual(['1', '2']);
  expect(await ids('?service=iam.example.com')).toEqual(['1', '2', '3']);
  expect(await ids('?service=iam.example.com&transport=poll')).toEqual(['3']);
  await node.hub.drain(0);
  await poll;
});

test('the list comes in pages, each subscriber once', async () => {
  const node = await open();
  for (let i = 0; i < 7; i++) await socket(node);
  const pages: string[][] = [];
  let token = '';
  do {
    const page = await list(node, `?pageSize=3&transport=websocket&pageToken=${token}`);
    pages.push(page.items.map(({ id }) => id));
    token = page.nextPageToken;
  } while (token !== '');
  expect(pages).toEqual([['1', '2', '3'], ['4', '5', '6'], ['7']]);
  const [first] = [await list(node, '?pageSize=3')];
  for (const [query, detail] of [
    [`?pageToken=${first?.nextPageToken}&transport=sse`, 'belongs to a list'],
    ['?pageToken=nonsense', 'is not one that a list has answered'],
    ['?transport=pigeon', ''],
    ['?pageSize=0', ''],
    ['?kind=region', ''],
  ]) {
    const response = await fetch(`${node.url}/v1/subscribers${query}`);
    expect(response.status).toBe(400);
    expect(JSON.stringify(await response.json())).toContain(detail);
  }
});

test('PUSH9 who was cut off is listed with the reason, and who lags with how far', async () => {
  const node = await open({ limits: { heartbeatMs: 60_000, stallTimeoutMs: 60_000 } });
  const client = await socket(node);
  for (let i = 0; i < 16; i++) client.send('nonsense');
  await client.untilClosed();
  const { cutOffs } = await list(node);
  expect(cutOffs).toEqual([
    { at: expect.stringMatching(/^20.*Z$/), remoteAddress: '127.0.0.1', reason: 'protocol-error', topics: [] },
  ]);
  const slow = await RawWatch.open(node.port);
  leftovers.push(() => slow.destroy());
  slow.send({ type: 'subscribe', id: '1', select: { kind: 'region' } });
  await until('it is synced', () => slow.frames.some(({ type }) => type === 'synced'));
  slow.socket.pause();
  const labels = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`l${i}`, 'x'.repeat(60)]));
  const [connection] = node.hub.subscribers;
  for (let round = 0; connection?.subscriptions[0]?.state.phase === 'live'; round++) {
    await Promise.all(Array.from({ length: 100 }, (_, n) => node.put(`regions/r${n}`, { labels, title: `${round}` })));
  }
  const { items } = await list(node);
  expect(items).toMatchObject([{ subscriptions: [{ phase: 'following', lag: expect.any(Number) }] }]);
  const subscriptions = items[0]?.['subscriptions'] as { lag: number; sentRevision: number }[];
  const { lag, sentRevision } = subscriptions[0] ?? { lag: 0, sentRevision: 0 };
  expect(lag).toBeGreaterThan(0);
  expect(sentRevision + lag).toBe(node.head);
  expect(items[0]?.['queuedBytes']).toBeGreaterThan(64 * 1024);
});

test('SEC1 who watches what is not told to a stranger', async () => {
  const node = await open();
  for (const headers of [{ origin: 'https://evil.example' }, { host: 'evil.example' }]) {
    expect((await node.app.inject({ url: '/v1/subscribers', headers })).statusCode).toBe(403);
    const accept = { accept: 'text/event-stream' };
    expect((await node.app.inject({ url: '/v1/watch', headers: { ...headers, ...accept } })).statusCode).toBe(403);
    expect((await node.app.inject({ url: '/v1/changes?since=0&wait=1s', headers })).statusCode).toBe(403);
  }
  expect((await node.app.inject({ url: '/v1/subscribers', remoteAddress: '10.0.0.7' })).statusCode).toBe(403);
});

test('SEC3 API owners are told who watches what is theirs, and of nothing else', async () => {
  const issuer = await IssuerServer.open();
  leftovers.push(() => issuer.close());
  const log = { warn: () => {}, info: () => {} };
  const tokens = new Tokens([issuer.issuer({ readers: ['staff'] })], {
    log,
    now: () => performance.now(),
    clock: Date.now,
  });
  const node = await open({ access: { development: false, tokens } });
  const bearer = async (claims: JWTPayload): Promise<Record<string, string>> => ({
    authorization: `Bearer ${await issuer.mint(claims)}`,
  });
  const documents = [
    { name: 'regions/us', title: 'US' },
    { name: 'projects/core', title: 'Core' },
    { name: 'projects/core/service-accounts/bot' },
    ...['orders', 'secret'].map((id) => ({
      name: `services/${id}.test`,
      displayName: id,
      apiId: id,
      creator: 'projects/core/service-accounts/bot',
      globalEndpoint: `${id}.test`,
      primaryRegion: 'us',
      public: id === 'orders',
    })),
  ];
  const caller = { kind: 'administrator', subject: 'test' } as const;
  const edits = documents.map((value) => ({ op: 'put', name: value.name, value }) as const);
  const made = await node.registry.execute({ caller, at: Date.now(), edits });
  expect(made).toMatchObject({ ok: true });
  const watch = async (claims: JWTPayload, query: string): Promise<void> => {
    const stream = await EventStream.open(`${node.url}/v1/watch?${query}`, await bearer(claims));
    leftovers.push(() => stream.destroy());
    await stream.next('synced');
  };
  await watch({ sub: 'rita', groups: ['staff'] }, 'kind=instance&services=orders.test,secret.test');
  await watch({ sub: 'rita', groups: ['staff'] }, 'kind=service');
  await watch({ sub: 'root', scope: 'admin' }, 'kind=instance&services=secret.test');
  const seenBy = async (claims: JWTPayload, query = ''): Promise<unknown> => {
    const response = await fetch(`${node.url}/v1/subscribers${query}`, { headers: await bearer(claims) });
    const { items } = (await response.json()) as { items?: { subject: string; subscriptions: { topic: string }[] }[] };
    return items?.map(({ subject, subscriptions }) => [subject, ...subscriptions.map(({ topic }) => topic)]);
  };
  expect(await seenBy({ sub: 'olga', scope: 'orders.admin' })).toEqual([
    ['rita', 'instance?services=orders.test'],
    ['rita', 'service'],
  ]);
  // Rita asked for it, and gets nothing of it.
  expect(await seenBy({ sub: 'sven', scope: 'secret.test/admin' })).toEqual([
    ['root', 'instance?services=secret.test'],
  ]);
  // Nor is it to be found out by asking for it.
  expect(await seenBy({ sub: 'olga', scope: 'orders.admin' }, '?service=secret.test')).toEqual([]);
  expect(await seenBy({ sub: 'olga', scope: 'orders.admin' }, '?service=nosuch.test')).toEqual([]);
  expect(await seenBy({ sub: 'ada', scope: 'admin' })).toEqual([
    ['rita', 'instance?services=orders.test,secret.test'],
    ['rita', 'service'],
    ['root', 'instance?services=secret.test'],
  ]);
  expect(await seenBy({ sub: 'rita', groups: ['staff'] })).toBeUndefined();
});
