import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { until } from '../acceptance/until.ts';
import { WatchClient } from '../acceptance/watch-client.ts';
import { CLOSE } from '../../src/protocol/close-codes.ts';
import { ListeningSocket } from '../support/listening-socket.ts';
import { testPeer } from '../support/peer.ts';
import { INSTANCE, LiveNode } from './live-node.ts';

let node: LiveNode;
beforeEach(async () => {
  node = await LiveNode.open();
});
afterEach(() => node.close());

test.each([
  ['a type that there is not', { type: 'hello' }],
  ['what is said about it ends inside a character', { type: 'ping', ['é'.repeat(60)]: 1 }],
])('PUSH9 sixteen frames with %s end the connection, and leave nothing of it', async (_what, frame) => {
  const client = await WatchClient.open(node.url);
  await client.sync('1', { kind: 'region' });
  client.send({ type: 'register', id: 'r', instance: INSTANCE });
  const { instance } = await client.next('registered');
  for (let i = 0; i < 16; i++) client.send(frame);
  const { code, reason } = await client.untilClosed();
  expect([code, reason]).toEqual([CLOSE.protocolError, expect.stringMatching(/^16 frames were not of the protocol/)]);
  expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
  expect(reason).not.toContain('\ufffd');
  await until('nothing is left', () => node.hub.connections === 0);
  expect([node.hub.topics, node.hub.subscriptions]).toEqual([0, 0]);
  expect(node.leases.detached.map(({ id }) => id)).toEqual([instance.id]);
});

test('PUSH9 a socket that cannot be closed leaves nothing of its connection either', () => {
  class Broken extends ListeningSocket {
    override close(): void {
      throw new Error('broken');
    }
  }
  const connection = node.hub.connect(new Broken(), testPeer());
  connection?.subscribe({ id: '1', select: { kind: '*' } });
  expect(() => connection?.close(CLOSE.silent, '')).toThrow('broken');
  expect([node.hub.connections, node.hub.topics]).toEqual([0, 0]);
});
