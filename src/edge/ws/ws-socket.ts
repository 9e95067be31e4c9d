import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Frame } from '../../feed/frame.ts';
import type { WatchSocket } from '../../feed/socket.ts';

/** How long a closing socket may take over its close handshake, in milliseconds, before it is cut. */
const CLOSE_TIMEOUT_MS = 2000;
/** A close frame takes no more, and `ws` throws at more (RFC 6455, section 5.5). */
const MAX_REASON_BYTES = 123;

/**
 * The feed's socket over `ws`. A frame's bytes, header included, are made once and written as they are to every socket:
 * a server's frames are not masked, and compression is off, so nothing of them depends on the connection.
 */
export class WsSocket implements WatchSocket {
  readonly #ws: WebSocket;
  readonly #raw: Socket;
  #onDrain: (() => void) | undefined;

  constructor(ws: WebSocket) {
    this.#ws = ws;
    this.#raw = rawSocket(ws);
  }

  /** What to call when the queue has emptied after a write that did not fit. */
  set onDrain(listener: () => void) {
    this.#onDrain = listener;
    this.#raw.on('drain', listener);
  }

  get queued(): number {
    return this.#raw.writableLength;
  }

  get bytesSent(): number {
    return this.#raw.bytesWritten - this.queued;
  }

  send(frame: Frame): void {
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    this.#raw.write((frame.wire ??= encode(frame.text)));
  }

  /** What is sent meanwhile goes to the operating system in one piece. */
  together(send: () => void): void {
    this.#raw.cork();
    try {
      send();
    } finally {
      this.#raw.uncork();
    }
  }

  ping(): void {
    if (this.#ws.readyState === this.#ws.OPEN) this.#raw.write(PING);
  }

  close(code: number, reason: string): void {
    if (this.#onDrain !== undefined) this.#raw.off('drain', this.#onDrain);
    this.#ws.close(code, cut(reason));
    setTimeout(() => this.#ws.terminate(), CLOSE_TIMEOUT_MS).unref();
  }
}

/** As much of it as fits, in whole characters. */
function cut(reason: string): Buffer {
  const bytes = Buffer.alloc(MAX_REASON_BYTES);
  return bytes.subarray(0, new TextEncoder().encodeInto(reason, bytes).written);
}

/** The `net.Socket` under a WebSocket of `ws`, which has no public name for it. */
export function rawSocket(ws: WebSocket): Socket {
  const raw = (ws as unknown as { _socket?: Socket })._socket;
  if (raw === undefined) throw new Error('the WebSocket is not open');
  return raw;
}

const FIN = 0x80;
const TEXT = 0x1;
const PING = Buffer.from([FIN | 0x9, 0]);

/** A whole text message in one unmasked frame (RFC 6455, section 5.2). */
export function encode(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const header = length < 126 ? 2 : length < 65536 ? 4 : 10;
  const bytes = Buffer.allocUnsafeSlow(header + length);
  bytes[0] = FIN | TEXT;
  if (header === 2) {
    bytes[1] = length;
  } else if (header === 4) {
    bytes[1] = 126;
    bytes.writeUInt16BE(length, 2);
  } else {
    bytes[1] = 127;
    bytes.writeBigUInt64BE(BigInt(length), 2);
  }
  bytes.write(text, header);
  return bytes;
}
