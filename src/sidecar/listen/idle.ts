import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';

export interface IdleTimes {
  /** Milliseconds until the first request has to be there. */
  readonly firstMs: number;
  /** Milliseconds that a connection is kept after its last request has ended. */
  readonly idleMs: number;
}

/** So long has a client to end a connection as well. */
const LEAVE_MS = 1000;

/**
 * Ends an HTTP/2 connection that nothing is asked over, as Node does by itself with HTTP/1.1. Requests count, not frames: pings keep
 * none. A request that is on its way meanwhile is not taken, and its caller is told so by the GOAWAY: it repeats it elsewhere.
 */
export function endWhenIdle(
  session: Pick<ServerHttp2Session, 'on' | 'once' | 'close'>,
  socket: Duplex,
  { firstMs, idleMs }: IdleTimes,
): void {
  let open = 0;
  const end = (): void => {
    session.close();
    giveUpSoon(socket);
  };
  let timer = setTimeout(end, firstMs);
  session.on('stream', (stream: Pick<ServerHttp2Stream, 'once'>) => {
    open += 1;
    clearTimeout(timer);
    stream.once('close', () => {
      open -= 1;
      if (open === 0 && !socket.destroyed) timer = setTimeout(end, idleMs);
    });
  });
  socket.once('close', () => clearTimeout(timer));
}

/** For a client that was told that its connection ends: it may have vanished, or not want to. */
export function giveUpSoon(socket: Duplex): void {
  const timer = setTimeout(() => socket.destroy(), LEAVE_MS);
  socket.once('close', () => clearTimeout(timer));
}
