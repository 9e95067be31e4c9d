import { WebSocket } from 'ws';

/**
 * Many watchers in one process, each with a connection of its own. The floor and Signalbox send frames of one form, so
 * the same code reads both, and it reads as little as it can: which frame it is, and the revision in it.
 */

const REVISION = Buffer.from('"revision":');
const OP = Buffer.from('{"op":"');
/** `{"type":"` is nine bytes; the next one or two tell the frames apart. */
const TYPE_AT = 9;
const C = 0x63; // change
const S = 0x73; // synced, subscribed, snapshot
const Y = 0x79;
const ZERO = 0x30;
const NINE = 0x39;

export const SUBPROTOCOL = 'signalbox.v1';

export interface Watcher {
  readonly socket: WebSocket;
  synced: boolean;
  /** The last revision it was told, by `synced` or a change. */
  revision: number;
  /** Its `change` frames, for those that keep them. */
  kept: Buffer[] | undefined;
}

export interface CrowdOptions {
  readonly url: string;
  readonly count: number;
  /** What each watcher sends when its connection stands, or the n-th of them does. */
  readonly hello: string | undefined | ((n: number) => string);
  /** The token that the n-th comes with. */
  readonly token?: (n: number) => string | undefined;
  /** At most so many connections are being made at a time. */
  readonly wave?: number;
  /** The frames of every so-manieth watcher are kept for a check afterwards. */
  readonly keepEach?: number;
}

export class Crowd {
  readonly watchers: Watcher[] = [];
  readonly #options: CrowdOptions;
  /** The revision before this change is still `watcher.revision`. */
  onChange: (watcher: Watcher, revision: number, frame: Buffer) => void = () => {};
  #onReady: () => void = () => {};
  #closing = false;
  #fail: (error: Error) => void = () => {};
  #failed: Error | undefined;

  constructor(options: CrowdOptions) {
    this.#options = options;
  }

  /** Connects all; with a `hello` resolves when all are synced, else when all are connected. */
  async open(timeoutMs = 60_000): Promise<void> {
    const { count, wave = count } = this.#options;
    while (this.watchers.length < count) {
      const size = Math.min(wave, count - this.watchers.length);
      let left = size;
      await this.within(timeoutMs, 'connections', (resolve) => {
        this.#onReady = (): void => {
          if (--left === 0) resolve();
        };
        this.connect(size);
      });
    }
  }

  /** Only begins to connect. */
  connect(count: number): void {
    for (let n = 0; n < count; n++) this.#add();
  }

  /** Runs until `resolve` is called; rejects as `run` does, and when it takes too long or a connection is lost. */
  within(timeoutMs: number, what: string, run: (resolve: () => void) => Promise<void> | void): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`not all watchers have ${what} after ${timeoutMs} ms`)),
        timeoutMs,
      );
      const settle =
        <T>(done: (value: T) => void) =>
        (value: T): void => {
          clearTimeout(timer);
          done(value);
        };
      this.#fail = settle(reject);
      if (this.#failed !== undefined) this.#fail(this.#failed);
      Promise.resolve(run(settle(resolve))).catch(this.#fail);
    });
  }

  /** As a network that breaks: no goodbye. Resolves when all are gone on this side. */
  async cut(): Promise<void> {
    this.#closing = true;
    await Promise.all(
      this.watchers.map(
        ({ socket }) =>
          new Promise<void>((resolve) => {
            if (socket.readyState === WebSocket.CLOSED) return resolve();
            socket.once('close', () => resolve());
            socket.terminate();
          }),
      ),
    );
  }

  #add(): void {
    const { url, hello, token, keepEach } = this.#options;
    const n = this.watchers.length;
    const bearer = token?.(n);
    const socket = new WebSocket(url, SUBPROTOCOL, {
      perMessageDeflate: false,
      skipUTF8Validation: true,
      ...(bearer !== undefined && { headers: { authorization: `Bearer ${bearer}` } }),
    });
    const keep = keepEach !== undefined && n % keepEach === 0;
    const watcher: Watcher = { socket, synced: false, revision: 0, kept: keep ? [] : undefined };
    this.watchers.push(watcher);
    socket.on('message', (data: Buffer) => this.#receive(watcher, data));
    socket.on('open', () => {
      if (hello === undefined) this.#onReady();
      else socket.send(typeof hello === 'string' ? hello : hello(n));
    });
    socket.on('error', (error) => this.#lost(error));
    socket.on('close', (code, reason) => this.#lost(new Error(`a watcher was closed: ${code} ${reason.toString()}`)));
  }

  #receive(watcher: Watcher, frame: Buffer): void {
    const type = frame[TYPE_AT];
    if (type === C) {
      const revision = revisionOf(frame);
      watcher.kept?.push(frame);
      this.onChange(watcher, revision, frame);
      watcher.revision = revision;
    } else if (type === S && frame[TYPE_AT + 1] === Y) {
      watcher.revision = revisionOf(frame);
      watcher.synced = true;
      this.#onReady();
    }
  }

  #lost(error: Error): void {
    if (this.#closing) return;
    this.#failed = error;
    this.#fail(error);
  }
}

/** The frame's own revision, which comes before those of its changes. */
export function revisionOf(frame: Buffer): number {
  let at = frame.indexOf(REVISION) + REVISION.length;
  let revision = 0;
  for (let digit = frame[at] ?? 0; digit >= ZERO && digit <= NINE; digit = frame[++at] ?? 0) {
    revision = revision * 10 + digit - ZERO;
  }
  return revision;
}

export function changesIn(frame: Buffer): number {
  let count = 0;
  for (let at = frame.indexOf(OP); at >= 0; at = frame.indexOf(OP, at + OP.length)) count += 1;
  return count;
}
