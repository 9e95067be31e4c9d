import net from 'node:net';
import { Samples } from './stats.ts';

/** HTTP/1.1 over a raw socket, lean enough that the server is the limit: request bytes are made beforehand, responses counted. */

const HEADER_END = Buffer.from('\r\n\r\n');
const READ_BYTES = 256 * 1024;
const CONNECT_MS = 10_000;

/** A request as bytes, for a keep-alive connection. */
export function requestBytes(method: string, path: string, body?: string, type = 'application/json'): Buffer {
  const head = `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n`;
  if (body === undefined) return Buffer.from(`${head}\r\n`);
  return Buffer.from(`${head}Content-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

/** The same request with a token; without one, as it is. */
export function bearing(token: string | undefined, request: Buffer): Buffer {
  if (token === undefined) return request;
  const line = request.indexOf('\r\n') + 2;
  const header = Buffer.from(`Authorization: Bearer ${token}\r\n`);
  return Buffer.concat([request.subarray(0, line), header, request.subarray(line)]);
}

/** One keep-alive connection with at most one request on the way. */
export class HttpConnection {
  readonly #socket: net.Socket;
  /** What came of a response whose header is not complete yet. */
  #rest: Buffer | undefined;
  /** Bytes of the body still to come; -1 while the header is awaited. */
  #left = -1;
  #status = 0;
  #done: ((status: number) => void) | undefined;
  /** The beginning of the last response that was not a success. */
  failure = '';
  onLost: (error: Error) => void = () => {};

  private constructor(port: number) {
    this.#socket = net.connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafe(READ_BYTES),
        callback: (length, buffer) => {
          this.#read(Buffer.from(buffer.buffer, buffer.byteOffset, length));
          return true;
        },
      },
    });
  }

  static connect(port: number): Promise<HttpConnection> {
    const connection = new HttpConnection(port);
    const socket = connection.#socket;
    return new Promise((resolve, reject) => {
      socket.setTimeout(CONNECT_MS, () => socket.destroy(new Error('no connection in time')));
      socket.on('error', (error) => {
        reject(error);
        connection.onLost(error);
      });
      socket.on('close', () => connection.onLost(new Error('the server closed a connection')));
      socket.once('connect', () => {
        socket.setTimeout(0);
        resolve(connection);
      });
    });
  }

  /** `done` is called with the status when the whole response is there. */
  send(request: Buffer, done: (status: number) => void): void {
    this.#done = done;
    this.#socket.write(request);
  }

  request(request: Buffer): Promise<number> {
    return new Promise((resolve, reject) => {
      this.onLost = reject;
      this.send(request, resolve);
    });
  }

  close(): void {
    this.onLost = () => {};
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    if (this.#left >= 0) {
      this.#body(chunk.length);
      return;
    }
    const all = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    const end = all.indexOf(HEADER_END);
    if (end < 0) {
      // The chunk's memory is used again for the next read.
      this.#rest = Buffer.from(all);
      return;
    }
    this.#rest = undefined;
    const header = all.toString('latin1', 0, end);
    this.#status = Number(header.slice(9, 12));
    if (this.#status >= 300) this.failure = all.toString('utf8', 0, 2000);
    const length = /\r\ncontent-length: *(\d+)/i.exec(header)?.[1];
    if (length === undefined && this.#status !== 204 && this.#status !== 304) {
      throw new Error(`a response without content-length:\n${header}`);
    }
    this.#left = Number(length ?? 0);
    this.#body(all.length - end - HEADER_END.length);
  }

  #body(bytes: number): void {
    this.#left -= bytes;
    if (this.#left > 0) return;
    this.#left = -1;
    this.#done?.(this.#status);
  }
}

export const connectAll = (port: number, count: number): Promise<HttpConnection[]> =>
  Promise.all(Array.from({ length: count }, () => HttpConnection.connect(port)));

export interface LoadResult {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly count: number;
}

export interface Load {
  readonly port: number;
  readonly connections: number;
  /** The next request of a caller; it is written before the function is called again for the same caller. */
  readonly next: (caller: number) => Buffer;
  readonly warmUpMs: number;
  readonly durationMs: number;
  /** Called when the warm-up is over. */
  readonly onMeasure?: () => void;
}

/** Callers that each send the next request when the last one is answered. Rejects on any answer but a success. */
export async function drive(load: Load): Promise<LoadResult> {
  const connections = await connectAll(load.port, load.connections);
  try {
    return await run(load, connections);
  } finally {
    for (const connection of connections) connection.close();
  }
}

function run(load: Load, connections: readonly HttpConnection[]): Promise<LoadResult> {
  const { next, warmUpMs, durationMs, onMeasure } = load;
  const samples = new Samples();
  let from = performance.now() + warmUpMs;
  let to = from + durationMs;
  let measuring = false;
  let open = connections.length;
  return new Promise((resolve, reject) => {
    const finish = (last: number): void => {
      const count = samples.count;
      resolve({
        count,
        perSecond: count / ((last - from) / 1000),
        p50: samples.percentile(0.5),
        p99: samples.percentile(0.99),
      });
    };
    connections.forEach((connection, caller) => {
      let sent = 0;
      connection.onLost = reject;
      const answered = (status: number): void => {
        const now = performance.now();
        if (status >= 300) {
          reject(new Error(`answered ${status}:\n${connection.failure}`));
          return;
        }
        if (measuring) {
          if (now <= to) samples.push(now - sent);
        } else if (now >= from) {
          measuring = true;
          onMeasure?.();
          from = performance.now();
          to = from + durationMs;
        }
        if (!measuring || now < to) {
          sent = now;
          connection.send(next(caller), answered);
        } else if (--open === 0) {
          finish(to);
        }
      };
      sent = performance.now();
      connection.send(next(caller), answered);
    });
  });
}
