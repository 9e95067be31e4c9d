import { WebSocket } from 'ws';
import { backoffMs } from '../../src/sdk/connection/backoff.ts';
import { changesIn, revisionOf, SUBPROTOCOL } from './crowd.ts';

/**
 * Watchers of one subscription who do as openapi/PUSH.md says when their connection breaks: they wait for a random part of
 * what the server has asked for, come back to another node, and go on from their position.
 */

const TYPE_AT = 9;
const ASCII = { b: 0x62, c: 0x63, e: 0x65, n: 0x6e, r: 0x72, s: 0x73, w: 0x77, y: 0x79 };

export interface Returner {
  socket: WebSocket;
  /** Everything up to there was seen. */
  revision: number;
  changes: number;
  /** Connections that failed since the last one that was synced. */
  failures: number;
  resumeWithin: number | undefined;
}

export interface ReturningCrowdOptions {
  readonly port: number;
  /** Where they come back to. */
  readonly otherPort: number;
  readonly count: number;
  readonly select: object;
}

const WAVE = 250;
const OPEN_MS = 60_000;

export class ReturningCrowd {
  readonly all: Returner[] = [];
  readonly #options: ReturningCrowdOptions;
  readonly #waits = new Set<NodeJS.Timeout>();
  #epoch = '';
  #left = 0;
  #settle: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #failed: Error | undefined;
  #closing = false;
  /** Connections that were tried after the first one of each. */
  attempts = 0;
  /** Called when a watcher has got on to a revision. */
  onReached: (watcher: Returner, revision: number) => void = () => {};

  constructor(options: ReturningCrowdOptions) {
    this.#options = options;
  }

  /** Over how long the watchers were told to return, from the least to the most; `undefined` where nothing is said of it. */
  get resumeWithin(): readonly [number, number] | undefined {
    const said = this.all.flatMap(({ resumeWithin }) => resumeWithin ?? []);
    return said.length === 0 ? undefined : [Math.min(...said), Math.max(...said)];
  }

  /** Until all are synced. */
  async open(): Promise<void> {
    const { count, port } = this.#options;
    while (this.all.length < count) {
      const size = Math.min(WAVE, count - this.all.length);
      this.#left = size;
      await this.within(OPEN_MS, 'a connection', () => {
        for (let n = 0; n < size; n++) this.all.push(this.#newcomer(port));
      });
    }
  }

  /** Until `done` is called; rejects when it takes too long, and when a watcher was told what it must not be. */
  async within(timeoutMs: number, what: string, run: () => void): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#settle = { resolve, reject };
        timer = setTimeout(() => reject(new Error(`not all have ${what} after ${timeoutMs} ms`)), timeoutMs);
        if (this.#failed !== undefined) reject(this.#failed);
        else run();
      });
    } finally {
      clearTimeout(timer);
      this.#settle = undefined;
    }
  }

  done(): void {
    this.#settle?.resolve();
  }

  async close(): Promise<void> {
    this.#closing = true;
    for (const wait of this.#waits) clearTimeout(wait);
    await Promise.all(
      this.all.map(
        ({ socket }) =>
          new Promise<void>((resolve) => {
            if (socket.readyState === WebSocket.CLOSED) return resolve();
            socket.once('close', () => resolve());
            socket.terminate();
          }),
      ),
    );
  }

  #newcomer(port: number): Returner {
    const watcher: Returner = {
      socket: this.#connect(port),
      revision: 0,
      changes: 0,
      failures: 0,
      resumeWithin: undefined,
    };
    this.#listen(watcher);
    return watcher;
  }

  #connect(port: number): WebSocket {
    return new WebSocket(`ws://127.0.0.1:${port}/v1/watch`, SUBPROTOCOL, {
      perMessageDeflate: false,
      skipUTF8Validation: true,
    });
  }

  #listen(watcher: Returner): void {
    const { socket } = watcher;
    socket.on('open', () => {
      const { select } = this.#options;
      const since = watcher.revision > 0 && { since: { epoch: this.#epoch, revision: watcher.revision } };
      socket.send(JSON.stringify({ type: 'subscribe', id: 'bench', select, ...since }));
    });
    socket.on('message', (frame: Buffer) => this.#receive(watcher, frame));
    // The end of the connection follows.
    socket.on('error', () => {});
    socket.on('close', () => this.#lost(watcher));
  }

  #receive(watcher: Returner, frame: Buffer): void {
    const [first, second, third] = frame.subarray(TYPE_AT);
    if (first === ASCII.w) this.#welcomed(watcher, frame);
    else if (first === ASCII.c) this.#changed(watcher, frame);
    else if (first === ASCII.b) this.#reached(watcher, revisionOf(frame));
    else if (first === ASCII.s && second === ASCII.y) this.#synced(watcher, revisionOf(frame));
    else if (first === ASCII.s && second === ASCII.n && watcher.revision > 0) this.#fail('a snapshot for a position');
    else if ((first === ASCII.r && third === ASCII.s) || first === ASCII.e) this.#fail(frame.toString());
  }

  #welcomed(watcher: Returner, frame: Buffer): void {
    const { epoch, resumeWithin } = JSON.parse(frame.toString()) as { epoch: string; resumeWithin?: number };
    this.#epoch = epoch;
    watcher.resumeWithin = resumeWithin;
  }

  #changed(watcher: Returner, frame: Buffer): void {
    const revision = revisionOf(frame);
    if (revision <= watcher.revision) this.#fail('a watcher was told twice');
    watcher.changes += changesIn(frame);
    this.#reached(watcher, revision);
  }

  #synced(watcher: Returner, revision: number): void {
    watcher.failures = 0;
    this.#reached(watcher, revision);
    if (this.#left > 0 && --this.#left === 0) this.done();
  }

  #reached(watcher: Returner, revision: number): void {
    watcher.revision = Math.max(watcher.revision, revision);
    this.onReached(watcher, watcher.revision);
  }

  #lost(watcher: Returner): void {
    if (this.#closing) return;
    if (watcher.revision === 0) return this.#fail('a watcher was not let in');
    const random = Math.random();
    const { failures, resumeWithin } = watcher;
    const isAsked = failures === 0 && resumeWithin !== undefined;
    watcher.failures += 1;
    const wait = setTimeout(
      () => {
        this.#waits.delete(wait);
        this.attempts += 1;
        watcher.socket = this.#connect(this.#options.otherPort);
        this.#listen(watcher);
      },
      isAsked ? random * resumeWithin : backoffMs(failures, random),
    );
    this.#waits.add(wait);
  }

  #fail(what: string): void {
    this.#failed ??= new Error(what);
    this.#settle?.reject(this.#failed);
  }
}
