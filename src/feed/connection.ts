import { since as sinceHead, type ResetReason } from '../domain/position.ts';
import { topicOf } from '../domain/selector.ts';
import { CLOSE } from '../protocol/close-codes.ts';
import type { ErrorFrame, ClientFrame, ResetFrame } from '../protocol/frames.ts';
import { parseClientFrame } from '../protocol/parse-frame.ts';
import { Frame } from './frame.ts';
import type { Hub } from './hub.ts';
import { syncedText, type Snapshot } from './snapshot.ts';
import type { WatchSocket } from './socket.ts';
import { bookmarkText, type TopicGroup } from './topic-group.ts';
import { afterRead, afterStep, fallBehind, nextStep, resumable, type WatcherState } from './watcher.ts';

/** After so many frames that the protocol does not know, the client is not one of ours. */
const MAX_BAD_FRAMES = 16;
const READ = { entries: 500, bytes: 1024 * 1024 };
const PONG = new Frame('{"type":"pong"}');

/** One subscription of one socket. */
export class Watcher {
  readonly connection: Connection;
  readonly id: string;
  readonly group: TopicGroup<Watcher>;
  state: WatcherState;
  /** What a `snapshot` state is served from. */
  snapshot: Snapshot | undefined;

  constructor(connection: Connection, id: string, group: TopicGroup<Watcher>, state: WatcherState) {
    this.connection = connection;
    this.id = id;
    this.group = group;
    this.state = state;
  }
}

/** One socket: takes the client's frames, and brings each of its subscriptions to where the feed is. */
export class Connection {
  readonly #hub: Hub;
  readonly #socket: WatchSocket;
  readonly #watchers: Watcher[] = [];
  #badFrames = 0;
  #closed = false;
  /** When the queue went over its bound; undefined while it is below. */
  #blockedSince: number | undefined;
  #heardAt: number;

  constructor(hub: Hub, socket: WatchSocket) {
    this.#hub = hub;
    this.#socket = socket;
    this.#heardAt = hub.now();
    const { epoch } = hub.head;
    this.#socket.send(hub.welcome(epoch));
  }

  get subscriptions(): number {
    return this.#watchers.length;
  }

  /** A sign of life: any frame or pong. */
  heard(): void {
    this.#heardAt = this.#hub.now();
  }

  receive(text: string): void {
    if (this.#closed) return;
    this.heard();
    const parsed = parseClientFrame(text);
    if ('error' in parsed) {
      this.#badFrames += 1;
      this.#hub.metrics.badFrames.inc();
      if (this.#badFrames >= MAX_BAD_FRAMES) {
        this.close(
          CLOSE.protocolError,
          `${MAX_BAD_FRAMES} frames were not of the protocol; last: ${parsed.error.message}`,
        );
      } else {
        this.#error(parsed.error);
      }
      return;
    }
    this.#handle(parsed.frame);
  }

  /** The socket's queue is empty again, so somebody has read what was in it. */
  drained(): void {
    this.heard();
    this.#blockedSince = undefined;
    this.#pumpAll();
  }

  /** A live subscription's new frames; when the queue is over its bound it leaves the group and is caught up later (PUSH9). */
  deliver(watcher: Watcher, frames: readonly Frame[], sentBefore: number): void {
    if (this.#socket.queued > this.#hub.limits.maxQueuedBytes) {
      watcher.state = fallBehind(watcher.state, sentBefore);
      watcher.group.live.delete(watcher);
      this.#blockedSince ??= this.#hub.now();
      this.#hub.metrics.fellBehind.inc();
      return;
    }
    for (const frame of frames) this.#socket.send(frame);
  }

  /** Called once a heartbeat: is the client there, does it read, and where it stands (PUSH6, PUSH8). */
  heartbeat(): void {
    if (this.#closed) return;
    const { heartbeatMs, stallTimeoutMs } = this.#hub.limits;
    const now = this.#hub.now();
    if (this.#blockedSince !== undefined) {
      // It cannot answer a ping that is behind all that waits for it: what counts is whether it takes that.
      if (now - this.#blockedSince > stallTimeoutMs) this.#cutOff();
      return;
    }
    if (now - this.#heardAt > heartbeatMs * 2.5) {
      return this.close(CLOSE.silent, 'nothing was heard for two heartbeats');
    }
    const frame = this.#bookmark();
    if (frame !== undefined) this.#socket.send(frame);
    this.#socket.ping();
  }

  /** The view was loaded anew: what was sent before says nothing about it. */
  reload(reason: ResetReason): void {
    for (const watcher of this.#watchers) this.#startOver(watcher, reason);
    this.#pumpAll();
  }

  close(code: number, reason: string): void {
    if (this.#closed) return;
    this.#socket.close(code, reason);
    this.ended();
  }

  /** The socket is closed, by whomever. */
  ended(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const watcher of this.#watchers.splice(0)) this.#drop(watcher);
    this.#hub.forget(this);
  }

  #handle(frame: ClientFrame): void {
    switch (frame.type) {
      case 'ping':
        this.#socket.send(PONG);
        return;
      case 'subscribe':
        this.#subscribe(frame);
        return;
      case 'unsubscribe':
      case 'resync': {
        const watcher = this.#watchers.find((other) => other.id === frame.id);
        if (watcher === undefined)
          return this.#error({ code: 'unknown-id', id: frame.id, message: `there is no subscription ${frame.id}` });
        if (frame.type === 'resync') return this.#resync(watcher);
        this.#watchers.splice(this.#watchers.indexOf(watcher), 1);
        this.#drop(watcher);
        this.#send({ type: 'unsubscribed', id: frame.id, topic: watcher.group.topic });
      }
    }
  }

  #subscribe({ id, select, since }: Extract<ClientFrame, { type: 'subscribe' }>): void {
    const topic = topicOf(select);
    const sameTopic = this.#watchers.find((other) => other.group.topic === topic);
    if (this.#watchers.some((other) => other.id === id)) {
      return this.#error({
        code: 'duplicate-id',
        id,
        message: `subscription ${id} stands already; unsubscribe it first`,
      });
    }
    if (sameTopic !== undefined) {
      return this.#error({
        code: 'duplicate-topic',
        id,
        message: `subscription ${sameTopic.id} already selects the same`,
      });
    }
    const max = this.#hub.limits.maxSubscriptions;
    if (this.#watchers.length >= max) {
      return this.#error({
        code: 'too-many-subscriptions',
        id,
        message: `a socket holds at most ${max} subscriptions`,
      });
    }
    // Nothing may be pending when a place in the history is decided on: what is sent from here on continues it.
    this.#hub.flush();
    const group = this.#hub.join(topic, select);
    const watcher = new Watcher(this, id, group, { phase: 'closed' });
    this.#watchers.push(watcher);
    this.#send({ type: 'subscribed', id, topic });
    const answer = since === undefined ? undefined : sinceHead(this.#hub.head, since);
    if (answer === undefined) this.#serveSnapshot(watcher);
    else if (answer.kind === 'startOver') this.#startOver(watcher, answer.reason);
    else watcher.state = { phase: 'following', sent: since?.revision ?? 0, synced: false };
    this.#pump(watcher);
  }

  #resync(watcher: Watcher): void {
    this.#hub.metrics.mismatches.inc();
    this.#startOver(watcher, 'resync');
    this.#pump(watcher);
  }

  #startOver(watcher: Watcher, reason: ResetFrame['reason']): void {
    this.#hub.metrics.resets.inc({ reason });
    this.#send({ type: 'reset', topic: watcher.group.topic, epoch: this.#hub.head.epoch, reason });
    this.#serveSnapshot(watcher);
  }

  #serveSnapshot(watcher: Watcher): void {
    this.#hub.flush();
    watcher.group.live.delete(watcher);
    watcher.snapshot = this.#hub.snapshotOf(watcher.group);
    watcher.state = {
      phase: 'snapshot',
      revision: watcher.snapshot.revision,
      chunks: watcher.snapshot.chunks,
      next: 0,
    };
  }

  #pumpAll(): void {
    for (const watcher of this.#watchers) this.#pump(watcher);
  }

  /** Carries out steps until the watcher is live, waits for the log, or the socket's queue is over its bound. */
  #pump(watcher: Watcher): void {
    const { group } = watcher;
    while (!this.#closed && watcher.state.phase !== 'live') {
      if (this.#socket.queued > this.#hub.limits.maxQueuedBytes) {
        this.#blockedSince ??= this.#hub.now();
        return;
      }
      const feed = this.#hub.position;
      const step = nextStep(watcher.state, feed);
      let upTo = feed.flushed;
      switch (step.do) {
        case 'chunk':
          if (watcher.snapshot !== undefined) this.#socket.send(watcher.snapshot.chunk(step.index));
          break;
        case 'syncedSnapshot':
          if (watcher.snapshot !== undefined) this.#socket.send(watcher.snapshot.synced);
          watcher.snapshot = undefined;
          break;
        case 'changes': {
          const stretch = this.#hub.recent(group, step.from);
          for (const frame of stretch.frames) this.#socket.send(frame);
          upTo = stretch.upTo;
          break;
        }
        case 'synced':
          this.#socket.send(new Frame(syncedText(group.topic, feed.flushed, group.digest)));
          break;
        case 'join':
          group.live.add(watcher);
          break;
        case 'read':
          this.#readLog(watcher, step.from);
          break;
        case 'wait':
          return;
      }
      watcher.state = afterStep(watcher.state, step, upTo);
    }
  }

  #readLog(watcher: Watcher, from: number): void {
    const still = (): boolean => !this.#closed && watcher.state.phase === 'reading' && watcher.state.sent === from;
    this.#hub.readLog(from, READ).then(
      (read) => {
        if (!still()) return;
        // The log may have told of what is still pending here: afterwards the feed stands at least where the log did.
        this.#hub.flush();
        if (read.kind === 'startOver') {
          this.#startOver(watcher, read.reason);
        } else {
          for (const frame of watcher.group.framesOf(read.entries)) this.#socket.send(frame);
          watcher.state = afterRead(watcher.state, read.entries.at(-1)?.revision ?? from);
        }
        this.#pump(watcher);
      },
      (error: unknown) => {
        if (!still()) return;
        // The state is in memory: a client that cannot have the changes while the database is away can have that.
        this.#hub.log.warn({ err: error }, 'the log could not be read for a resuming subscriber; it starts over');
        this.#startOver(watcher, 'unavailable');
        this.#pump(watcher);
      },
    );
  }

  /** Only for sockets all of whose subscriptions are live: everything up to `flushed` was written before it (PUSH6). */
  #bookmark(): Frame | undefined {
    this.#hub.flush();
    const { flushed } = this.#hub.position;
    const live = this.#watchers.filter((watcher) => watcher.state.phase === 'live');
    const first = live[0];
    if (first === undefined || live.length < this.#watchers.length) return undefined;
    if (live.length === 1) return first.group.bookmark(flushed);
    return new Frame(
      bookmarkText(
        flushed,
        live.map(({ group }) => [group.topic, group.digest] as const),
      ),
    );
  }

  #cutOff(): void {
    const { epoch } = this.#hub.head;
    const { flushed } = this.#hub.position;
    const places = this.#watchers.map((watcher) => resumable(watcher.state, flushed)).filter((r) => r !== undefined);
    const revision = places.length === 0 ? 0 : Math.min(...places);
    this.#hub.metrics.cutOffs.inc();
    this.close(CLOSE.tooSlow, JSON.stringify({ epoch, revision }));
  }

  #drop(watcher: Watcher): void {
    watcher.state = { phase: 'closed' };
    watcher.snapshot = undefined;
    watcher.group.live.delete(watcher);
    this.#hub.leave(watcher.group);
  }

  #error(error: Omit<ErrorFrame, 'type'>): void {
    this.#send({ type: 'error', ...error });
  }

  #send(frame: object): void {
    this.#socket.send(new Frame(JSON.stringify(frame)));
  }
}
