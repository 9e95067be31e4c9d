import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { addTo, digestHex, emptyDigest } from '../../src/domain/digest.ts';
import { since } from '../../src/domain/position.ts';
import type { ClientFrame, ServerFrame } from '../../src/protocol/frames.ts';
import { PROTOCOL, PROTOCOL_VERSION } from '../../src/protocol/version.ts';

type Region = { name: string; title: string; revision: number };
type Change = Extract<ServerFrame, { type: 'change' }>['changes'][number];
export interface HttpAnswer {
  status: number;
  type: string;
  body: string;
  headers?: Record<string, string>;
}

const TOPIC = 'region';

/** The feed of a catalog of regions, as small as the protocol allows, on a real socket. It says what tests make it say. */
export class FeedServer {
  epoch = 'e1';
  revision = 0;
  heartbeat = 60_000;
  protocol = PROTOCOL_VERSION;
  resumeWithin: number | undefined;
  /** Says nothing of its own accord, and pongs nothing. */
  mute = false;
  /** Answers upgrades by HTTP with these, one after the other. */
  readonly answers: HttpAnswer[] = [];
  /** Every frame that clients have sent. */
  readonly frames: ClientFrame[] = [];
  readonly items = new Map<string, Region>();
  connections = 0;
  /** So many subscriptions are answered that they come too soon. */
  tooSoon = 0;
  #log: Change[] = [];
  #trimmed = 0;
  #server: Server | undefined;
  readonly #wss = new WebSocketServer({ noServer: true, handleProtocols: () => PROTOCOL, autoPong: false });

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  port = 0;

  async start(): Promise<void> {
    this.#server = createServer((_request, response) => response.writeHead(404).end());
    this.#server.on('upgrade', (request, socket, head) => {
      const answer = this.answers.shift();
      if (answer === undefined) return this.#wss.handleUpgrade(request, socket, head, (ws) => this.#connected(ws));
      const headers = Object.entries({
        'content-type': answer.type,
        'content-length': String(Buffer.byteLength(answer.body)),
        ...answer.headers,
      });
      socket.end(
        `HTTP/1.1 ${answer.status} X\r\n${headers.map(([k, v]) => `${k}: ${v}\r\n`).join('')}connection: close\r\n\r\n${answer.body}`,
      );
    });
    this.#server.listen(this.port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = (this.#server.address() as AddressInfo).port;
  }

  /** The process is gone, its port with it. */
  async stop(): Promise<void> {
    for (const ws of this.#wss.clients) ws.terminate();
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  }

  close(code: number, reason: string): void {
    for (const ws of this.#wss.clients) ws.close(code, reason);
  }

  /** Connections break without a word. */
  drop(): void {
    for (const ws of this.#wss.clients) ws.terminate();
  }

  put(...ids: string[]): void {
    for (const id of ids) {
      this.revision += 1;
      const value = { name: `regions/${id}`, title: `${id} at ${this.revision}`, revision: this.revision };
      this.items.set(value.name, value);
      this.#append({ op: 'put', kind: 'region', key: value.name, revision: this.revision, value });
    }
  }

  delete(id: string): void {
    this.revision += 1;
    this.items.delete(`regions/${id}`);
    this.#append({ op: 'delete', kind: 'region', key: `regions/${id}`, revision: this.revision });
  }

  /** A database restored from a backup. */
  newHistory(epoch: string): void {
    this.epoch = epoch;
    this.revision = 0;
    this.items.clear();
    this.#log = [];
  }

  trim(): void {
    this.#trimmed = this.revision;
    this.#log = [];
  }

  bookmark(digest = this.digest): void {
    this.broadcast({ type: 'bookmark', revision: this.revision, digests: { [TOPIC]: digest } });
  }

  get digest(): string {
    const digest = emptyDigest();
    for (const { name, revision } of this.items.values()) addTo(digest, name, revision);
    return digestHex(digest);
  }

  broadcast(frame: ServerFrame | string): void {
    for (const ws of this.#wss.clients) send(ws, frame);
  }

  #append(change: Change): void {
    this.#log.push(change);
    this.broadcast({ type: 'change', topic: TOPIC, revision: change.revision, changes: [change] });
  }

  #connected(ws: WebSocket): void {
    this.connections += 1;
    ws.on('error', () => {});
    ws.on('message', (data) => this.#received(ws, JSON.parse((data as Buffer).toString()) as ClientFrame));
    if (this.mute) return;
    send(ws, {
      type: 'welcome',
      protocol: this.protocol,
      epoch: this.epoch,
      revision: this.revision,
      heartbeat: this.heartbeat,
      ...(this.resumeWithin !== undefined && { resumeWithin: this.resumeWithin }),
    });
  }

  #received(ws: WebSocket, frame: ClientFrame): void {
    this.frames.push(frame);
    if (this.mute) return;
    if (frame.type === 'ping') return send(ws, { type: 'pong' });
    if (frame.type === 'resync') {
      send(ws, { type: 'reset', topic: TOPIC, epoch: this.epoch, reason: 'resync' });
      return this.#snapshot(ws);
    }
    if (frame.type !== 'subscribe') return;
    if (this.tooSoon > 0) {
      this.tooSoon -= 1;
      send(ws, { type: 'error', id: frame.id, code: 'rate-limited', message: 'too often', retryAfterMs: 20 });
      return;
    }
    send(ws, { type: 'subscribed', id: frame.id, topic: TOPIC });
    if (frame.since === undefined) return this.#snapshot(ws);
    const way = since({ epoch: this.epoch, revision: this.revision, trimmed: this.#trimmed }, frame.since);
    if (way.kind === 'startOver') {
      send(ws, { type: 'reset', topic: TOPIC, epoch: this.epoch, reason: way.reason });
      return this.#snapshot(ws);
    }
    const from = frame.since.revision;
    const changes = this.#log.filter(({ revision }) => revision > from);
    if (changes.length > 0) send(ws, { type: 'change', topic: TOPIC, revision: this.revision, changes });
    send(ws, { type: 'synced', topic: TOPIC, revision: this.revision, digest: this.digest });
  }

  /** In parts of one item each. */
  #snapshot(ws: WebSocket): void {
    const items = [...this.items.values()];
    const parts = items.length === 0 ? [[]] : items.map((item) => [item]);
    for (const [i, part] of parts.entries()) {
      send(ws, { type: 'snapshot', topic: TOPIC, revision: this.revision, items: part, more: i < parts.length - 1 });
    }
    send(ws, { type: 'synced', topic: TOPIC, revision: this.revision, digest: this.digest });
  }
}

const send = (ws: WebSocket, frame: ServerFrame | string): void =>
  ws.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
