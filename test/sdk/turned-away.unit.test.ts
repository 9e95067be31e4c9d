import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { CLOSE } from '../../src/protocol/close-codes.ts';
import type { Client } from '../../src/sdk/api.ts';
import { connect } from '../../src/sdk/index.ts';
import type { ConnectOptions } from '../../src/sdk/options.ts';
import { until as probe } from '../acceptance/until.ts';
import { INSTANCE, LiveNode } from '../feed/live-node.ts';
import { Peer } from './calling/peers.ts';

/** A client that Signalbox closes with a code after which it is not to come back. */

const until = (condition: () => boolean): Promise<unknown> => probe(String(condition), condition, 5000);

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

interface Opened {
  readonly client: Client;
  /** What it says of itself, as events and in its log. */
  readonly errors: string[];
  readonly logged: string[];
}

function open(options: ConnectOptions): Opened {
  const logged: string[] = [];
  const log = { debug() {}, info() {}, warn() {}, error: (_: object, message: string) => void logged.push(message) };
  const client = connect({ backoff: { baseMs: 10, maxMs: 50 }, log, ...options });
  leftovers.push(() => client.close());
  const errors: string[] = [];
  client.on('error', ({ code, message }) => void errors.push(`${code}: ${message}`));
  return { client, errors, logged };
}

/** A node that knows one instance, which answers. */
async function world(): Promise<{ readonly node: LiveNode; readonly server: Peer }> {
  const server = await Peer.http((_request, response) => response.end('good'));
  leftovers.push(() => server.stop());
  // Nobody is cut off for being slow: all are there when they are turned away.
  const node = await LiveNode.open({ limits: { heartbeatMs: 10_000, stallTimeoutMs: 30_000 } });
  leftovers.push(() => node.close());
  await node.register({ address: '127.0.0.1', port: Number(new URL(server.endpoint.url).port) });
  return { node, server };
}

async function turnAway(node: LiveNode, client: Client, code: number): Promise<void> {
  for (const peer of node.hub.subscribers) peer.close(code, 'it may not watch any more');
  await until(() => client.phase === 'stopped');
}

const ID = INSTANCE.service;
const AWAY = 'it may not watch any more';

test.each([
  ['4500, for frames that are none', CLOSE.protocolError],
  ['4501, for an account that is gone', CLOSE.accessEnded],
])('closed with %s, it goes on calling by the list that it has, and says what has happened', async (_, code) => {
  const { node, server } = await world();
  const { client, errors, logged } = open({ url: node.url });
  const orders = client.service(ID);
  const strict = client.service(ID, { maxAge: 50 });
  const watch = client.watch({ kind: 'region' });
  await Promise.all([orders.ready(), strict.ready(), watch.ready()]);
  expect(watch.error).toBeUndefined();
  await turnAway(node, client, code);
  expect([errors, logged]).toEqual([[`refused: ${AWAY}`], [`Signalbox has turned this client away for good: ${AWAY}`]]);

  expect([orders.state, orders.pick()?.url]).toEqual(['stale', server.endpoint.url]);
  expect(await (await orders.fetch('/')).text()).toBe('good');
  await orders.ready();
  expect(client.service(ID).instances()).toHaveLength(1);
  await until(() => strict.age > 50);
  expect(() => strict.pick()).toThrow(expect.objectContaining({ code: 'stale' }));

  const refused = { code: 'refused', message: AWAY };
  expect([watch.state, watch.snapshot?.size, watch.error]).toMatchObject(['closed', 0, refused]);
  for (const another of [() => client.watch({ kind: 'service' }), () => client.service('payments.example.com')]) {
    expect(another).toThrow(expect.objectContaining({ code: 'stopped', cause: expect.objectContaining(refused) }));
  }
  orders.close();
  expect(() => orders.pick()).toThrow(expect.objectContaining({ code: 'stopped' }));
  await client.close();
  expect(() => strict.pick()).toThrow(expect.objectContaining({ code: 'stopped' }));
});

test('what needs no connection goes on as well: services that are written down, and registrations', async () => {
  const { node, server } = await world();
  const { client } = open({ url: node.url, overrides: { 'payments.example.com': server.endpoint.url } });
  await client.watch({ kind: 'region' }).ready();
  await turnAway(node, client, CLOSE.accessEnded);
  expect(client.service('payments.example.com').pick()?.url).toBe(server.endpoint.url);
  const instance = await client.register({ service: ID, address: '127.0.0.1', port: 8081 });
  expect(instance.state).toBe('registered');
  await client.close();
  expect(instance.state).toBe('gone');
  await expect(client.register({ service: ID, port: 8081 })).rejects.toMatchObject({ code: 'stopped' });
});

test('PUSH7 who never had a list is told why there is none, not that it was closed', async () => {
  const body = JSON.stringify({ type: '/problems/unauthenticated', detail: 'The token has expired.' });
  const head = `HTTP/1.1 401 X\r\ncontent-type: application/problem+json\r\ncontent-length: ${body.length}\r\n\r\n`;
  const locked = createServer().on('upgrade', (_request, socket) => socket.end(head + body));
  locked.listen(0, '127.0.0.1');
  await once(locked, 'listening');
  leftovers.push(() => locked.close());
  const url = `http://127.0.0.1:${(locked.address() as AddressInfo).port}`;
  const { client } = open({ url, auth: { token: 'abc' } });
  const orders = client.service(ID);
  const expected = { code: 'unauthorized', message: expect.stringContaining('The token has expired.'), unsent: true };
  await expect(orders.ready()).rejects.toMatchObject({ code: 'unauthorized' });
  expect(orders.state).toBe('closed');
  expect(() => orders.pick()).toThrow(expect.objectContaining(expected));
  await expect(orders.fetch('/')).rejects.toMatchObject(expected);
  orders.close();
  expect(() => orders.pick()).toThrow(expect.objectContaining({ code: 'stopped' }));
});
