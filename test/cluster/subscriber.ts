import WebSocket from 'ws';
import type { Select, ServerFrame } from '../../src/protocol/frames.ts';
import { PROTOCOL } from '../../src/protocol/version.ts';
import { watchUrl } from '../acceptance/watch-client.ts';
import { CheckedSubscription } from '../feed/checked-client.ts';
import type { Random } from '../support/random.ts';
import type { FrameDesk } from './frame-desk.ts';
import type { Told, Violation } from './record.ts';
import type { Tracks } from './tracks.ts';

/** Where a subscriber can go. */
export interface Door {
  readonly name: string;
  readonly url: string;
}

export interface SubscriberDeps {
  readonly doors: readonly Door[];
  readonly tracks: Tracks;
  readonly desk: FrameDesk;
  readonly random: Random;
  readonly epoch: () => string;
  readonly onViolation: (violation: Violation) => void;
  readonly onTold: (told: Told) => void;
}

const HANDSHAKE_MS = 3000;
const MAX_PAYLOAD = 64 * 1024 * 1024;
/** Heartbeats without a word, after which PUSH.md tells a client to connect again. */
const SILENT_HEARTBEATS = 3;
const STARVING_PING_MS = 100;
/** The few last frames of a subscription, for the evidence. */
const REMEMBERED = 6;

/**
 * A subscriber as PUSH.md tells clients to be: it remembers its position, and when its node goes away, or goes silent, comes back
 * with it at another, when the server's hint says so. It keeps no frames: each is held against the log as soon as the log
 * is known so far.
 */
export class Subscriber {
  readonly name: string;
  readonly select: Select;
  moves = 0;
  frames = 0;
  readonly resets = new Map<string, number>();
  readonly #deps: SubscriberDeps;
  readonly #checked: CheckedSubscription;
  /** What is ahead of the log as it is known here. */
  #waiting: ServerFrame[] = [];
  readonly #last: string[] = [];
  #door: number;
  #ws: WebSocket | undefined;
  #heardAt = 0;
  #silentMs = 30_000;
  /** Since when it is at this node, and up to date. */
  #since = Infinity;
  #epoch = '';
  #back: NodeJS.Timeout | undefined;
  #starving: NodeJS.Timeout | undefined;
  /** It has found something wrong and does not go on. */
  #broken = false;
  #stopped = false;
  /** The highest position it ever had: nobody goes back in time. */
  #highest = 0;

  constructor(name: string, select: Select, door: number, deps: SubscriberDeps) {
    this.name = name;
    this.select = select;
    this.#door = door;
    this.#deps = deps;
    this.#checked = new CheckedSubscription(deps.tracks, select);
    this.#connect();
  }

  get position(): number {
    return this.#checked.position ?? 0;
  }

  get events(): number {
    return this.#checked.events;
  }

  get node(): string {
    return this.#at.name;
  }

  get isBroken(): boolean {
    return this.#broken;
  }

  /** One line for people: where it is and what came last. */
  get situation(): string {
    const last = this.#last.map((text) => text.slice(0, 160)).join(' ');
    return `${this.name} at ${this.node}, position ${this.position}, socket ${this.#ws?.readyState}, waiting ${this.#waiting.length}: ${last}`;
  }

  /** The network goes away, as far as this client can tell. */
  cut(): void {
    this.#ws?.terminate();
  }

  /** It does not read any more, and still says that it is there. */
  starve(): void {
    const ws = this.#ws;
    ws?.pause();
    this.#starving = setInterval(() => ws?.send('{"type":"ping"}'), STARVING_PING_MS);
  }

  eat(): void {
    clearInterval(this.#starving);
    this.#ws?.resume();
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#starving);
    clearTimeout(this.#back);
    this.#ws?.terminate();
  }

  /** To be called a few times in each heartbeat. */
  tick(now: number): void {
    if (this.#ws?.readyState === WebSocket.OPEN && now - this.#heardAt > this.#silentMs) this.#ws.terminate();
  }

  /** To be called when the log is known further. */
  check(): void {
    let done = 0;
    for (const frame of this.#waiting) {
      if (revisionOf(frame) > this.#deps.tracks.head) break;
      done += 1;
      this.#take(frame);
    }
    if (done > 0) this.#waiting = this.#waiting.slice(done);
  }

  get #at(): Door {
    const { doors } = this.#deps;
    return doors[this.#door % doors.length] as Door;
  }

  #connect(): void {
    if (this.#stopped || this.#broken) return;
    const ws = new WebSocket(watchUrl(this.#at.url), PROTOCOL, {
      maxPayload: MAX_PAYLOAD,
      handshakeTimeout: HANDSHAKE_MS,
    });
    this.#ws = ws;
    ws.on('message', (data: Buffer) => {
      this.#heardAt = performance.now();
      if (!this.#stopped && !this.#broken) this.#hear(ws, data.toString());
    });
    ws.on('ping', () => (this.#heardAt = performance.now()));
    ws.on('error', () => {});
    ws.on('close', (code, reason) => {
      this.#since = Infinity;
      if (code >= 4500) this.#complain('PUSH', `closed with ${code} ${reason.toString()}`);
      if (this.#stopped) return;
      this.moves += 1;
      this.#door += 1;
      this.#back = setTimeout(() => this.#connect(), this.#waitFor(reason.toString()));
    });
  }

  /** The server's hint where there is one. */
  #waitFor(reason: string): number {
    const hint = /"retryAfterMs":([0-9]+)/.exec(reason)?.[1];
    return hint === undefined ? 30 + this.#deps.random.below(200) : Number(hint);
  }

  #hear(ws: WebSocket, text: string): void {
    this.frames += 1;
    this.#last.push(text.slice(0, 300));
    if (this.#last.length > REMEMBERED) this.#last.shift();
    try {
      const frame = this.#deps.desk.read(text);
      if (frame.type === 'welcome') this.#welcome(ws, frame);
      this.#note(frame);
      this.#waiting.push(frame);
      this.check();
    } catch (error) {
      this.#complain('PUSH', error);
    }
  }

  #welcome(ws: WebSocket, { epoch, heartbeat }: Extract<ServerFrame, { type: 'welcome' }>): void {
    this.#silentMs = SILENT_HEARTBEATS * heartbeat;
    const expected = this.#deps.epoch();
    if (expected !== '' && epoch !== expected) throw new Error(`REV4: epoch ${epoch}, and the history is ${expected}`);
    const revision = this.#heard();
    const since = revision === undefined ? {} : { since: { epoch: this.#epoch, revision } };
    this.#epoch = epoch;
    ws.send(JSON.stringify({ type: 'subscribe', id: 's', select: this.select, ...since }));
  }

  /** Its position: what it has heard counts, checked or not. */
  #heard(): number | undefined {
    let revision = this.#checked.position;
    for (const frame of this.#waiting) {
      if (frame.type === 'reset') revision = undefined;
      else revision = positionIn(frame, this.#checked.topic) ?? revision;
    }
    return revision;
  }

  /** What is to be remembered at the moment at which it comes. */
  #note(frame: ServerFrame): void {
    const at = performance.now();
    if (frame.type === 'synced') this.#since = at;
    if (frame.type !== 'change' || this.#since === Infinity) return;
    for (const { op, kind, key, revision, value } of frame.changes) {
      if (kind !== 'instance' || (op === 'put' && value?.['passing'] === true)) continue;
      this.#deps.onTold({ name: key, revision, at, watcher: this.name, node: this.node, since: this.#since });
    }
  }

  #take(frame: ServerFrame): void {
    if (this.#broken) return;
    try {
      if (frame.type === 'subscribed') this.#checked.topic = frame.topic;
      if (frame.type === 'error') throw new Error(`${frame.code}: ${frame.message}`);
      if (frame.type === 'reset') this.resets.set(frame.reason, (this.resets.get(frame.reason) ?? 0) + 1);
      if (frame.type === 'change') this.#deps.desk.mustBeTrue(frame);
      this.#checked.receive(frame);
      const { position } = this.#checked;
      if (position === undefined) return;
      if (position < this.#highest) throw new Error(`PUSH5: back in time, to ${position} after ${this.#highest}`);
      this.#highest = position;
    } catch (error) {
      this.#complain('PUSH', error);
    }
  }

  #complain(promise: string, error: unknown): void {
    this.#broken = true;
    const message = error instanceof Error ? error.message : String(error);
    const named = /^(?:PUSH|REV)[0-9]/.exec(message)?.[0] ?? promise;
    this.#deps.onViolation({
      promise: named,
      what: `${this.name} at ${this.node}: ${message}`,
      evidence: [...this.#last],
    });
    this.#ws?.terminate();
  }
}

function revisionOf(frame: ServerFrame): number {
  return 'revision' in frame && frame.type !== 'welcome' ? (frame.revision as number) : 0;
}

function positionIn(frame: ServerFrame, topic: string | undefined): number | undefined {
  if (frame.type === 'change' || frame.type === 'synced') return frame.revision;
  if (frame.type === 'snapshot') return frame.more ? undefined : frame.revision;
  return frame.type === 'bookmark' && topic !== undefined && topic in frame.digests ? frame.revision : undefined;
}
