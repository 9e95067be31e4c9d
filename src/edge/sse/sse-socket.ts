import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { typeOf, type Frame } from '../../feed/frame.ts';
import type { WatchSocket } from '../../feed/socket.ts';
import { CLOSE } from '../../protocol/close-codes.ts';

/** How long a stream may take, after its last event, to be read to its end, in milliseconds. */
const END_TIMEOUT_MS = 2000;

/**
 * The feed's socket as a stream of server-sent events. An event's bytes, with the framing of its HTTP chunk, are made once
 * and written as they are to every stream; so they go past the response, which would frame them again for each.
 */
export class SseSocket implements WatchSocket {
  readonly #response: ServerResponse;
  readonly #raw: Socket;
  readonly #epoch: () => string;
  /** False for HTTP/1.0, which knows no chunks; many a proxy still speaks it. */
  readonly #chunked: boolean;
  readonly #bytesBefore: number;
  #onDrain: (() => void) | undefined;
  #ended = false;

  /** The response's head has been written, and the connection is its own. */
  constructor(response: ServerResponse, raw: Socket, epoch: () => string) {
    this.#response = response;
    this.#raw = raw;
    this.#epoch = epoch;
    this.#chunked = response.chunkedEncoding;
    this.#bytesBefore = raw.bytesWritten;
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
    return this.#raw.bytesWritten - this.#bytesBefore - this.queued;
  }

  send(frame: Frame): void {
    if (this.#ended) return;
    this.#write((frame.sse ??= chunkOf(eventOf(frame, this.#epoch()))));
  }

  ping(): void {
    if (!this.#ended) this.#write(PING);
  }

  close(code: number, reason: string): void {
    if (this.#ended) return;
    this.stop();
    // Who does not read would not read this either.
    if (code === CLOSE.tooSlow) return void this.#raw.destroy();
    this.#write(chunkOf(`${retryOf(reason)}event: close\ndata: ${JSON.stringify({ code, reason })}\n\n`));
    this.#response.end();
    setTimeout(() => {
      // What comes next on the connection is not this stream's.
      if (!this.#response.writableFinished) this.#raw.destroy();
    }, END_TIMEOUT_MS).unref();
  }

  /** Nothing is written from here on: the peer has gone. */
  stop(): void {
    this.#ended = true;
    if (this.#onDrain !== undefined) this.#raw.off('drain', this.#onDrain);
  }

  #write(chunk: Buffer): void {
    this.#raw.write(this.#chunked ? chunk : chunk.subarray(chunk.indexOf(CRLF) + CRLF.length, -CRLF.length));
  }
}

const CRLF = '\r\n';

/** A chunk of HTTP/1.1 (RFC 9112, section 7.1). */
function chunkOf(text: string): Buffer {
  const length = Buffer.byteLength(text);
  return Buffer.from(`${length.toString(16)}${CRLF}${text}${CRLF}`);
}

/** A comment, which clients pass over. */
const PING = chunkOf(':\n\n');

/**
 * The id of a reset. A client comes back with the last id that it saw, and after a reset it has nothing to go on from; nor
 * is it to fall back on the position in its parameters, as it would with an id that is empty.
 */
export const RESET_ID = 'reset:0';

/** An id of a position only where everything up to it has been written. */
function eventOf(frame: Frame, epoch: string): string {
  const type = typeOf(frame);
  const id = type === 'reset' ? RESET_ID : frame.upTo === undefined ? undefined : `${epoch}:${frame.upTo}`;
  return `event: ${type}\n${id === undefined ? '' : `id: ${id}\n`}data: ${frame.text}\n\n`;
}

function retryOf(reason: string): string {
  const ms = /^\{"retryAfterMs":([0-9]+)\}$/.exec(reason)?.[1];
  return ms === undefined ? '' : `retry: ${ms}\n`;
}
