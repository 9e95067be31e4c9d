import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import type { ClientFrame, ServerFrame } from '../protocol/frames.ts';
import { PROTOCOL } from '../protocol/version.ts';
import { silence } from './watch-retry.ts';

/** How a connection came to its end; told once. */
export type End =
  | { readonly kind: 'closed'; readonly code: number; readonly reason: string }
  | { readonly kind: 'silent'; readonly ms: number }
  /** No connection came about. */
  | { readonly kind: 'failed'; readonly error: unknown }
  /** The server answered the upgrade by HTTP instead. */
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly contentType: string;
      readonly body: string;
      readonly retryAfter: string | undefined;
    };

export interface WatchSocketOptions {
  readonly onFrame: (frame: ServerFrame) => void;
  readonly onEnd: (end: End) => void;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** How long the server may take until its first frame. */
  readonly openTimeoutMs: number;
  readonly token?: string | undefined;
}

const MAX_FRAME_BYTES = 64 * 1024 * 1024;
const MAX_ANSWER_BYTES = 64 * 1024;
const CLOSE_TIMEOUT_MS = 500;

/** One connection to the feed: frames out of bytes, and whether the other side is alive. */
export class WatchSocket {
  readonly #ws: WebSocket;
  readonly #options: WatchSocketOptions;
  #ended = false;
  #heardAt: number;
  #tickedAt: number;
  #quietMs: number;
  #asked = false;
  #timer: NodeJS.Timeout;

  constructor(url: string, options: WatchSocketOptions) {
    this.#options = options;
    this.#quietMs = options.openTimeoutMs / 3;
    this.#heardAt = this.#tickedAt = options.now();
    this.#timer = setInterval(() => this.#tick(), this.#quietMs / 2);
    const ws = new WebSocket(url, PROTOCOL, {
      perMessageDeflate: false,
      maxPayload: MAX_FRAME_BYTES,
      ...(options.token !== undefined && { headers: { authorization: `Bearer ${options.token}` } }),
    });
    this.#ws = ws;
    let opened = false;
    ws.on('open', () => {
      opened = true;
    });
    ws.on('message', (data, binary) => {
      this.#heard();
      if (!binary && !this.#ended) this.#receive((data as Buffer).toString());
    });
    ws.on('ping', () => this.#heard());
    ws.on('error', (error) => {
      if (!opened) this.#end({ kind: 'failed', error });
    });
    ws.on('close', (code, reason) => this.#end({ kind: 'closed', code, reason: reason.toString() }));
    ws.on('unexpected-response', (_request, response) => void this.#answered(response));
  }

  send(frame: ClientFrame): void {
    if (this.#ws.readyState === WebSocket.OPEN) this.#ws.send(JSON.stringify(frame));
  }

  /** The server's own measure of silence takes the place of the time to open. */
  expectEvery(heartbeatMs: number): void {
    this.#quietMs = heartbeatMs;
    clearInterval(this.#timer);
    this.#tickedAt = this.#options.now();
    if (!this.#ended) this.#timer = setInterval(() => this.#tick(), heartbeatMs / 2);
  }

  /** Says goodbye and waits, not for long, until the server has heard it. Its end is not told. */
  async close(): Promise<void> {
    this.#finish();
    if (this.#ws.readyState !== WebSocket.OPEN) return this.#ws.terminate();
    this.#ws.close(1000);
    await once(this.#ws, 'close', { signal: AbortSignal.timeout(CLOSE_TIMEOUT_MS) }).catch(() => {});
    this.#ws.terminate();
  }

  #receive(text: string): void {
    const frame = parseServerFrame(text);
    if (frame !== undefined) return this.#options.onFrame(frame);
    this.#ws.terminate();
    this.#end({ kind: 'closed', code: 1002, reason: '' });
  }

  #heard(): void {
    this.#heardAt = this.#options.now();
    this.#asked = false;
  }

  #tick(): void {
    const now = this.#options.now();
    // A tick that is late says that this process stood still (a suspended laptop, a blocked terminal), not the server.
    if (now - this.#tickedAt > this.#quietMs * 1.5) this.#heardAt = now;
    this.#tickedAt = now;
    const quiet = now - this.#heardAt;
    const verdict = silence(quiet, this.#quietMs);
    if (verdict === 'ask' && !this.#asked) {
      this.#asked = true;
      this.send({ type: 'ping' });
    } else if (verdict === 'dead') {
      this.#ws.terminate();
      this.#end({ kind: 'silent', ms: quiet });
    }
  }

  async #answered(response: IncomingMessage): Promise<void> {
    let body = '';
    try {
      for await (const chunk of response.setEncoding('utf8')) {
        body += String(chunk);
        if (body.length > MAX_ANSWER_BYTES) break;
      }
    } catch {
      // The status says enough.
    }
    const { statusCode: status = 0, headers } = response;
    const contentType = headers['content-type'] ?? '';
    this.#end({ kind: 'answered', status, contentType, body, retryAfter: headers['retry-after'] });
    this.#ws.terminate();
  }

  #end(end: End): void {
    if (this.#ended) return;
    this.#finish();
    this.#options.onEnd(end);
  }

  #finish(): void {
    this.#ended = true;
    clearInterval(this.#timer);
  }
}

const SHAPES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  welcome: { protocol: 'number', epoch: 'string', revision: 'number', heartbeat: 'number' },
  subscribed: { topic: 'string' },
  snapshot: { topic: 'string', items: 'object' },
  synced: { topic: 'string', revision: 'number', digest: 'string' },
  change: { topic: 'string', revision: 'number', changes: 'object' },
  bookmark: { revision: 'number', digests: 'object' },
  reset: { topic: 'string', reason: 'string' },
  error: { code: 'string', message: 'string' },
  reauth: { expiresIn: 'number' },
};

/** A server's frame, or undefined when it is none. Frames and fields that are not known here pass: they are not looked at. */
export function parseServerFrame(text: string): ServerFrame | undefined {
  try {
    const frame = JSON.parse(text) as Record<string, unknown>;
    const shape = SHAPES[String(frame['type'])] ?? { type: 'string' };
    const fits = Object.entries(shape).every(([field, type]) => typeof frame[field] === type && frame[field] !== null);
    return fits ? (frame as ServerFrame) : undefined;
  } catch {
    return undefined;
  }
}
