import { beforeEach, expect, test } from '@jest/globals';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { sightOf } from '../../src/domain/visibility.ts';
import type { Connection } from '../../src/feed/connection.ts';
import type { Gate, Standing, Transport } from '../../src/feed/peer.ts';
import { HEARTBEAT_SLICES } from '../../src/feed/roster.ts';
import { CLOSE } from '../../src/protocol/close-codes.ts';
import { ListeningSocket } from '../support/listening-socket.ts';
import { LiveNode } from './live-node.ts';

const MINUTE = 60_000;

/** A token's bearer, by what the token is called: `subject/key,key/minutes`. */
function standingOf(token: string): Standing {
  const [subject = '', keys = '', minutes = ''] = token.split('/');
  const expiresAt = Number(minutes) * MINUTE;
  return {
    caller: { kind: 'person', subject, reader: true, owns: { apiIds: [], services: [], groups: [] } },
    sight: sightOf(keys === '' ? [] : keys.split(',')),
    grant: { expiresAt, holds: (at) => at < expiresAt },
  };
}

let node: LiveNode;
let time: number;
let mayWatch: boolean;
const gate: Gate = {
  look: (standing) => (mayWatch ? standing : undefined),
  admit: (token) => Promise.resolve(token.includes('/') ? standingOf(token) : 'it is not a JWT'),
};

beforeEach(async () => {
  node = await LiveNode.bare({ heartbeatMs: 10_000 });
  time = 0;
  mayWatch = true;
  node.clock = () => time;
  await node.put('regions/us');
});

function connect(token: string, transport: Transport = 'websocket'): [ListeningSocket, Connection] {
  const socket = new ListeningSocket();
  const peer = { transport, remoteAddress: '', standing: standingOf(token), gate };
  const connection = node.hub.connect(socket, peer);
  if (connection === undefined) throw new Error('not connected');
  connection.subscribe({ id: '1', select: { kind: '*' } });
  return [socket, connection];
}

function beat(minutes: number): void {
  time = minutes * MINUTE;
  for (let n = 0; n < HEARTBEAT_SLICES; n++) node.hub.heartbeat();
}

async function bring(connection: Connection, token: string): Promise<void> {
  connection.receive(JSON.stringify({ type: 'reauth', token }));
  await nextTurn();
}

test('a client is asked for another token once, a minute before the one that it has expires', () => {
  const [socket] = connect('ada//10');
  beat(8.9);
  expect(socket.of('reauth')).toEqual([]);
  beat(9);
  beat(9.5);
  expect(socket.of('reauth')).toEqual([{ type: 'reauth', expiresIn: MINUTE }]);
});

test('without another token the socket is closed with 4004', () => {
  const [socket] = connect('ada//10');
  beat(9.5);
  expect(socket.closed).toBeUndefined();
  beat(10);
  expect(socket.closed).toBe(CLOSE.tokenEnded);
});

test.each<Transport>(['sse', 'poll'])('who cannot answer is not asked (%s)', (transport) => {
  const [socket] = connect('ada//10', transport);
  beat(9.5);
  expect(socket.of('reauth')).toEqual([]);
  beat(10);
  expect(socket.closed).toBe(CLOSE.tokenEnded);
});

test('with another token it goes on where it is, and is asked again before that one expires', async () => {
  const [socket, connection] = connect('ada/p:red/10');
  beat(9.5);
  await bring(connection, 'ada/p:red/20');
  expect(socket.said.at(-1)).toEqual({ type: 'reauthed' });
  await node.put('regions/eu');
  beat(15);
  beat(19.5);
  expect(socket.closed).toBeUndefined();
  expect(socket.of('reset')).toEqual([]);
  expect(socket.of('change').map(({ revision }) => revision)).toEqual([2]);
  expect(socket.of('reauth').map(({ expiresIn }) => expiresIn)).toEqual([MINUTE / 2, MINUTE / 2]);
});

test.each([
  ['a token of somebody else', 'eve//20', 'of somebody else'],
  ['no token at all', 'nonsense', 'it is not a JWT'],
])('%s is not taken, and a good one still is', async (_what, token, why) => {
  const [socket, connection] = connect('ada//10');
  beat(9.5);
  await bring(connection, token);
  expect(socket.said.at(-1)).toEqual({ type: 'error', code: 'invalid-token', message: expect.stringContaining(why) });
  expect(connection.caller.subject).toBe('ada');
  await bring(connection, 'ada//20');
  beat(10);
  expect([socket.said.at(-1)?.type, socket.closed]).toEqual(['bookmark', undefined]);
  beat(20);
  expect(socket.closed).toBe(CLOSE.tokenEnded);
});

test('a token that is refused changes nothing about when the socket ends', async () => {
  const [socket, connection] = connect('ada//10');
  await bring(connection, 'eve//20');
  beat(10);
  expect(socket.closed).toBe(CLOSE.tokenEnded);
});

test('SEC3: with a token that sees other things every subscription starts over', async () => {
  await node.put('projects/red', { title: 'Red' });
  await node.put('projects/red/service-accounts/bot');
  const names = (socket: ListeningSocket): unknown[] =>
    ((socket.of('snapshot').at(-1)?.items ?? []) as { name: string }[]).map(({ name }) => name);
  const [socket, connection] = connect('ada//10');
  connection.subscribe({ id: '2', select: { kind: 'serviceAccount' } });
  expect(names(socket)).toEqual([]);
  await bring(connection, 'ada/p:red/20');
  expect(socket.of('reset').map(({ topic, reason }) => `${topic} ${reason}`)).toEqual([
    '* access',
    'serviceAccount access',
  ]);
  expect(names(socket)).toEqual(['projects/red/service-accounts/bot']);
  expect(socket.said.at(-1)).toEqual({ type: 'reauthed' });
  await bring(connection, 'ada//30');
  expect(names(socket)).toEqual([]);
});

test('who may not watch any more is not kept by a good token', async () => {
  const [socket, connection] = connect('ada//10');
  mayWatch = false;
  await bring(connection, 'ada//20');
  expect([socket.closed, socket.of('reauthed')]).toEqual([CLOSE.accessEnded, []]);
});
