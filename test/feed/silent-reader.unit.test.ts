import { beforeEach, expect, test } from '@jest/globals';
import type { Frame } from '../../src/feed/frame.ts';
import type { Transport } from '../../src/feed/peer.ts';
import { HEARTBEAT_SLICES } from '../../src/feed/roster.ts';
import { CLOSE } from '../../src/protocol/close-codes.ts';
import { ListeningSocket } from '../support/listening-socket.ts';
import { testPeer } from '../support/peer.ts';
import { LiveNode } from './live-node.ts';

const MAX_QUEUED = 1000;
const HEARTBEAT_MS = 100;
const STALL_MS = 5 * HEARTBEAT_MS;

/** What nobody reads stays. */
class UnreadSocket extends ListeningSocket {
  override send(frame: Frame): void {
    super.send(frame);
    if (this.closed === undefined) this.queued += frame.text.length;
  }

  override ping(): void {
    this.queued += 5;
  }
}

let node: LiveNode;
let time: number;

beforeEach(async () => {
  time = 0;
  const limits = { heartbeatMs: HEARTBEAT_MS, stallTimeoutMs: STALL_MS, maxQueuedBytes: MAX_QUEUED };
  node = await LiveNode.bare(limits, { now: () => time });
});

/** So many heartbeats, in which nothing else happens. */
function beat(count: number, meanwhile: () => void = () => undefined): void {
  for (let n = 0; n < count * HEARTBEAT_SLICES; n++) {
    time += HEARTBEAT_MS / HEARTBEAT_SLICES;
    meanwhile();
    node.hub.heartbeat();
  }
}

test.each<Transport>(['sse', 'websocket'])(
  'PUSH9 who reads nothing is cut off though nothing changes (%s)',
  (transport) => {
    const socket = new UnreadSocket();
    const connection = node.hub.connect(socket, testPeer(transport));
    connection?.subscribe({ id: '1', select: { kind: '*' } });
    // It goes on talking, so that it is not silent.
    beat(100, () => connection?.heard());
    expect(socket.closed).toBe(CLOSE.tooSlow);
    const most = Math.max(...socket.frames.map(({ text }) => text.length));
    expect(socket.queued).toBeLessThanOrEqual(MAX_QUEUED + most + 5);
    expect([node.hub.connections, node.hub.topics]).toEqual([0, 0]);
  },
);

test('PUSH9 who reads again before its time is over goes on, and is written nothing until then', () => {
  const socket = new UnreadSocket();
  const connection = node.hub.connect(socket, testPeer('sse'));
  connection?.subscribe({ id: '1', select: { kind: '*' } });
  let most = 0;
  beat(100, () => {
    most = Math.max(most, socket.queued);
    if (time % (16 * HEARTBEAT_MS) !== 0) return;
    socket.queued = 0;
    connection?.drained();
  });
  expect(socket.closed).toBeUndefined();
  expect(connection?.subscriptions[0]?.state.phase).toBe('live');
  expect(most).toBeGreaterThan(MAX_QUEUED);
  expect(most).toBeLessThan(MAX_QUEUED + 200);
  expect(socket.of('bookmark').length).toBeGreaterThan(70);
});
