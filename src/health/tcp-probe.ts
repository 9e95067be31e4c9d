import { connect } from 'node:net';
import type { TcpCheck } from '../domain/instances/check.ts';
import { pinned, type Aim, type Attempt } from './probe-attempt.ts';
import { critical, inWords, passing } from './probe-finding.ts';

/** Passes when a connection is accepted; nothing is sent on it. */
export function probeTcp(aim: Aim<TcpCheck>, attempt: Attempt): void {
  const socket = connect(pinned(aim));
  attempt.releaseWith(() => socket.destroy());
  socket.on('error', (error) => {
    attempt.because(error);
    attempt.end(critical(inWords(error)));
  });
  socket.on('connect', () => {
    // A port of this machine that nobody listens on, and that happened to be given to this very socket.
    const self = socket.localPort === socket.remotePort && socket.localAddress === socket.remoteAddress;
    attempt.end(self ? critical('connection refused') : passing('accepted a connection'));
  });
}
