import type { Caller } from '../domain/command.ts';
import type { Position } from '../domain/position.ts';
import { topicOf, type Selector } from '../domain/selector.ts';
import type { Sight } from '../domain/visibility.ts';
import { CLOSE } from '../protocol/close-codes.ts';
import type {
  ClientFrame,
  ErrorFrame,
  ReauthFrame,
  ResetFrame,
  ServerFrame,
  SubscribeFrame,
} from '../protocol/frames.ts';
import { parseClientFrame } from '../protocol/parse-frame.ts';
import { tooSoon } from './frame-gate.ts';
import { Frame } from './frame.ts';
import type { Hub } from './hub.ts';
import type { Peer, Standing } from './peer.ts';
import type { Registrar, SignsOfLife } from './registrar.ts';
import { Registrations, type RegistrationFrame } from './registrations.ts';
import type { WatchSocket } from './socket.ts';
import { Subscription } from './subscription.ts';
import { bookmarkFrame } from './topic-group.ts';
import { whyNoSubscription } from './why-no-subscription.ts';

/** After so many frames that the protocol does not know, the client is not one of ours. */
const MAX_BAD_FRAMES = 16;
/** A client is asked for another token so long before the one that it has expires. */
const REAUTH_MS = 60_000;
/** Why a connection is closed with `accessEnded`. */
export const NOT_ANY_MORE = 'this caller may not watch any more';
const PONG = new Frame('{"type":"pong"}');

/** What a connection is, beside the socket that it goes over. */
export interface ConnectionFacts {
  /** In order of connecting. */
  readonly id: number;
  readonly peer: Peer;
  /** Where instances can be registered over it. */
  readonly registrar: Registrar | undefined;
}

/** One socket: takes the client's frames, and keeps its subscriptions and what was registered over it. */
export class Connection implements SignsOfLife {
  readonly hub: Hub;
  readonly id: number;
  readonly peer: Peer;
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly #socket: WatchSocket;
  readonly #registrar: Registrar | undefined;
  readonly #subscriptions: Subscription[] = [];
  /** There once it is needed: hardly any watcher registers. */
  #registrations: Registrations | undefined;
  #standing: Standing;
  #badFrames = 0;
  /** It has been asked for another token, and has not brought one yet. */
  #asked = false;
  #closed = false;
  /** When the queue went over its bound; undefined while it is below. */
  #blockedSince: number | undefined;
  #heardAt: number;

  constructor(hub: Hub, socket: WatchSocket, { id, peer, registrar }: ConnectionFacts) {
    this.hub = hub;
    this.id = id;
    this.peer = peer;
    this.#standing = peer.standing;
    this.since = hub.clock();
    this.#socket = socket;
    this.#registrar = registrar;
    this.#heardAt = hub.now();
    this.#socket.send(hub.welcome(peer));
  }

  /** Who it is now. */
  get caller(): Caller {
    return this.#standing.caller;
  }

  /** What it may see now. */
  get sight(): Sight {
    return this.#standing.sight;
  }

  /** When what it was let in by ends, where that does (milliseconds since 1970). */
  get passEndsAt(): number | undefined {
    return this.#standing.grant?.expiresAt;
  }

  get subscriptions(): readonly Subscription[] {
    return this.#subscriptions;
  }

  /** Instances whose leases it keeps. */
  get instances(): number {
    return this.#registrations?.size ?? 0;
  }

  get queuedBytes(): number {
    return this.#socket.queued;
  }

  get bytesSent(): number {
    return this.#socket.bytesSent;
  }

  get heardAt(): number {
    return this.#heardAt;
  }

  /** False for who waits for a change and asks anew after it: the state would be no answer. */
  get wantsState(): boolean {
    return this.peer.transport !== 'poll';
  }

  /** A sign of life: any frame or pong. */
  heard(): void {
    this.#heardAt = this.hub.now();
  }

  receive(text: string): void {
    if (this.#closed) return;
    this.heard();
    const parsed = parseClientFrame(text);
    if ('frame' in parsed) {
      const refusal = tooSoon(this.hub.gate, this, parsed.frame);
      return refusal === undefined ? this.#handle(parsed.frame) : this.#send(refusal);
    }
    this.#badFrames += 1;
    this.hub.metrics.badFrames.inc();
    if (this.#badFrames < MAX_BAD_FRAMES) return this.#error(parsed.error);
    const { message } = parsed.error;
    this.close(CLOSE.protocolError, `${MAX_BAD_FRAMES} frames were not of the protocol; last: ${message}`);
  }

  /** The socket's queue is empty again, so somebody has read what was in it. */
  drained(): void {
    this.heard();
    this.#blockedSince = undefined;
    this.#pumpAll();
  }

  write(frame: Frame): void {
    this.#socket.send(frame);
  }

  /** Whether so much waits for the socket that no more may be written to it (PUSH9). */
  overfull(): boolean {
    if (this.#socket.queued <= this.hub.limits.maxQueuedBytes) return false;
    this.#blockedSince ??= this.hub.now();
    return true;
  }

  /** Called once a heartbeat: is the client there, does it read, and where it stands (PUSH6, PUSH8). */
  heartbeat(): void {
    if (this.#closed) return;
    if (this.#standing.grant?.holds(this.hub.clock()) === false) {
      return this.close(CLOSE.tokenEnded, 'the token holds no longer; connect again with a new one');
    }
    this.#askForToken();
    // A poll has a time of its own, at which it is answered.
    if (this.peer.transport === 'poll') return;
    const { heartbeatMs, stallTimeoutMs } = this.hub.limits;
    const now = this.hub.now();
    // Where nothing is delivered nobody else looks, and bookmarks and pings pile up all the same.
    this.overfull();
    if (this.#blockedSince !== undefined) {
      // It cannot answer a ping that is behind all that waits for it: what counts is whether it takes that.
      if (now - this.#blockedSince > stallTimeoutMs) this.#cutOff();
      return;
    }
    if (this.peer.transport === 'websocket' && now - this.#heardAt > heartbeatMs * 2.5) {
      return this.close(CLOSE.silent, 'nothing was heard for two heartbeats');
    }
    const frame = this.#bookmark();
    if (frame !== undefined) this.#socket.send(frame);
    this.#socket.ping();
  }

  /**
   * The catalog says something else about who may do what. Whether it sees other things from now on: then nothing is
   * delivered to it before `startAnew`.
   */
  lookAgain(): boolean {
    const standing = this.peer.gate.look(this.#standing);
    if (standing === undefined) {
      this.close(CLOSE.accessEnded, NOT_ANY_MORE);
      return false;
    }
    const isOther = standing.sight.id !== this.#standing.sight.id;
    this.#standing = standing;
    this.#registrations?.lookAgain();
    if (isOther) for (const subscription of this.#subscriptions) subscription.group.live.delete(subscription);
    return isOther;
  }

  /** What was sent before says nothing about what it sees now. */
  startAnew(): void {
    const { sight } = this.#standing;
    for (const subscription of this.#subscriptions) {
      subscription.seeAs(this.hub.join(subscription.group.selector, sight));
    }
  }

  /** In good time, so that its subscriptions outlive the token. Streams and polls cannot answer: they connect anew. */
  #askForToken(): void {
    const { grant } = this.#standing;
    if (grant === undefined || this.#asked || this.peer.transport !== 'websocket') return;
    const { clock, limits } = this.hub;
    const expiresIn = grant.expiresAt - clock();
    if (expiresIn > Math.max(REAUTH_MS, 2 * limits.heartbeatMs)) return;
    this.#asked = true;
    this.#send({ type: 'reauth', expiresIn: Math.max(0, Math.round(expiresIn)) });
  }

  #reauth({ token }: ReauthFrame): void {
    void this.peer.gate.admit(token).then((standing) => {
      if (this.#closed) return;
      const { caller } = this.#standing;
      if (typeof standing === 'string') {
        this.#error({ code: 'invalid-token', message: `the token is not taken: ${standing}` });
      } else if (standing.caller.subject !== caller.subject) {
        this.#error({ code: 'invalid-token', message: 'the token is of somebody else; open another socket with it' });
      } else {
        // The catalog may have changed since the token was looked at.
        if (!this.#isUpToDate()) return;
        const now = this.peer.gate.look(standing);
        if (now === undefined) return this.close(CLOSE.accessEnded, NOT_ANY_MORE);
        const { id } = this.#standing.sight;
        this.#asked = false;
        this.#standing = now;
        this.#registrations?.lookAgain();
        if (now.sight.id !== id) this.startAnew();
        this.#send({ type: 'reauthed' });
      }
    });
  }

  /** The view was loaded anew: what was sent before says nothing about it. */
  reload(reason: ResetFrame['reason']): void {
    if (this.lookAgain()) return this.startAnew();
    for (const subscription of this.#subscriptions) {
      // Who looks at the log for its position may find it in what was loaded.
      if (subscription.state.phase !== 'looking') subscription.startOver(reason);
    }
  }

  /** What it was told may have been wrong. It is to go elsewhere, and to start over there. */
  disown(hint: string): void {
    for (const subscription of this.#subscriptions) subscription.disown();
    this.close(CLOSE.draining, hint);
  }

  close(code: number, reason: string): void {
    if (this.#closed) return;
    this.hub.noteClose(this, code);
    this.#closed = true;
    try {
      this.#socket.close(code, reason);
    } finally {
      this.#end();
    }
  }

  /** The socket is closed. `seen`: the peer's end of it was seen to go, so it was there until now. */
  ended(seen = true): void {
    if (this.#closed) return;
    if (seen) this.heard();
    this.#end();
  }

  subscribe({ id, select, since }: Omit<SubscribeFrame, 'type'>): void {
    if (!this.#isUpToDate()) return;
    const topic = topicOf(select);
    const refusal = whyNoSubscription(this, id, topic);
    if (refusal !== undefined) return this.#error({ id, ...refusal });
    const subscription = this.#join(id, select);
    subscription.group.keepDigest(this.hub.view);
    this.#send({ type: 'subscribed', id, topic });
    subscription.begin(since, false);
  }

  /** Changes alone, or a reset: no snapshot, no digest, and no word that there is nothing. For who waits for one answer. */
  follow(select: Selector, since: Position): void {
    if (this.#isUpToDate()) this.#join('', select).begin(since, true);
  }

  #handle(frame: ClientFrame): void {
    switch (frame.type) {
      case 'ping':
        this.#socket.send(PONG);
        return;
      case 'subscribe':
        this.subscribe(frame);
        return;
      case 'reauth':
        this.#reauth(frame);
        return;
      case 'register':
      case 'renew':
      case 'deregister':
        this.#register(frame);
        return;
      case 'unsubscribe':
      case 'resync': {
        const subscription = this.#subscriptions.find((other) => other.id === frame.id);
        if (subscription === undefined)
          return this.#error({ code: 'unknown-id', id: frame.id, message: `there is no subscription ${frame.id}` });
        if (frame.type === 'resync') {
          this.hub.metrics.mismatches.inc();
          return subscription.startOver('resync');
        }
        this.#subscriptions.splice(this.#subscriptions.indexOf(subscription), 1);
        subscription.end();
        this.hub.projects.remove(this.peer.standing.caller);
        this.#send({ type: 'unsubscribed', id: frame.id, topic: subscription.group.topic });
      }
    }
  }

  #register(frame: RegistrationFrame): void {
    if (this.#registrar === undefined) {
      const id = frame.id === undefined ? {} : { id: frame.id };
      return this.#error({ code: 'unavailable', message: 'instances cannot be registered here', ...id });
    }
    this.#registrations ??= new Registrations(this.#registrar, this, (answer) => this.#send(answer));
    this.#registrations.handle(frame);
  }

  /**
   * Nothing may be pending when a place in the history is decided on: what is sent from then on continues it. False when what
   * was pending has closed this connection.
   */
  #isUpToDate(): boolean {
    this.hub.flush();
    return !this.#closed;
  }

  #join(id: string, select: Selector): Subscription {
    const subscription = new Subscription(this, id, this.hub.join(select, this.#standing.sight));
    this.#subscriptions.push(subscription);
    this.hub.projects.add(this.peer.standing.caller);
    return subscription;
  }

  #pumpAll(): void {
    for (const subscription of this.#subscriptions) subscription.pump();
  }

  /** Only for sockets all of whose subscriptions are live: everything up to `flushed` was written before it (PUSH6). */
  #bookmark(): Frame | undefined {
    this.hub.flush();
    const { flushed } = this.hub.position;
    const live = this.#subscriptions.filter(({ state }) => state.phase === 'live');
    const first = live[0];
    if (first === undefined || live.length < this.#subscriptions.length) return undefined;
    if (live.length === 1) return first.group.bookmark(flushed);
    return bookmarkFrame(
      flushed,
      live.map(({ group }) => [group.topic, group.digest] as const),
    );
  }

  #cutOff(): void {
    const { epoch } = this.hub.head;
    const places = this.#subscriptions.map(({ sentRevision }) => sentRevision).filter((r) => r !== undefined);
    const revision = places.length === 0 ? 0 : Math.min(...places);
    this.hub.metrics.cutOffs.inc();
    this.close(CLOSE.tooSlow, JSON.stringify({ epoch, revision }));
  }

  #end(): void {
    this.#closed = true;
    for (const subscription of this.#subscriptions.splice(0)) {
      subscription.end();
      this.hub.projects.remove(this.peer.standing.caller);
    }
    this.#registrations?.end();
    this.hub.forget(this);
  }

  #error(error: Omit<ErrorFrame, 'type'>): void {
    this.#send({ type: 'error', ...error });
  }

  #send(frame: ServerFrame): void {
    if (!this.#closed) this.#socket.send(new Frame(JSON.stringify(frame)));
  }
}
