import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';
import type { ServerFrame } from '../../../src/protocol/frames.ts';
import { PROTOCOL } from '../../../src/protocol/version.ts';
import { watchUrl } from '../../acceptance/watch-client.ts';
import type { Random } from '../../support/random.ts';
import type { Answer } from '../../support/signalbox.ts';
import type { Door } from '../subscriber.ts';
import { Living, type Registering } from './living.ts';

const HANDSHAKE_MS = 2000;
/** A registration that is not answered by now is made again, at another node. */
const PATIENCE_MS = 3000;
const LOOK_MS = 100;
/** Heartbeats without a word, after which PUSH.md tells a client to connect again. */
const SILENT_HEARTBEATS = 3;
/** A node that speaks so long after the last pong has read it; one that does not may read it when it wakes up. */
const READ_BY_MS = 1000;
const READ_WAIT_MS = 2500;

export interface AttachedOptions {
  readonly doors: readonly Door[];
  readonly body: Registering;
  readonly random: Random;
}

/** A process that registers over a socket and does nothing more for its lease than to answer pings; when its node goes silent it
 * connects to another one, and registers again. */
export class Attached {
  readonly odd: Pick<Answer, 'status' | 'body'>[] = [];
  readonly #options: AttachedOptions;
  #living: Living | undefined;
  #ws: WebSocket | undefined;
  #door: number;
  #isMute = false;
  #isRegistering = false;
  #heardAt = 0;
  #pongAt = 0;
  /** A node has spoken so long after the last pong that it must have read it. */
  #isRead = false;

  constructor(options: AttachedOptions) {
    this.#options = options;
    this.#door = options.random.below(options.doors.length);
  }

  /** Of one that has registered. */
  get living(): Living {
    if (this.#living === undefined) throw new Error('it has not registered yet');
    return this.#living;
  }

  get isThere(): boolean {
    return this.#living !== undefined;
  }

  /** Connects wherever it can, as long as it lives. */
  async work(goOn: () => boolean): Promise<void> {
    const { doors, random } = this.#options;
    while (goOn()) {
      if (!this.#isMute) await this.#stay(doors[this.#door++ % doors.length] as Door, goOn);
      await sleep(30 + random.below(200));
    }
  }

  /** It stands still, with its socket open, or ends with it. */
  async kill(): Promise<void> {
    while (this.#isRegistering) await sleep(5);
    const ws = this.#ws;
    this.#isMute = true;
    this.living.die();
    if (ws?.readyState !== WebSocket.OPEN) return;
    const until = performance.now() + READ_WAIT_MS;
    const isRead = (): boolean => this.#heardAt > this.#pongAt + READ_BY_MS;
    while (ws.readyState === WebSocket.OPEN && !isRead() && performance.now() < until) await sleep(LOOK_MS);
    this.#isRead = isRead();
    if (!this.#isRead) this.living.mayBeHeardYet();
    if (this.#options.random.chance(0.5)) ws.terminate();
  }

  revive(): void {
    this.living.revive();
    // A process that starts again has no socket from before.
    this.#ws?.terminate();
    this.#isMute = false;
  }

  /** Until the socket is gone. */
  async #stay({ url, name }: Door, goOn: () => boolean): Promise<void> {
    const ws = new WebSocket(watchUrl(url), PROTOCOL, { handshakeTimeout: HANDSHAKE_MS, autoPong: false });
    this.#ws = ws;
    let silentMs = HANDSHAKE_MS;
    let sentAt = 0;
    this.#heardAt = performance.now();
    ws.on('error', () => {});
    ws.on('ping', () => {
      this.#heardAt = performance.now();
      if (this.#isMute) return;
      ws.pong();
      this.#pongAt = this.#heardAt;
      this.#isRead = false;
      if (!this.#isRegistering) this.#living?.sign(name);
    });
    ws.on('message', (data: Buffer) => {
      this.#heardAt = performance.now();
      const frame = JSON.parse(data.toString()) as ServerFrame;
      if (frame.type === 'welcome' && !this.#isMute) {
        silentMs = SILENT_HEARTBEATS * frame.heartbeat;
        sentAt = performance.now();
        this.#isRegistering = true;
        ws.send(JSON.stringify({ type: 'register', id: 'r', instance: this.#options.body }));
      } else if (frame.type === 'registered') {
        this.#registered(frame.instance, sentAt);
      } else if (frame.type === 'error') {
        if (frame.code !== 'unavailable') this.odd.push({ status: 400, body: frame });
        ws.terminate();
      }
    });
    const look = setInterval(() => {
      const now = performance.now();
      const isSilent = now - this.#heardAt > silentMs || (this.#isRegistering && now - sentAt > PATIENCE_MS);
      if (isSilent || !goOn()) ws.terminate();
    }, LOOK_MS);
    const code = await new Promise<number>((done) => ws.once('close', done));
    clearInterval(look);
    this.#isRegistering = false;
    // A node that says why it closes has read what was sent to it; another one may read it yet.
    if (code < 4000 && !this.#isRead) this.#living?.unanswered();
  }

  #registered(instance: Extract<ServerFrame, { type: 'registered' }>['instance'], sentAt: number): void {
    this.#isRegistering = false;
    if (this.#living === undefined) this.#living = Living.of(instance, this.#options.body, sentAt, []);
    else this.#living.renewed(sentAt);
  }
}
