import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { connect } from 'node:net';
import { WebSocket } from 'ws';
import { Tokens } from '../../src/auth/tokens.ts';
import { CLOSE } from '../../src/protocol/close-codes.ts';
import type { ServerFrame } from '../../src/protocol/frames.ts';
import { PROTOCOL } from '../../src/protocol/version.ts';
import { until } from '../acceptance/until.ts';
import { watchUrl } from '../acceptance/watch-client.ts';
import { IssuerServer } from '../auth/issuer-server.ts';
import { EventStream } from './event-stream.ts';
import { INSTANCE, LiveNode } from './live-node.ts';

const BOT = 'projects/red/service-accounts/bot';

let issuer: IssuerServer;
let node: LiveNode;
const open: { end(): void }[] = [];

beforeEach(async () => {
  issuer = await IssuerServer.open();
  const log = { warn: () => {}, info: () => {} };
  const tokens = new Tokens([issuer.issuer({ readers: ['staff'] })], {
    log,
    now: () => performance.now(),
    clock: Date.now,
  });
  // Nothing of the past is in memory.
  node = await LiveNode.open({ access: { development: false, tokens }, limits: { ringBytes: 1 } });
  await node.put('regions/us');
  await node.put('projects/red', { title: 'Red' });
  await node.put('projects/red/service-accounts/creator');
  await node.put(BOT, { clientId: 'bot' });
  await node.put('services/orders.example.com', {
    displayName: 'Orders',
    creator: 'projects/red/service-accounts/creator',
    globalEndpoint: 'orders.example.com',
    primaryRegion: 'us',
    owners: ['team'],
  });
});
afterEach(async () => {
  for (const one of open.splice(0)) one.end();
  await node.close();
  await issuer.close();
});

const asBot = (more: object = {}): Promise<string> => issuer.mint({ sub: 'bot', client_id: 'bot', ...more });
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

class Client {
  readonly frames: ServerFrame[] = [];
  readonly ws: WebSocket;
  closed: number | undefined;

  constructor(token: string) {
    this.ws = new WebSocket(watchUrl(node.url), PROTOCOL, { headers: bearer(token) });
    this.ws.on('message', (data: Buffer) => this.frames.push(JSON.parse(data.toString()) as ServerFrame));
    this.ws.on('close', (code) => (this.closed = code));
    open.push({ end: () => this.ws.terminate() });
  }

  send(frame: object): void {
    this.ws.send(JSON.stringify(frame));
  }

  async last<T extends ServerFrame['type']>(type: T, count = 1): Promise<Extract<ServerFrame, { type: T }>> {
    return until(`${count} ${type}`, () => {
      const found = this.frames.filter((frame) => frame.type === type);
      return found.length >= count ? (found.at(-1) as Extract<ServerFrame, { type: T }>) : undefined;
    });
  }
}

/** Subscribed to everything, and synced. */
async function watch(token: string): Promise<Client> {
  const client = new Client(token);
  await once(client.ws, 'open');
  client.send({ type: 'subscribe', id: '1', select: { kind: '*' } });
  await client.last('synced');
  return client;
}

const namesIn = (frame: { items: readonly unknown[] }): string[] =>
  (frame.items as { name: string }[]).map(({ name }) => name);

test('SEC3: a service account that is deleted is told no more, over every transport, and may come back when it is again', async () => {
  const token = await asBot();
  const client = await watch(token);
  const stream = await EventStream.open(`${node.url}/v1/watch`, bearer(token));
  open.push({ end: () => stream.destroy() });
  await stream.next('synced');
  const poll = fetch(`${node.url}/v1/changes?since=${node.head}&wait=1m`, { headers: bearer(token) });
  await until('the poll waits', () => node.hub.connections === 3);
  await node.delete(BOT);
  await until('the end', () => client.closed);
  expect(client.closed).toBe(CLOSE.accessEnded);
  await until('the end of the stream', () => stream.events.at(-1)?.event === 'close');
  expect(JSON.parse(stream.events.at(-1)?.data ?? '')).toMatchObject({ code: CLOSE.accessEnded });
  expect((await poll).status).toBe(403);
  expect(client.frames.filter(({ type }) => type === 'change')).toEqual([]);
  await node.put(BOT, { clientId: 'bot' });
  const again = await watch(token);
  expect(namesIn(await again.last('snapshot'))).toContain(BOT);
});

test('SEC3: a stream that waits behind a poll on its connection does not begin once its account is deleted', async () => {
  const token = await asBot();
  const socket = connect(Number(new URL(node.url).port), '127.0.0.1');
  open.push({ end: () => socket.destroy() });
  let answer = '';
  socket.on('data', (data: Buffer) => (answer += data.toString()));
  const one = (path: string, more = ''): string =>
    `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n${more}\r\n`;
  socket.write(one(`/v1/changes?since=${node.head}&wait=5m`) + one('/v1/watch', 'Accept: text/event-stream\r\n'));
  await until('the poll waits', () => node.hub.connections === 1);
  await node.delete(BOT);
  await until('both are answered', () => answer.includes('event: close'));
  expect([...answer.matchAll(/HTTP\/1.1 ([0-9]+)/g)].map(([, status]) => status)).toEqual(['403', '200']);
  expect([...answer.matchAll(/event: ([a-z]+)/g)].map(([, type]) => type)).toEqual(['close']);
  expect(answer).toContain(`"code":${CLOSE.accessEnded}`);
  expect([node.hub.connections, node.hub.topics]).toEqual([0, 0]);
});

test.each(['/v1/watch', '/v1/changes?since=0&wait=1m', '/v1/regions'])(
  'SEC3: who waits for the very revision at which the account is deleted is told nothing (%s)',
  async (path) => {
    const min = { 'x-signalbox-min-revision': `${node.head + 1}`, accept: 'text/event-stream, application/json' };
    const { waiting } = countWaits();
    const answer = fetch(`${node.url}${path}`, { headers: { ...bearer(await asBot()), ...min } });
    await until('it waits', () => waiting() === 1);
    await node.delete(BOT);
    const { status } = await answer;
    expect([status, node.hub.connections, node.hub.topics]).toEqual([403, 0, 0]);
  },
);

test('SEC3: what is read from the log while the account is deleted is not told, nor as whom it was read when it sees less', async () => {
  const [some, all] = await Promise.all([asBot(), asBot({ groups: ['staff'] })]);
  let read = (): void => undefined;
  const { changesSince } = node.store;
  const held = new Promise<void>((resolve) => (read = resolve));
  let asked = 0;
  node.store.changesSince = async (...args) => {
    asked += 1;
    await held;
    return changesSince.apply(node.store, args);
  };
  const answers = [some, all].map((token, i) => fetch(`${node.url}/v1/changes?since=${i}`, { headers: bearer(token) }));
  await until('both read', () => asked === 2);
  await node.delete(BOT);
  read();
  const [none, less] = await Promise.all(answers);
  expect([none?.status, less?.status]).toEqual([403, 410]);
  expect(await less?.json()).toMatchObject({ reason: 'access', head: { revision: node.head } });
  const told = await fetch(`${node.url}/v1/changes?since=0`, { headers: bearer(all) });
  expect([told.status, (await told.text()).includes(`"key":"${BOT}"`)]).toEqual([200, false]);
});

/** How many wait for a revision. */
function countWaits(): { waiting(): number } {
  let count = 0;
  const waitFor = node.tail.waitFor.bind(node.tail);
  node.tail.waitFor = (...args) => {
    count += 1;
    return waitFor(...args);
  };
  return { waiting: () => count };
}

test('SEC3: what an account had beside its project is left when it is deleted, and it starts over with that', async () => {
  const client = await watch(await asBot({ groups: ['staff'] }));
  expect(namesIn(await client.last('snapshot'))).toContain('services/orders.example.com');
  await node.delete(BOT);
  expect(await client.last('reset')).toMatchObject({ reason: 'access' });
  expect(namesIn(await client.last('snapshot', 2))).toEqual(['regions/us', 'projects/red']);
  await node.put(BOT, { clientId: 'bot' });
  expect(namesIn(await client.last('snapshot', 3))).toContain('services/orders.example.com');
  expect(client.closed).toBeUndefined();
});

test('SEC3: a group that owns nothing any more makes its members nobody, on open sockets too', async () => {
  const token = await issuer.mint({ sub: 'gina', groups: ['team'] });
  const client = await watch(token);
  expect(namesIn(await client.last('snapshot'))).toContain('services/orders.example.com');
  const { value } = node.tail.view.get('services/orders.example.com') ?? {};
  await node.put('services/orders.example.com', { ...value, owners: ['others'] });
  await until('the end', () => client.closed);
  expect(client.closed).toBe(CLOSE.accessEnded);
  expect((await fetch(`${node.url}/v1/regions`, { headers: bearer(token) })).status).toBe(403);
});

test('SEC3: a service that turns private is deleted for who may not see it, and put again when it turns public', async () => {
  const name = 'services/orders.example.com';
  const { value } = node.tail.view.get(name) ?? {};
  const id = await node.register();
  await node.put(name, { ...value, public: true });
  const client = await watch(await issuer.mint({ groups: ['staff'] }));
  await node.put(name, { ...value, public: false });
  const gone = await client.last('change');
  expect(gone.changes.map(({ op, key }) => `${op} ${key}`)).toEqual([`delete ${name}`, `delete instances/${id}`]);
  const revision = await node.put(name, { ...value, public: true });
  const back = await client.last('change', 2);
  expect(back.changes.map(({ op, key }) => `${op} ${key}`)).toEqual([`put ${name}`, `put instances/${id}`]);
  expect([back.revision, back.changes[1]?.revision]).toEqual([revision, revision]);
});

test('what was registered over a socket keeps its lease when another token is brought', async () => {
  const client = await watch(await issuer.mint({ sub: 'bot', client_id: 'bot' }, { expiresIn: 30 }));
  expect(await client.last('reauth')).toMatchObject({ expiresIn: expect.any(Number) });
  client.send({ type: 'register', id: 'r', instance: INSTANCE });
  const { instance } = await client.last('registered');
  client.send({ type: 'reauth', token: await asBot({ jti: 'another' }) });
  await client.last('reauthed');
  expect([...node.leases.attached.keys()]).toEqual([instance.id]);
  expect(node.leases.detached).toEqual([]);
  client.send({ type: 'renew', id: 'n' });
  expect(await client.last('renewed')).toMatchObject({ renewed: 1, unknown: [] });
  expect(client.frames.some(({ type }) => type === 'reset')).toBe(false);
  client.send({ type: 'deregister', id: 'd', instance: instance.id });
  await client.last('deregistered');
});

test('a token that sees less registers less, and keeps no leases but its own', async () => {
  const client = await watch(await asBot({ groups: ['staff'] }));
  client.send({ type: 'register', id: 'r', instance: INSTANCE });
  const { instance } = await client.last('registered');
  // The same subject, and not the client that the account is.
  client.send({ type: 'reauth', token: await issuer.mint({ sub: 'bot', groups: ['staff'] }) });
  await client.last('reauthed');
  expect(namesIn(await client.last('snapshot', 2))).toEqual(['regions/us', 'projects/red']);
  expect([node.leases.attached.size, node.leases.detached.map(({ id }) => id)]).toEqual([0, [instance.id]]);
  client.send({ type: 'renew', id: 'n', instances: [instance.id] });
  expect(await client.last('renewed')).toMatchObject({ renewed: 0, unknown: [instance.id] });
  client.send({ type: 'register', id: 'again', instance: INSTANCE });
  expect(await client.last('error')).toMatchObject({ id: 'again', code: 'forbidden' });
});

test('who is no owner of a service any more keeps none of its leases, though the socket goes on', async () => {
  const client = await watch(await issuer.mint({ sub: 'mo', groups: ['team'], scope: 'payments.example.com/admin' }));
  client.send({ type: 'register', id: 'r', instance: INSTANCE });
  const { instance } = await client.last('registered');
  const { value } = node.tail.view.get('services/orders.example.com') ?? {};
  await node.put('services/orders.example.com', { ...value, owners: ['others'] });
  await until('the lease is on its own', () => node.leases.detached.some(({ id }) => id === instance.id));
  expect([node.leases.attached.size, client.closed]).toEqual([0, undefined]);
});
