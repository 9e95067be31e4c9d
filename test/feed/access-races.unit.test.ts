import { beforeEach, expect, test } from '@jest/globals';
import { EventEmitter } from 'node:events';
import type { FastifyReply } from 'fastify';
import { sightOf, type Sight } from '../../src/domain/visibility.ts';
import { poll } from '../../src/edge/long-poll.ts';
import type { Connection } from '../../src/feed/connection.ts';
import type { Gate, Standing, Transport } from '../../src/feed/peer.ts';
import { CLOSE } from '../../src/protocol/close-codes.ts';
import { CountedStore } from '../support/counted-store.ts';
import { ListeningSocket } from '../support/listening-socket.ts';
import { turns } from '../support/turns.ts';
import { LiveNode } from './live-node.ts';

const BOT = 'projects/red/service-accounts/bot';

let store: CountedStore;
let node: LiveNode;
/** What everybody sees from the next look on; `undefined` for nothing at all. */
let sight: Sight | undefined;

const caller = {
  kind: 'person',
  subject: 'ada',
  reader: true,
  owns: { apiIds: [], services: [], groups: [] },
} as const;
const gate: Gate = {
  look: (standing) => (sight === undefined ? undefined : { ...standing, sight }),
  admit: () => Promise.resolve('nobody is'),
};

beforeEach(async () => {
  store = new CountedStore();
  node = await LiveNode.bare({ heartbeatMs: 60_000, ringBytes: 1 }, { store });
  sight = sightOf([]);
  await node.put('regions/us');
  await node.put('projects/red', { title: 'Red' });
  await node.put(BOT);
  node.hub.flush();
});

function connect(transport: Transport = 'websocket', standing: Sight = sightOf([])): [ListeningSocket, Connection] {
  const socket = new ListeningSocket();
  const peer = { transport, remoteAddress: '', standing: { caller, sight: standing } satisfies Standing, gate };
  const connection = node.hub.connect(socket, peer);
  if (connection === undefined) throw new Error(`closed with ${socket.closed}`);
  return [socket, connection];
}

/** The accounts say something else of everybody, and the feed has not told of it yet. */
async function become(next: Sight | undefined): Promise<void> {
  await node.put(BOT, { clientId: `bot-${node.head}` });
  sight = next;
}

const types = (socket: ListeningSocket): string[] => socket.said.map(({ type }) => type);
const nothingLeft = (): unknown => [node.hub.connections, node.hub.topics, node.hub.subscriptions];

test('SEC3 who is nobody any more when the connection is made is not let in', async () => {
  await become(undefined);
  const socket = new ListeningSocket();
  const standing = { caller, sight: sightOf(['p:red']) };
  expect(node.hub.connect(socket, { transport: 'sse', remoteAddress: '', standing, gate })).toBeUndefined();
  expect([types(socket), socket.closed]).toEqual([[], CLOSE.accessEnded]);
  expect(nothingLeft()).toEqual([0, 0, 0]);
});

test('SEC3 who has become somebody else before the connection was made is told what that one sees', async () => {
  await become(sightOf([]));
  // Whoever was there has been looked at already.
  node.hub.flush();
  const [socket, connection] = connect('websocket', sightOf(['p:red']));
  connection.subscribe({ id: '1', select: { kind: 'serviceAccount' } });
  expect(socket.of('snapshot').map(({ items }) => items)).toEqual([[]]);
  await become(sightOf([]));
  node.hub.flush();
  expect(types(socket)).toEqual(['welcome', 'subscribed', 'snapshot', 'synced']);
});

test('PUSH3 SEC3 a poll of who has become somebody else since it was let in starts over', async () => {
  await become(sightOf([]));
  node.hub.flush();
  const standing = { caller, sight: sightOf(['p:red']) };
  const peer = { transport: 'poll', remoteAddress: '', standing, gate } as const;
  const reply = { raw: new EventEmitter() } as unknown as FastifyReply;
  const since = { epoch: 'e1', revision: node.head };
  const polled = await poll(node.hub, { select: { kind: '*' }, since, waitMs: 50, peer, reply });
  expect(polled).toEqual({ kind: 'startOver', reason: 'access' });
  expect(nothingLeft()).toEqual([0, 0, 0]);
});

test.each([
  ['subscribes', (one: Connection) => one.receive('{"type":"subscribe","id":"1","select":{"kind":"*"}}')],
  ['follows', (one: Connection) => one.follow({ kind: '*' }, { epoch: 'e1', revision: 3 })],
])('PUSH9 SEC3 who %s when the news is that he is nobody any more leaves nothing behind', async (_what, ask) => {
  const [socket, connection] = connect();
  await become(undefined);
  ask(connection);
  expect([types(socket), socket.closed]).toEqual([['welcome'], CLOSE.accessEnded]);
  expect(nothingLeft()).toEqual([0, 0, 0]);
});

const RESYNC = '{"type":"resync","id":"1","revision":0,"digest":"0000000000000000"}';

test('PUSH9 SEC3 who resyncs when the news is that he is nobody any more is not put back among the living', async () => {
  const [socket, connection] = connect();
  connection.subscribe({ id: '1', select: { kind: 'region' } });
  const [subscription] = connection.subscriptions;
  await become(undefined);
  connection.receive(RESYNC);
  expect(socket.closed).toBe(CLOSE.accessEnded);
  expect([subscription?.state.phase, subscription?.group.live.size]).toEqual(['closed', 0]);
  expect(nothingLeft()).toEqual([0, 0, 0]);
});

test('SEC3 PUSH2 who resyncs when the news is that he sees other things is sent one snapshot, of those', async () => {
  const [socket, connection] = connect();
  connection.subscribe({ id: '1', select: { kind: 'serviceAccount' } });
  const before = socket.frames.length;
  await become(sightOf(['p:red']));
  connection.receive(RESYNC);
  expect(socket.of('reset').at(-1)).toMatchObject({ reason: 'access' });
  const later = socket.said.slice(before);
  const snapshots = later.filter((frame) => frame.type === 'snapshot');
  expect(snapshots.map(({ items }) => (items as { name: string }[]).map(({ name }) => name))).toEqual([[BOT]]);
  expect(later.filter(({ type }) => type === 'synced')).toHaveLength(1);
  await node.put(BOT, { clientId: 'again' });
  node.hub.flush();
  expect(socket.of('change')).toHaveLength(1);
});

test.each([
  ['ends', false],
  ['fails', 'unavailable'],
] as const)(
  'PUSH1 PUSH2 SEC3 a read of the log that %s beside an access change adds nothing to the snapshot',
  async (_how, failing) => {
    sight = sightOf(['p:red']);
    const [socket, connection] = connect('websocket', sight);
    let open = (): void => undefined;
    store.gate = new Promise((resolve) => (open = resolve));
    connection.subscribe({ id: '1', select: { kind: '*' }, since: { epoch: 'e1', revision: 1 } });
    expect(connection.subscriptions[0]?.state.phase).toBe('reading');
    await become(sightOf([]));
    store.failing = failing;
    open();
    store.gate = undefined;
    await turns();
    expect(types(socket)).toEqual(['welcome', 'subscribed', 'reset', 'snapshot', 'synced']);
    expect(socket.of('reset')).toMatchObject([{ reason: 'access' }]);
  },
);

test('PUSH3 SEC3 who is to read the log when the news is that he sees other things does not wait for that read', async () => {
  sight = sightOf(['p:red']);
  const socket = new ListeningSocket();
  const peer = { transport: 'sse', remoteAddress: '', standing: { caller, sight }, gate } as const;
  const connection = node.hub.connect(socket, peer);
  connection?.subscribe({ id: '1', select: { kind: '*' } });
  socket.queued = 1e9;
  for (let i = 0; i < 3; i++) {
    await node.put(`regions/r${i}`);
    node.hub.flush();
  }
  expect(connection?.subscriptions[0]?.state).toMatchObject({ phase: 'following', sent: 3 });
  await become(sightOf([]));
  // All of it fits but what comes after the reset.
  socket.queued = 0;
  const { send } = socket;
  socket.send = (frame) => {
    send.call(socket, frame);
    if (frame.text.startsWith('{"type":"synced"')) socket.queued = 1e9;
  };
  connection?.drained();
  await turns();
  socket.send = send;
  socket.queued = 0;
  connection?.drained();
  await turns();
  await node.put('regions/last');
  node.hub.flush();
  expect(types(socket).slice(-4)).toEqual(['reset', 'snapshot', 'synced', 'change']);
  expect(connection?.subscriptions[0]?.state.phase).toBe('live');
});
