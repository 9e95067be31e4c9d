import type { Counter } from 'prom-client';
import type { Logger } from 'pino';
import type { Head, Position } from '../domain/position.ts';
import type { Selector } from '../domain/selector.ts';
import type { View } from '../domain/view.ts';
import type { Sight } from '../domain/visibility.ts';
import { CLOSE } from '../protocol/close-codes.ts';
import { PROTOCOL_VERSION } from '../protocol/version.ts';
import { Connection, NOT_ANY_MORE } from './connection.ts';
import { mayEndAccess } from './ends-access.ts';
import type { FrameGate } from './frame-gate.ts';
import type { Frame } from './frame.ts';
import { History, type Read, type ReadLimit } from './history.ts';
import { Lookout } from './lookout.ts';
import { oneAfterAnother } from './one-after-another.ts';
import type { Peer } from './peer.ts';
import { ProjectSubscriptions } from './project-subscriptions.ts';
import type { Registrar } from './registrar.ts';
import { Ring } from './ring.ts';
import { Roster, type CutOff } from './roster.ts';
import type { Snapshot } from './snapshot.ts';
import type { WatchSocket } from './socket.ts';
import type { Subscription } from './subscription.ts';
import type { FoldedEntry, ReloadReason, Tail, TailListener } from './tail.ts';
import { Offer, PublicSnapshots, SharedFrames, type Stretch, type TopicGroup } from './topic-group.ts';
import { Topics } from './topics.ts';
import { Turns } from './turns.ts';
import type { FeedPosition } from './watcher.ts';
import { resumeWithinMs, Welcome } from './welcome.ts';
import type { Store } from '../store/port.ts';
import type { DeliveryTraces } from '../tracing/port.ts';

export interface HubLimits {
  /** Bytes handed to one socket and not yet taken by the operating system, beyond which it is not written to. */
  readonly maxQueuedBytes: number;
  readonly maxSubscriptions: number;
  readonly maxSockets: number;
  readonly heartbeatMs: number;
  /** How long a socket may stay over `maxQueuedBytes`. */
  readonly stallTimeoutMs: number;
  /** Bytes of recent changes kept in memory. */
  readonly ringBytes: number;
  /** Subscriptions of one project's service accounts; without it, any number. */
  readonly maxProjectSubscriptions?: number;
}

export interface HubMetrics {
  readonly frames: Pick<Counter, 'inc'>;
  readonly fellBehind: Pick<Counter, 'inc'>;
  readonly cutOffs: Pick<Counter, 'inc'>;
  readonly mismatches: Pick<Counter, 'inc'>;
  readonly badFrames: Pick<Counter, 'inc'>;
  readonly resets: Pick<Counter<'reason'>, 'inc'>;
  /** Subscriptions that came with a position, by what they go on from: `memory`, `log` or `snapshot`. */
  readonly resumes: Pick<Counter<'from'>, 'inc'>;
  /** Reads and looks that go to the store. */
  readonly logReads: Pick<Counter, 'inc'>;
  /** Seconds from an entry's commit until it was written to every live subscription. */
  readonly flushDelay: { observe(seconds: number): void };
}

export interface HubDeps {
  readonly tail: Pick<Tail, 'head' | 'view' | 'catchUp'>;
  readonly store: Pick<Store, 'changesSince'>;
  readonly limits: HubLimits;
  readonly metrics: HubMetrics;
  readonly log: Pick<Logger, 'warn' | 'info'>;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Milliseconds since 1970, for people. */
  readonly clock: () => number;
  readonly random: () => number;
  /** Without it, a peer may ask as often as it likes. */
  readonly gate?: FrameGate;
  /** Hears of flushes that it waits for; without it, nothing is traced. */
  readonly traces?: DeliveryTraces;
}

/** What a subscriber that is behind gets in one go, before its queue is looked at again. */
const STRETCH_BYTES = 512 * 1024;

/** Few of the database's connections, so that commits and the tail have theirs however many come from far back. */
const LOG_READS = { atOnce: 2, patienceMs: 5000 };

/** Who is sent away may go to another node at once: they leave one after the other already. */
const LEAVE_MS = 250;
/** Who is not let in may come to the same node again. */
const TURNED_AWAY_MS = 2000;
const FULL_MS = 5000;

/**
 * The fan-out: routes each change to the groups that may want it, and their frames to the sockets. Entries that arrive
 * within one turn of the event loop are flushed together, so under load there are fewer and larger messages.
 */
export class Hub implements TailListener {
  readonly limits: HubLimits;
  readonly metrics: HubMetrics;
  readonly log: HubDeps['log'];
  readonly now: () => number;
  readonly clock: () => number;
  readonly gate: FrameGate | undefined;
  readonly projects: ProjectSubscriptions;
  readonly #traces: DeliveryTraces | undefined;
  readonly #tail: HubDeps['tail'];
  readonly #random: () => number;
  readonly #topics = new Topics();
  readonly #roster = new Roster();
  readonly #publicSnapshots = new PublicSnapshots();
  readonly #history: History;
  #beatAt = Number.POSITIVE_INFINITY;
  #ring: Ring;
  #pending: { news: FoldedEntry; at: number }[] = [];
  #flushed: number;
  #scheduled = false;
  readonly #lookout: Lookout;
  readonly #welcome = new Welcome();
  #draining = false;
  #fenced = false;

  constructor(deps: HubDeps) {
    this.#tail = deps.tail;
    this.limits = deps.limits;
    this.metrics = deps.metrics;
    this.log = deps.log;
    this.now = deps.now;
    this.clock = deps.clock;
    this.gate = deps.gate;
    this.#traces = deps.traces;
    this.projects = new ProjectSubscriptions(deps.limits.maxProjectSubscriptions);
    this.#random = deps.random;
    this.#flushed = deps.tail.head.revision;
    this.#ring = new Ring(deps.limits.ringBytes, this.#flushed);
    this.#lookout = new Lookout(deps.tail, deps.metrics.logReads);
    this.#history = new History({
      store: deps.store,
      state: this,
      lookout: this.#lookout,
      turns: new Turns({ ...LOG_READS, now: deps.now }),
      counter: deps.metrics.logReads,
    });
  }

  /** What the view has and the ring does not yet would be missing from an answer that names the view's head. */
  get ring(): Ring {
    this.flush();
    return this.#ring;
  }

  get head(): Head {
    return this.#tail.head;
  }

  get position(): FeedPosition {
    return { flushed: this.#flushed, ringFrom: this.#ring.from };
  }

  get history(): History {
    return this.#history;
  }

  get view(): View {
    return this.#tail.view;
  }

  get connections(): number {
    return this.#roster.size;
  }

  /** Everyone who is connected, in order of connecting. */
  get subscribers(): Iterable<Connection> {
    return this.#roster;
  }

  /** The last who were sent away for a fault of theirs, the newest first. */
  get cutOffs(): readonly CutOff[] {
    return this.#roster.cutOffs;
  }

  /** It sends its watchers away and takes no more. */
  get draining(): boolean {
    return this.#draining;
  }

  /** What it has told may be wrong: it has no watchers, and takes none. */
  get fenced(): boolean {
    return this.#fenced;
  }

  get topics(): number {
    return this.#topics.size;
  }

  get subscriptions(): number {
    return this.#topics.members;
  }

  get ringBytes(): number {
    return this.#ring.bytes;
  }

  onAdvance(entries: readonly FoldedEntry[]): void {
    const at = this.now();
    for (const news of entries) this.#pending.push({ news, at });
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.flush();
    });
  }

  /**
   * Takes its place at the head of the view that was just loaded, with the newest part of the log in the ring, so that
   * those who resume after a restart need no database read.
   */
  async start(warmUp: ReadLimit): Promise<void> {
    this.#takePlace();
    const { epoch, revision, trimmed } = this.head;
    // Of large entries fewer fit, and what does not reach the head is of no use.
    for (let { entries } = warmUp; entries >= 1; entries = Math.floor(entries / 8)) {
      const from = Math.max(trimmed, revision - entries);
      if (from >= revision) return;
      const recent = await this.#history.read({ epoch, revision: from }, warmUp);
      if (recent.kind !== 'changes' || recent.entries.at(-1)?.revision !== this.#flushed) continue;
      const ring = new Ring(this.limits.ringBytes, from);
      for (const entry of recent.entries) ring.push(entry);
      this.#ring = ring;
      return;
    }
  }

  onReload(why: ReloadReason): void {
    const reason = why === 'differs' ? 'fenced' : why;
    this.#takePlace();
    this.#publicSnapshots.clear();
    for (const group of this.#topics) group.rebuild(this.#tail.view);
    for (const connection of this.#roster) connection.reload(reason);
  }

  /** Writes all that is pending to the live subscriptions. Afterwards the feed stands where the view does. */
  flush(): void {
    if (this.#pending.length === 0) return;
    const pending = this.#pending;
    this.#pending = [];
    const before = this.#flushed;
    const touched = new Set<TopicGroup<Subscription>>();
    let ordinal = 0;
    let looksAgain = false;
    for (const { news } of pending) {
      const { entry, folded } = news;
      this.#ring.push(entry);
      for (const { change, before: replaced } of folded) {
        const offer = new Offer(ordinal++, entry.revision, change, replaced);
        looksAgain ||= mayEndAccess(change, replaced);
        this.#topics.offer(offer, touched);
      }
      this.#flushed = entry.revision;
    }
    // Before anything is delivered: whoever is nobody from now on is told no more, and who sees other things starts over.
    const moved = looksAgain ? [...this.#roster].filter((connection) => connection.lookAgain()) : [];
    const shared = new SharedFrames();
    for (const group of touched) this.#deliver(group, before, shared);
    for (const connection of moved) connection.startAnew();
    const now = this.now();
    for (const { at } of pending) this.metrics.flushDelay.observe((now - at) / 1000);
    if (this.#traces?.waiting === true) this.#traces.delivered(this.#flushed, touched.size, liveIn(touched));
  }

  #takePlace(): void {
    this.#pending = [];
    this.#flushed = this.#tail.head.revision;
    this.#ring = new Ring(this.limits.ringBytes, this.#flushed);
  }

  #deliver(group: TopicGroup<Subscription>, before: number, shared: SharedFrames): void {
    const frames = group.take(shared);
    this.metrics.frames.inc(frames.length * group.live.size);
    for (const subscription of group.live) subscription.deliver(frames, before);
  }

  /**
   * Takes in a socket, or closes it when there are too many, or its peer may not watch any more. With a registrar, instances can be
   * registered over it.
   */
  connect(socket: WatchSocket, peer: Peer, registrar?: Registrar): Connection | undefined {
    if (this.#draining || this.#fenced) {
      socket.close(CLOSE.draining, this.retryHint(TURNED_AWAY_MS));
      return undefined;
    }
    if (this.#roster.size >= this.limits.maxSockets) {
      socket.close(CLOSE.full, this.retryHint(FULL_MS));
      return undefined;
    }
    // It may have waited since it was let in, and only those who are in the roster are looked at again.
    const standing = peer.gate.look(peer.standing);
    if (standing === undefined) {
      socket.close(CLOSE.accessEnded, NOT_ANY_MORE);
      return undefined;
    }
    const facts = { id: this.#roster.nextId(), peer: { ...peer, standing }, registrar };
    const connection = new Connection(this, socket, facts);
    this.#roster.add(connection);
    return connection;
  }

  forget(connection: Connection): void {
    this.#roster.delete(connection);
  }

  /** The server closes a connection, for whatever reason. */
  noteClose(connection: Connection, code: number): void {
    this.#roster.noteClose(connection, code, this.clock());
  }

  /** To be called `HEARTBEAT_SLICES` times a heartbeat. */
  heartbeat(): void {
    const now = this.now();
    // A process that was held up has not read what its clients said meanwhile: the silence is its own.
    if (now - this.#beatAt > this.limits.heartbeatMs / 2) {
      for (const connection of this.#roster) connection.heard();
    }
    this.#beatAt = now;
    for (const connection of this.#roster.nextSlice()) connection.heartbeat();
  }

  /**
   * Sends everyone away, one after the other within `spreadMs`, and takes nobody from here on. Resolves when all are told;
   * a second call need not wait for the first.
   */
  async drain(spreadMs: number): Promise<void> {
    this.#draining = true;
    this.flush();
    const leave = (connection: Connection): void => connection.close(CLOSE.draining, this.retryHint(LEAVE_MS));
    const isOver = (): boolean => this.#roster.size === 0;
    await oneAfterAnother([...this.#roster], leave, { spreadMs, now: this.now, isOver });
  }

  /** The view has turned out to be wrong: what anybody was told from it is taken back, and nobody is let in until `unfence`. */
  fence(): void {
    this.#fenced = true;
    const spreadMs = resumeWithinMs(this.#roster.size);
    for (const connection of this.#roster) connection.disown(this.retryHint(spreadMs));
  }

  /** The view was loaded anew. */
  unfence(): void {
    this.#fenced = false;
  }

  welcome({ protocol = PROTOCOL_VERSION }: Pick<Peer, 'protocol'>): Frame {
    const { epoch, revision } = this.head;
    const { heartbeatMs: heartbeat } = this.limits;
    return this.#welcome.say({ protocol, epoch, revision, heartbeat, sockets: this.#roster.size });
  }

  /** Looks at the log for a position that is ahead of this node. Rejects as the store does. */
  reach(position: Position): Promise<void> {
    return this.#lookout.reach(position);
  }

  join(selector: Selector, sight: Sight): TopicGroup<Subscription> {
    return this.#topics.join(selector, sight);
  }

  leave(group: TopicGroup<Subscription>): void {
    this.#topics.leave(group);
  }

  snapshotOf(group: TopicGroup<Subscription>): Snapshot {
    return group.snapshot(this.#tail.view, this.#flushed, this.#publicSnapshots);
  }

  /** The next stretch from the ring after `from`, which the ring covers. */
  recent(group: TopicGroup<Subscription>, from: number): Stretch {
    return group.catchUp(from, this.#flushed, () => this.#ring.after(from, STRETCH_BYTES) ?? []);
  }

  readLog(from: number, limit: ReadLimit): Promise<Read> {
    return this.#history.read({ epoch: this.head.epoch, revision: from }, limit);
  }

  retryHint(spreadMs: number): string {
    return JSON.stringify({ retryAfterMs: Math.round(this.#random() * spreadMs) });
  }
}

function liveIn(groups: Iterable<TopicGroup<Subscription>>): number {
  let sum = 0;
  for (const group of groups) sum += group.live.size;
  return sum;
}
