import { Ajv, type ValidateFunction } from 'ajv';
import WebSocket from 'ws';
import type { Position } from '../../src/domain/position.ts';
import { ServerFrames, type Select, type ServerFrame } from '../../src/protocol/frames.ts';
import { PROTOCOL } from '../../src/protocol/version.ts';
import { until } from './until.ts';

const ajv = new Ajv({ strict: false });
const schemas = new Map<string, ValidateFunction>(
  Object.entries(ServerFrames).map(([type, schema]) => [type, ajv.compile(schema)]),
);

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

export const watchUrl = (url: string): string => `${url.replace(/^http/, 'ws')}/v1/watch`;

/** The frame in a message, if the protocol has it. */
export function parseServerFrame(text: string): ServerFrame {
  const frame = JSON.parse(text) as ServerFrame;
  const validate = schemas.get(frame.type);
  if (validate?.(frame) !== true)
    throw new Error(`not a frame of the protocol: ${text.slice(0, 300)}: ${ajv.errorsText(validate?.errors)}`);
  return frame;
}

type Of<T extends ServerFrame['type']> = Extract<ServerFrame, { type: T }>;

/** One socket of a well-behaved client. Remembers every message, and holds each against the schemas of the protocol. */
export class WatchClient {
  readonly texts: string[] = [];
  readonly frames: ServerFrame[] = [];
  readonly ws: WebSocket;
  /** How the socket ended, once it has. */
  closed: Closed | undefined;
  #fault: unknown;

  private constructor(ws: WebSocket) {
    this.ws = ws;
    ws.on('message', (data: Buffer, binary) => {
      try {
        if (binary) throw new Error('a binary message');
        const text = data.toString();
        this.texts.push(text);
        this.frames.push(parseServerFrame(text));
      } catch (error) {
        this.#fault ??= error;
      }
    });
    ws.on('error', () => {
      // The close event follows and says more.
    });
    ws.on('close', (code, reason) => (this.closed = { code, reason: reason.toString() }));
  }

  /** Resolves with the welcome. */
  static async open(url: string): Promise<WatchClient> {
    const client = new WatchClient(new WebSocket(watchUrl(url), PROTOCOL, { maxPayload: 64 * 1024 * 1024 }));
    await client.next('welcome');
    return client;
  }

  get welcome(): Of<'welcome'> {
    const [first] = this.frames;
    if (first?.type !== 'welcome') throw new Error(`the first frame is ${this.texts[0]}`);
    return first;
  }

  send(frame: object | string | Buffer): void {
    const raw = typeof frame === 'string' || Buffer.isBuffer(frame);
    this.ws.send(raw ? frame : JSON.stringify(frame));
  }

  /** The first frame of the type, from that index on, for which the predicate holds. */
  async next<T extends ServerFrame['type']>(
    type: T,
    where: (frame: Of<T>) => boolean = () => true,
    from = 0,
  ): Promise<Of<T>> {
    const found = await this.#find(type, (frame) => frame.type === type && where(frame as Of<T>), from);
    return found as Of<T>;
  }

  async #find(what: string, where: (frame: ServerFrame) => boolean, from: number): Promise<ServerFrame> {
    let at = from;
    return until(what, () => {
      if (this.#fault !== undefined) throw this.#fault;
      for (; at < this.frames.length; at++) {
        const frame = this.frames[at];
        if (frame !== undefined && where(frame)) return frame;
      }
      if (this.closed !== undefined) throw new Error('the socket is closed');
      return undefined;
    }).catch((error: unknown) => {
      throw new Error(`no frame ${what}; ${this.#situation()}`, { cause: error });
    });
  }

  /** Subscribes, and resolves with the topic once it is synced. */
  async sync(id: string, select: Select, since?: Position): Promise<string> {
    const from = this.frames.length;
    this.send({ type: 'subscribe', id, select, ...(since && { since }) });
    const answer = await this.#find('subscribed', (frame) => 'id' in frame && frame.id === id, from);
    if (answer.type !== 'subscribed') throw new Error(`not subscribed: ${JSON.stringify(answer)}`);
    const { topic } = answer;
    await this.next('synced', (frame) => frame.topic === topic, from);
    return topic;
  }

  /** Resolves once everything of the topic up to the revision has come, by a bookmark or a frame of its own. */
  async reached(topic: string, revision: number, from = 0): Promise<void> {
    await this.next('bookmark', (frame) => frame.revision >= revision && topic in frame.digests, from);
  }

  of(topic: string, from = 0): ServerFrame[] {
    return this.frames
      .slice(from)
      .filter((frame) => frame.type === 'bookmark' || ('topic' in frame && frame.topic === topic));
  }

  async untilClosed(): Promise<Closed> {
    return until(`the socket closed; ${this.#situation()}`, () => this.closed);
  }

  async end(): Promise<void> {
    this.ws.close();
    await this.untilClosed();
    if (this.#fault !== undefined) throw this.#fault;
  }

  #situation(): string {
    const last = this.texts.slice(-3).map((text) => text.slice(0, 200));
    return `${this.frames.length} frames, the last: ${last.join(' ')} ${JSON.stringify(this.closed ?? '')}`;
  }
}

/**
 * A subscriber as PUSH.md tells clients to be: it remembers its position, comes back with it after whatever happened, and
 * keeps every frame over all of its sockets.
 */
export class Follower {
  readonly select: Select;
  readonly frames: ServerFrame[] = [];
  /** `welcomed`: it had been let in. */
  readonly closes: (Closed & { readonly welcomed: boolean })[] = [];
  topic: string | undefined;
  position: Position | undefined;
  resets = 0;
  connections = 0;
  readonly #url: () => string;
  #ws: WebSocket | undefined;
  #stopped = false;
  #fault: unknown;

  /** Who goes from node to node is asked for each connection where to. */
  constructor(url: string | (() => string), select: Select) {
    this.#url = typeof url === 'string' ? () => url : url;
    this.select = select;
    this.#connect();
  }

  /** Resolves once it knows everything up to the revision. */
  async reached(revision: number): Promise<void> {
    await until(`a follower of ${this.topic} at ${revision}; it is at ${this.position?.revision}`, () => {
      if (this.#fault !== undefined) throw this.#fault;
      return (this.position?.revision ?? -1) >= revision;
    });
  }

  /** The network goes away, as far as this client can tell. */
  cut(): void {
    this.#ws?.terminate();
  }

  stop(): void {
    this.#stopped = true;
    this.#ws?.terminate();
  }

  #connect(): void {
    if (this.#stopped) return;
    let epoch = '';
    const ws = new WebSocket(watchUrl(this.#url()), PROTOCOL, { maxPayload: 64 * 1024 * 1024 });
    this.#ws = ws;
    ws.on('message', (data: Buffer) => {
      try {
        const frame = parseServerFrame(data.toString());
        if (frame.type === 'welcome') {
          this.connections += 1;
          epoch = frame.epoch;
          const since = this.position === undefined ? {} : { since: this.position };
          ws.send(JSON.stringify({ type: 'subscribe', id: 'f', select: this.select, ...since }));
        }
        this.frames.push(frame);
        this.#move(frame, epoch);
      } catch (error) {
        this.#fault ??= error;
      }
    });
    ws.on('error', () => {});
    ws.on('close', (code, reason) => {
      this.closes.push({ code, reason: reason.toString(), welcomed: epoch !== '' });
      setTimeout(() => this.#connect(), 25);
    });
  }

  #move(frame: ServerFrame, epoch: string): void {
    const revision =
      (frame.type === 'snapshot' && !frame.more) || frame.type === 'change' || frame.type === 'synced'
        ? frame.revision
        : frame.type === 'bookmark' && this.topic !== undefined && this.topic in frame.digests
          ? frame.revision
          : undefined;
    if (frame.type === 'subscribed') this.topic = frame.topic;
    if (frame.type === 'reset') {
      this.resets += 1;
      this.position = undefined;
    }
    if (revision !== undefined) this.position = { epoch, revision };
  }
}
