import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { ServerFrame } from '../../src/protocol/frames.ts';
import { PROTOCOL } from '../../src/protocol/version.ts';
import { until } from './until.ts';
import { parseServerFrame } from './watch-client.ts';

/** A TCP connection and nothing more: what a client may do that no library lets it. */
export class RawSocket {
  readonly socket: Socket;
  closed = false;
  #chunks: Buffer[] = [];

  protected constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (data: Buffer) => this.onData(data));
    // A reset is one of the ways in which a server may get rid of somebody.
    socket.on('error', () => (this.closed = true));
    socket.on('close', () => (this.closed = true));
  }

  static async connect(port: number): Promise<RawSocket> {
    return new RawSocket(await opened(port));
  }

  protected onData(data: Buffer): void {
    this.#chunks.push(data);
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString('latin1');
  }

  /** The status of the first answer, 0 when there was none. */
  get status(): number {
    return Number(/^HTTP\/1\.1 ([0-9]{3})/.exec(this.text)?.[1] ?? 0);
  }

  /** The body of the first answer, as JSON. */
  get problem(): { readonly type?: string; readonly status?: number } {
    const body = this.text.split('\r\n\r\n')[1] ?? '';
    return body === '' ? {} : (JSON.parse(body) as object);
  }

  write(data: string | Buffer): void {
    if (!this.socket.destroyed) this.socket.write(data);
  }

  async untilClosed(timeoutMs?: number): Promise<void> {
    await until('the server closed the connection', () => this.closed, timeoutMs);
  }

  destroy(): void {
    this.socket.destroy();
  }
}

async function opened(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await new Promise<void>((done, fail) => {
    socket.once('connect', () => done());
    socket.once('error', fail);
  });
  socket.setNoDelay(true);
  return socket;
}

export const upgradeRequest = (headers: Readonly<Record<string, string>> = {}): string => {
  const all: Record<string, string> = {
    Host: '127.0.0.1',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
    'Sec-WebSocket-Protocol': PROTOCOL,
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return `GET /v1/watch HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
};

export const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** One WebSocket frame as a client sends it (RFC 6455, section 5.2), however wrong. */
export function clientFrame(
  payload: string | Buffer,
  { opcode = OPCODES.text as number, fin = true, masked = true } = {},
): Buffer {
  const data = Buffer.from(payload);
  const bit = masked ? 0x80 : 0;
  const head = [(fin ? 0x80 : 0) | opcode];
  if (data.length < 126) head.push(bit | data.length);
  else if (data.length < 65_536) head.push(bit | 126, data.length >> 8, data.length & 0xff);
  else
    head.push(
      bit | 127,
      0,
      0,
      0,
      0,
      (data.length >>> 24) & 0xff,
      (data.length >>> 16) & 0xff,
      (data.length >>> 8) & 0xff,
      data.length & 0xff,
    );
  if (!masked) return Buffer.concat([Buffer.from(head), data]);
  const mask = randomBytes(4);
  const body = Buffer.from(data);
  for (let i = 0; i < body.length; i++) body[i] = (body[i] ?? 0) ^ (mask[i & 3] ?? 0);
  return Buffer.concat([Buffer.from(head), mask, body]);
}

/** A WebSocket made by hand: it answers a ping only when told to, closes by no handshake, and may stop reading. */
export class RawWatch extends RawSocket {
  readonly frames: ServerFrame[] = [];
  pings = 0;
  answersPings = false;
  /** The close frame that came, if one did. */
  close: { readonly code: number; readonly reason: string } | undefined;
  #upgraded = false;
  #parts: Buffer[] = [];
  #length = 0;

  static async open(port: number, headers: Readonly<Record<string, string>> = {}): Promise<RawWatch> {
    const raw = new RawWatch(await opened(port));
    raw.write(upgradeRequest(headers));
    await until('the welcome', () => raw.frames.length > 0);
    return raw;
  }

  send(frame: object | string): void {
    this.write(clientFrame(typeof frame === 'string' ? frame : JSON.stringify(frame)));
  }

  protected override onData(data: Buffer): void {
    this.#parts.push(data);
    this.#length += data.length;
    // Joined only when a whole frame may be there: a frame of megabytes comes in many pieces.
    while (this.#length > 0 && this.#take()) {
      // Takes one frame after the other.
    }
  }

  #take(): boolean {
    const buffer = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts);
    this.#parts = [buffer];
    const end = this.#upgraded ? frameEnd(buffer) : headEnd(buffer);
    if (end === undefined || end > buffer.length) return false;
    const frame = buffer.subarray(0, end);
    this.#parts = end < buffer.length ? [buffer.subarray(end)] : [];
    this.#length = buffer.length - end;
    if (this.#upgraded) {
      this.#frame(frame);
    } else {
      if (!frame.toString('latin1').startsWith('HTTP/1.1 101')) throw new Error(`no upgrade: ${frame.toString()}`);
      this.#upgraded = true;
    }
    return true;
  }

  #ping(): void {
    this.pings += 1;
    if (this.answersPings) this.write(clientFrame('', { opcode: OPCODES.pong }));
  }

  #frame(frame: Buffer): void {
    const opcode = (frame[0] ?? 0) & 0xf;
    const payload = frame.subarray(headerLength(frame));
    if (opcode === OPCODES.text) this.frames.push(parseServerFrame(payload.toString()));
    else if (opcode === OPCODES.ping) this.#ping();
    else if (opcode === OPCODES.close)
      this.close = { code: payload.readUInt16BE(0), reason: payload.subarray(2).toString() };
  }
}

function headEnd(buffer: Buffer): number | undefined {
  const at = buffer.indexOf('\r\n\r\n');
  return at < 0 ? undefined : at + 4;
}

const headerLength = (frame: Buffer): number => {
  const short = (frame[1] ?? 0) & 0x7f;
  return short === 126 ? 4 : short === 127 ? 10 : 2;
};

function frameEnd(buffer: Buffer): number | undefined {
  if (buffer.length < 2) return undefined;
  const header = headerLength(buffer);
  if (buffer.length < header) return undefined;
  const short = (buffer[1] ?? 0) & 0x7f;
  const length = short === 126 ? buffer.readUInt16BE(2) : short === 127 ? Number(buffer.readBigUInt64BE(2)) : short;
  return header + length;
}
