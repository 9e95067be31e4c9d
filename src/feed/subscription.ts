import { isElsewhere, since as sinceHead, type Position } from '../domain/position.ts';
import { CLOSE } from '../protocol/close-codes.ts';
import type { ResetFrame } from '../protocol/frames.ts';
import type { Connection } from './connection.ts';
import { Frame } from './frame.ts';
import { syncedFrame, type Snapshot } from './snapshot.ts';
import type { TopicGroup } from './topic-group.ts';
import { afterRead, afterStep, fallBehind, nextStep, resumable, type WatcherState } from './watcher.ts';

/** A client that is ahead of this node, while the log cannot be asked, tries the others, or this one again, within this time. */
const ELSEWHERE_MS = 2000;
const READ = { entries: 500, bytes: 1024 * 1024 };

/** One subscription of one socket: brings it to where the feed is, as far as the socket's queue takes it. */
export class Subscription {
  readonly connection: Connection;
  /** The client's own; empty where there can be only one. */
  readonly id: string;
  group: TopicGroup<Subscription>;
  state: WatcherState = { phase: 'closed' };
  /** What a `snapshot` state is served from. */
  #snapshot: Snapshot | undefined;
  /** Why it cannot go on from its position although that may be found. */
  #resetInstead: ResetFrame['reason'] | undefined;
  #ended = false;

  constructor(connection: Connection, id: string, group: TopicGroup<Subscription>) {
    this.connection = connection;
    this.id = id;
    this.group = group;
  }

  /** Everything up to there has been written; `undefined` before the first snapshot is whole. */
  get sentRevision(): number | undefined {
    return resumable(this.state, this.connection.hub.position.flushed);
  }

  /** A live subscription's new frames; when the queue is over its bound it leaves the group and is caught up later (PUSH9). */
  deliver(frames: readonly Frame[], sentBefore: number): void {
    const { connection } = this;
    if (connection.overfull()) {
      this.state = fallBehind(this.state, sentBefore);
      this.group.live.delete(this);
      connection.hub.metrics.fellBehind.inc();
      return;
    }
    for (const frame of frames) connection.write(frame);
  }

  /** From the position on, or from the state. `synced`: the client need not be told when it is complete. */
  begin(since: Position | undefined, synced: boolean): void {
    if (since === undefined) return this.serveSnapshot();
    if (isElsewhere(this.connection.hub.head, since)) return this.#look(since, synced);
    this.#resume(since, synced);
  }

  startOver(reason: ResetFrame['reason']): void {
    if (this.state.phase === 'looking') {
      // The state that is here is older than what the client has.
      this.#resetInstead = reason;
      return;
    }
    this.#reset(reason);
    if (this.connection.wantsState) this.serveSnapshot();
  }

  /** What was told may have been wrong, and nothing more is told here: nobody is to go on from it elsewhere. */
  disown(): void {
    this.#reset('fenced');
  }

  /** Who it is for sees other things from now on: what was sent before says nothing about those. */
  seeAs(group: TopicGroup<Subscription>): void {
    const { hub } = this.connection;
    this.group.live.delete(this);
    hub.leave(this.group);
    this.group = group;
    group.keepDigest(hub.view);
    this.startOver('access');
  }

  serveSnapshot(): void {
    const { group } = this;
    const { hub } = this.connection;
    hub.flush();
    // Who it is for may be nobody by what was pending, or somebody else, who has been served already.
    if (this.#ended || this.group !== group) return;
    group.live.delete(this);
    this.#snapshot = hub.snapshotOf(this.group);
    const { revision, chunks } = this.#snapshot;
    this.state = { phase: 'snapshot', revision, chunks, next: 0 };
    this.pump();
  }

  /** Carries out steps until it is live, waits for the log, or the socket's queue is over its bound. */
  pump(): void {
    const { connection, group } = this;
    const { hub } = connection;
    while (this.state.phase !== 'live' && this.state.phase !== 'closed') {
      if (connection.overfull()) return;
      const feed = hub.position;
      const step = nextStep(this.state, feed);
      let upTo = feed.flushed;
      switch (step.do) {
        case 'chunk':
          if (this.#snapshot !== undefined) connection.write(this.#snapshot.chunk(step.index));
          break;
        case 'syncedSnapshot':
          if (this.#snapshot !== undefined) connection.write(this.#snapshot.synced);
          this.#snapshot = undefined;
          break;
        case 'changes': {
          const stretch = hub.recent(group, step.from);
          for (const frame of stretch.frames) connection.write(frame);
          upTo = stretch.upTo;
          break;
        }
        case 'synced':
          connection.write(syncedFrame(group.topic, feed.flushed, group.digest));
          break;
        case 'join':
          group.live.add(this);
          break;
        case 'read':
          // Before it asks: what that brings to light may have it start over.
          this.state = afterStep(this.state, step, upTo);
          return this.#readLog(step.from);
        case 'wait':
          return;
      }
      this.state = afterStep(this.state, step, upTo);
    }
  }

  end(): void {
    this.#ended = true;
    this.state = { phase: 'closed' };
    this.#snapshot = undefined;
    this.group.live.delete(this);
    this.connection.hub.leave(this.group);
  }

  #reset(reason: ResetFrame['reason']): void {
    const { hub } = this.connection;
    hub.metrics.resets.inc({ reason });
    this.group.live.delete(this);
    this.state = { phase: 'closed' };
    const reset: ResetFrame = { type: 'reset', topic: this.group.topic, epoch: hub.head.epoch, reason };
    this.connection.write(new Frame(JSON.stringify(reset)));
  }

  #resume(since: Position, synced: boolean): void {
    const { hub } = this.connection;
    const answer = sinceHead(hub.head, since);
    if (answer.kind === 'startOver') {
      hub.metrics.resumes.inc({ from: 'snapshot' });
      return this.startOver(answer.reason);
    }
    hub.metrics.resumes.inc({ from: since.revision >= hub.position.ringFrom ? 'memory' : 'log' });
    this.state = { phase: 'following', sent: since.revision, synced };
    this.pump();
  }

  /** Only what the log does not know either is started over: what is here may be older than what the client has. */
  #look(since: Position, synced: boolean): void {
    const { connection } = this;
    const { hub } = connection;
    const { epoch } = hub.head;
    this.state = { phase: 'looking', sent: since.revision };
    hub.reach(since).then(
      () => {
        hub.flush();
        if (this.state.phase !== 'looking') return;
        this.state = { phase: 'closed' };
        // The client takes what comes for a part of the epoch in its welcome.
        const reason = this.#resetInstead ?? (hub.head.epoch === epoch ? undefined : 'epoch');
        if (reason === undefined) this.#resume(since, synced);
        else this.startOver(reason);
      },
      (error: unknown) => {
        if (this.state.phase !== 'looking') return;
        hub.log.warn({ err: error }, 'a subscriber is ahead of this node, and the log cannot be read; it is sent away');
        connection.close(CLOSE.behind, hub.retryHint(ELSEWHERE_MS));
      },
    );
  }

  #readLog(from: number): void {
    const { hub } = this.connection;
    const still = (): boolean => this.state.phase === 'reading' && this.state.sent === from;
    hub.readLog(from, READ).then(
      (read) => {
        // The log may have told of what is still pending here: afterwards the feed stands at least where the log did.
        hub.flush();
        if (!still()) return;
        if (read.kind === 'startOver') return this.startOver(read.reason);
        for (const frame of this.group.framesOf(read.entries)) this.connection.write(frame);
        this.state = afterRead(this.state, read.entries.at(-1)?.revision ?? from);
        this.pump();
      },
      (error: unknown) => {
        hub.flush();
        if (!still()) return;
        // The state is in memory: a client that cannot have the changes while the database is away can have that.
        hub.log.warn({ err: error }, 'the log could not be read for a resuming subscriber; it starts over');
        this.startOver('unavailable');
      },
    );
  }
}
