import type { ResetFrame } from '../protocol/frames.ts';
import type { Connection } from './connection.ts';
import { Frame } from './frame.ts';
import { syncedFrame, type Snapshot } from './snapshot.ts';
import type { TopicGroup } from './topic-group.ts';
import { afterRead, afterStep, fallBehind, nextStep, resumable, type WatcherState } from './watcher.ts';

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

  /** From the revision on, which the log still holds. `synced`: the client need not be told when it is complete. */
  follow(revision: number, synced: boolean): void {
    this.state = { phase: 'following', sent: revision, synced };
    this.pump();
  }

  startOver(reason: ResetFrame['reason']): void {
    const { hub, wantsState } = this.connection;
    hub.metrics.resets.inc({ reason });
    this.group.live.delete(this);
    this.state = { phase: 'closed' };
    const reset: ResetFrame = { type: 'reset', topic: this.group.topic, epoch: hub.head.epoch, reason };
    this.connection.write(new Frame(JSON.stringify(reset)));
    if (wantsState) this.serveSnapshot();
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
    const { hub } = this.connection;
    hub.flush();
    this.group.live.delete(this);
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
          this.#readLog(step.from);
          break;
        case 'wait':
          return;
      }
      this.state = afterStep(this.state, step, upTo);
    }
  }

  end(): void {
    this.state = { phase: 'closed' };
    this.#snapshot = undefined;
    this.group.live.delete(this);
    this.connection.hub.leave(this.group);
  }

  #readLog(from: number): void {
    const { hub } = this.connection;
    const still = (): boolean => this.state.phase === 'reading' && this.state.sent === from;
    hub.readLog(from, READ).then(
      (read) => {
        if (!still()) return;
        // The log may have told of what is still pending here: afterwards the feed stands at least where the log did.
        hub.flush();
        if (read.kind === 'startOver') return this.startOver(read.reason);
        for (const frame of this.group.framesOf(read.entries)) this.connection.write(frame);
        this.state = afterRead(this.state, read.entries.at(-1)?.revision ?? from);
        this.pump();
      },
      (error: unknown) => {
        if (!still()) return;
        // The state is in memory: a client that cannot have the changes while the database is away can have that.
        hub.log.warn({ err: error }, 'the log could not be read for a resuming subscriber; it starts over');
        this.startOver('unavailable');
      },
    );
  }
}
