import type { Socket } from 'node:net';

/** What a client of HTTP/2 sends first, which is no request of HTTP/1.1 (RFC 9113, 3.4). */
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

export type Spoken = 'http1' | 'http2';

/** Undefined while the bytes could still become either. */
export function spokenBy(bytes: string): Spoken | undefined {
  if (bytes.length >= PREFACE.length) return bytes.startsWith(PREFACE) ? 'http2' : 'http1';
  return PREFACE.startsWith(bytes) ? undefined : 'http1';
}

/** Calls back with the socket as it was, once it is clear what is spoken; a client that does not say so in time is cut off. */
export function sniff(socket: Socket, timeoutMs: number, then: (spoken: Spoken) => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const timer = setTimeout(() => socket.destroy(), timeoutMs);
  const done = (): void => {
    clearTimeout(timer);
    socket.off('data', onData);
    socket.off('close', done);
    socket.off('error', done);
  };
  const onData = (chunk: Buffer): void => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const spoken = spokenBy(seen.toString('latin1', 0, PREFACE.length));
    if (spoken === undefined) return;
    done();
    socket.pause();
    socket.unshift(seen);
    then(spoken);
  };
  socket.on('data', onData);
  socket.on('close', done);
  socket.on('error', done);
}
