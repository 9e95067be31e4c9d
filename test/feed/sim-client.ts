import type { Position } from '../../src/domain/position.ts';
import type { Selector } from '../../src/domain/selector.ts';
import type { Connection } from '../../src/feed/connection.ts';
import type { Frame } from '../../src/feed/frame.ts';
import type { Hub } from '../../src/feed/hub.ts';
import type { WatchSocket } from '../../src/feed/socket.ts';
import type { ServerFrame } from '../../src/protocol/frames.ts';
import { testPeer } from '../support/peer.ts';
import type { Random } from '../support/random.ts';
import { CheckedSubscription, type Model } from './checked-client.ts';

const PEER = testPeer();

/** What simulated clients live in. */
export interface World {
  readonly random: Random;
  readonly model: Model;
  /** The node that is connected to next. */
  node(): { readonly hub: Hub };
}

class SimSocket implements WatchSocket {
  readonly bytesSent = 0;
  readonly inbox: string[] = [];
  queued = 0;
  closed: { code: number; reason: string } | undefined;

  send(frame: Frame): void {
    if (this.closed !== undefined) return;
    this.inbox.push(frame.text);
    this.queued += frame.text.length;
  }

  ping(): void {}

  close(code: number, reason: string): void {
    this.closed ??= { code, reason };
  }
}

/** A client as PUSH.md tells it to be: it comes back with its positions after whatever happened, and checks every frame. */
export class SimClient {
  readonly #world: World;
  socket = new SimSocket();
  connection: Connection | undefined;
  readonly subs = new Map<string, CheckedSubscription>();
  /** How its connections were closed by servers. */
  readonly closes: number[] = [];
  /** Reasons of resets. */
  readonly resets: string[] = [];
  /** So often it was sent a position that is ahead of the node. */
  ahead = 0;
  #hub: Hub;
  #read = 0;
  /** Of what comes now, by subscription; the empty id stands for those that were not reset. */
  #epochs = new Map<string, string>();
  readonly #since = new Map<string, Position>();

  constructor(world: World) {
    this.#world = world;
    this.#hub = world.node().hub;
    this.connection = this.#hub.connect(this.socket, PEER);
  }

  isOf(hub: Hub): boolean {
    return this.#hub === hub;
  }

  /** Takes in what the socket has been sent, all of it or a part. */
  read(all: boolean): void {
    const { inbox } = this.socket;
    while (this.#read < inbox.length) {
      if (!all && this.#world.random.chance(0.2)) return;
      const text = inbox[this.#read++] ?? '';
      this.socket.queued = Math.max(0, this.socket.queued - text.length);
      this.#take(JSON.parse(text) as ServerFrame);
    }
    if (this.#read === inbox.length && this.socket.closed === undefined) {
      this.socket.queued = 0;
      this.connection?.drained();
    }
    if (this.socket.closed !== undefined) this.reconnect();
  }

  subscribe(id: string, selector: Selector, sub: CheckedSubscription): void {
    this.subs.set(id, sub);
    const since = this.#since.get(id);
    if (since !== undefined && since.revision > this.#hub.head.revision) this.ahead += 1;
    this.connection?.receive(JSON.stringify({ type: 'subscribe', id, select: selector, ...(since && { since }) }));
  }

  unsubscribe(id: string): void {
    this.read(true);
    if (!this.subs.has(id)) return;
    this.connection?.receive(JSON.stringify({ type: 'unsubscribe', id }));
    this.subs.delete(id);
    this.#since.delete(id);
    this.read(true);
  }

  /** Loses what was under way, and comes back, here or elsewhere, from each subscription's own position. */
  reconnect(): void {
    if (this.socket.closed !== undefined) this.closes.push(this.socket.closed.code);
    this.connection?.ended();
    this.socket = new SimSocket();
    this.#read = 0;
    this.#epochs = new Map();
    this.#hub = this.#world.node().hub;
    this.connection = this.#hub.connect(this.socket, PEER);
    for (const [id, old] of Array.from(this.subs)) {
      const kept = old.position === undefined ? undefined : { position: old.position, cache: old.cache };
      if (kept === undefined) this.#since.delete(id);
      this.subscribe(id, old.selector, new CheckedSubscription(this.#world.model, old.selector, kept));
    }
  }

  #take(frame: ServerFrame): void {
    if (frame.type === 'welcome') this.#epochs.set('', frame.epoch);
    if (frame.type === 'error') throw new Error(`${frame.code}: ${frame.message}`);
    if (frame.type === 'subscribed') {
      const sub = this.subs.get(frame.id);
      if (sub !== undefined) sub.topic = frame.topic;
    }
    for (const [id, sub] of this.subs) {
      if (frame.type !== 'bookmark' && !('topic' in frame && frame.topic === sub.topic)) continue;
      if (frame.type === 'reset') {
        this.resets.push(frame.reason);
        this.#epochs.set(id, frame.epoch);
      }
      sub.receive(frame);
      this.#moved(id, sub.position);
    }
  }

  /** Nobody is sent back to older data, not by a reset either. */
  #moved(id: string, revision: number | undefined): void {
    if (revision === undefined) return;
    const before = this.#since.get(id);
    if (before !== undefined && revision < before.revision) {
      throw new Error(`time travel: at ${revision}, after ${before.revision}`);
    }
    this.#since.set(id, { epoch: this.#epochs.get(id) ?? this.#epochs.get('') ?? '', revision });
  }
}
