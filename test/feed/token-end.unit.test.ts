import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { Tokens } from '../../src/auth/tokens.ts';
import { CLOSE } from '../../src/protocol/close-codes.ts';
import { PROTOCOL } from '../../src/protocol/version.ts';
import { until } from '../acceptance/until.ts';
import { IssuerServer } from '../auth/issuer-server.ts';
import { EventStream } from './event-stream.ts';
import { INSTANCE, LiveNode } from './live-node.ts';
import { instanceName } from '../../src/domain/names.ts';

let issuer: IssuerServer;
let tokens: Tokens;
let node: LiveNode;
beforeEach(async () => {
  issuer = await IssuerServer.open();
  const log = { warn: () => {}, info: () => {} };
  tokens = new Tokens([issuer.issuer({ readers: '*' })], { log, now: () => performance.now(), clock: Date.now });
  node = await LiveNode.open({ access: { development: false, tokens } });
  await node.put('regions/us');
});
afterEach(async () => {
  await node.close();
  await issuer.close();
});

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

async function connect(token: string): Promise<{ socket: WebSocket; frames: { type: string; code?: string }[] }> {
  const headers = bearer(token);
  const socket = new WebSocket(`${node.url.replace('http', 'ws')}/v1/watch`, PROTOCOL, { headers });
  const frames: { type: string }[] = [];
  socket.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString()) as { type: string }));
  await once(socket, 'open');
  return { socket, frames };
}

/** Tokens are good for ten seconds longer than they say, for clocks that differ. */
const goodFor = (seconds: number): Promise<string> => issuer.mint({}, { expiresIn: seconds - 10 });

test('SEC1 a socket is let in by its header, and by nothing else', async () => {
  const url = `${node.url.replace('http', 'ws')}/v1/watch`;
  for (const [address, headers, status] of [
    [url, {}, 401],
    [url, bearer('a.b.c'), 401],
    [`${url}?access_token=${await issuer.mint()}`, {}, 400],
  ] as const) {
    const socket = new WebSocket(address, PROTOCOL, { headers });
    const [, response] = (await once(socket, 'unexpected-response')) as [
      unknown,
      { statusCode: number; resume(): void },
    ];
    response.resume();
    expect(response.statusCode).toBe(status);
    socket.on('error', () => {});
    socket.terminate();
  }
  const { socket, frames } = await connect(await issuer.mint());
  await until('a welcome', () => frames.length > 0);
  socket.terminate();
});

test('a socket ends when its token does, and may come back with another', async () => {
  const { socket } = await connect(await goodFor(2));
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  expect([code, reason.toString()]).toEqual([
    CLOSE.tokenEnded,
    expect.stringContaining('connect again with a new one'),
  ]);
  const { socket: again } = await connect(await issuer.mint());
  again.terminate();
});

test('a stream ends when its token does, with the code as its last event', async () => {
  const stream = await EventStream.open(`${node.url}/v1/watch`, bearer(await goodFor(2)));
  await until('the end', () => stream.events.at(-1)?.event === 'close');
  expect(JSON.parse(stream.events.at(-1)?.data ?? '')).toMatchObject({ code: CLOSE.tokenEnded });
});

test('a waiting poll ends when its token does', async () => {
  const headers = bearer(await goodFor(2));
  const response = await fetch(`${node.url}/v1/changes?since=${node.head}&wait=30s`, { headers });
  expect([response.status, response.headers.get('www-authenticate')]).toEqual([
    401,
    expect.stringContaining('invalid_token'),
  ]);
});

test('a withdrawn key ends the sockets that were opened with it', async () => {
  await issuer.addKey('k2');
  const { socket } = await connect(await issuer.mint());
  const other = await connect(await issuer.mint({}, { kid: 'k2' }));
  issuer.published = ['k2'];
  await tokens.refresh();
  expect((await once(socket, 'close'))[0]).toBe(CLOSE.tokenEnded);
  expect(other.socket.readyState).toBe(WebSocket.OPEN);
  other.socket.terminate();
});

test('SEC1 registrations over a socket are decided one by one', async () => {
  const { socket, frames } = await connect(await issuer.mint({ scope: 'orders.example.com/admin' }));
  const register = (id: string, more: object): void =>
    socket.send(JSON.stringify({ type: 'register', id, instance: { ...INSTANCE, ...more } }));
  register('mine', {});
  register('other', { service: 'shop.example.com' });
  const foreign = await node.register({ service: 'shop.example.com', port: 81 });
  socket.send(JSON.stringify({ type: 'deregister', id: 'gone', instance: foreign }));
  socket.send(JSON.stringify({ type: 'renew', id: 'alive', instances: [foreign] }));
  await until('four answers', () => frames.length >= 5);
  expect(frames.slice(1)).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ type: 'registered', id: 'mine' }),
      expect.objectContaining({ type: 'error', id: 'other', code: 'forbidden' }),
      // It is not in the catalog, so it is not there for others; what is not there is gone already.
      expect.objectContaining({ type: 'deregistered', id: 'gone' }),
      expect.objectContaining({ type: 'renewed', id: 'alive', renewed: 0, unknown: [foreign] }),
    ]),
  );
  expect(node.tail.view.get(instanceName(foreign))).toBeDefined();
  socket.terminate();
});
