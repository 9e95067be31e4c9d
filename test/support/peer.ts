import { EVERYTHING } from '../../src/domain/visibility.ts';
import type { Peer, Standing, Transport } from '../../src/feed/peer.ts';

/** An administrator on this machine. */
export function testPeer(transport: Transport = 'websocket'): Peer {
  const standing: Standing = { caller: { kind: 'administrator', subject: 'test' }, sight: EVERYTHING };
  const gate = { look: (now: Standing) => now, admit: () => Promise.resolve('no tokens are known here') };
  return { transport, remoteAddress: '127.0.0.1', standing, gate };
}
