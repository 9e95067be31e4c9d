import { Cache, type CacheEvent, type FeedFrame } from '../cache/cache.ts';
import type { Keep } from '../cache/keep.ts';
import { isSameCaller, type Caller } from '../caller.ts';
import { backoffMs, LONGEST_ASKED_MS } from '../connection/backoff.ts';
import { fitsFrame, LONGEST_FRAME } from '../connection/longest-frame.ts';
import type { ClientFrame, ErrorFrame, Select } from '../../protocol/frames.ts';
import { SignalboxError } from '../errors.ts';
import type { Time } from '../time.ts';
import { Copier } from './copier.ts';
import { WatchHandle, type Shared } from './handle.ts';
import type { Snapshot, WatchState } from './watch.ts';

/** What a link is to subscriptions. */
export interface LinkedAs {
  readonly epoch: string;
  readonly caller: Caller;
  /** Whether the server says digests over it, so that what is gone on from is found out if it was another's. */
  readonly digests: boolean;
}

export interface SubscriptionDeps {
  readonly time: Time;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly random: () => number;
  /** As `Kept` has it. */
  readonly server: string;
  readonly keep: Keep | undefined;
  /** Whose copies may be begun with; undefined where that is not known. */
  readonly caller: () => Promise<Caller | undefined>;
  /** Drops it where there is no link. */
  readonly send: (frame: ClientFrame) => void;
  readonly onChange: () => void;
  readonly onError: (error: SignalboxError) => void;
  readonly onMismatch: (about: { readonly topic: string; readonly revision: number }) => void;
  readonly onReset: (about: { readonly topic: string; readonly reason: string }) => void;
  readonly onFault: (error: unknown) => void;
  /** What goes wrong with the connection at present. */
  readonly trouble: () => SignalboxError | undefined;
}

/** A copy that disagrees so often in a row is not mended by another one at once. */
const MISMATCHES = 3;
const MISMATCH_BACKOFF = { baseMs: 2000, maxMs: 60_000 };
const REFUSED_MS = 30_000;
const RATE_LIMITED_MS = 1000;
/** What may be had once others let go of theirs, or somebody gives a right. */
const FOR_NOW: ReadonlySet<ErrorFrame['code']> = new Set(['quota-exceeded', 'too-many-subscriptions', 'forbidden']);

/** One selection: its copy, those who watch it, and what is asked of the server for it. */
export class Subscription implements Shared {
  readonly id: string;
  readonly select: Select;
  /** The selection in canonical form, as this client writes it. */
  readonly topic: string;
  readonly #deps: SubscriptionDeps;
  readonly #cache = new Cache();
  readonly #handles = new Set<WatchHandle>();
  readonly #copier: Copier | undefined;
  #linked: LinkedAs | undefined;
  /**
   * As whom this client got what it holds: as a whole, or by a digest that agreed. Undefined for what another process left, and for
   * what was begun as somebody else.
   */
  #owner: Caller | undefined;
  /** A copy of an earlier process is looked for first. */
  #prepared: boolean;
  #asked: ClientFrame | undefined;
  #cancelAgain: (() => void) | undefined;
  #mismatches = 0;
  #currentAt = -Infinity;
  #failure: SignalboxError | undefined;
  #isRefused = false;
  #ended = false;
  #state: WatchState = 'loading';

  constructor(id: string, topic: string, select: Select, deps: SubscriptionDeps) {
    this.id = id;
    this.topic = topic;
    this.select = select;
    this.#deps = deps;
    this.#prepared = deps.keep === undefined;
    if (deps.keep !== undefined) {
      this.#copier = new Copier({
        ...deps,
        keep: deps.keep,
        topic,
        cache: this.#cache,
        currentAt: () => this.#saidCurrentAt(),
        owner: () => this.#owner,
      });
      void this.#prepare(this.#copier);
    }
  }

  get state(): WatchState {
    return this.#state;
  }

  get snapshot(): Snapshot | undefined {
    return this.#cache.snapshot;
  }

  get age(): number {
    if (this.#cache.current) return 0;
    return this.snapshot === undefined ? Infinity : this.#deps.time.now() - this.#currentAt;
  }

  get error(): SignalboxError | undefined {
    return this.#failure ?? this.#deps.trouble();
  }

  /** As the server names it over this link. */
  get serverTopic(): string | undefined {
    return this.#cache.topic;
  }

  get prepared(): boolean {
    return this.#prepared;
  }

  /** It is not to be had at present, and is asked for again after a while: nothing waits for it. */
  get refusedForNow(): boolean {
    return this.#isRefused;
  }

  get watched(): boolean {
    return this.#handles.size > 0;
  }

  handle(): WatchHandle {
    const { time, onFault } = this.#deps;
    const onClose = (closing: WatchHandle): void => {
      this.#handles.delete(closing);
      this.#deps.onChange();
    };
    const handle = new WatchHandle({ shared: this, time, onFault, onClose });
    this.#handles.add(handle);
    return handle;
  }

  linked(link: LinkedAs): void {
    this.#linked = link;
    if (!isSameCaller(this.#owner, link.caller)) this.#owner = undefined;
    this.#cache.connected(link.epoch);
    if (this.#prepared) this.#subscribe();
    this.#told();
  }

  unlinked(): void {
    this.#linked = undefined;
    this.#isRefused = false;
    if (this.#cache.current) this.#currentAt = this.#deps.time.now();
    this.#cache.disconnected();
    this.#cancelAgain?.();
    this.#asked = undefined;
    this.#told();
  }

  subscribed(topic: string): void {
    this.#cache.subscribed(topic);
  }

  fold(frame: FeedFrame): void {
    const wasCurrent = this.#cache.current;
    const events = this.#cache.fold(frame);
    if (this.#cache.current && isProof(frame, events)) this.#owner = this.#linked?.caller;
    for (const event of events) this.#on(event);
    // Who was told of it may have closed the last watch.
    if (this.#ended) return;
    if (wasCurrent && !this.#cache.current) this.#currentAt = this.#deps.time.now();
    if (this.#cache.current) {
      // There is nothing left to ask again for.
      this.#cancelAgain?.();
      // A copy that came anew agrees with itself; only a bookmark shows that changes are kept as well.
      if (frame.type === 'bookmark') this.#mismatches = 0;
      this.#copier?.note(frame.type === 'bookmark' ? 'position' : 'changes');
    }
    this.#told();
  }

  /** An error that names this subscription. */
  refused({ code, message, retryAfterMs, retryAfter }: ErrorFrame): void {
    const asked = this.#asked;
    if (code === 'rate-limited' || code === 'unavailable') {
      const afterMs = retryAfterMs ?? (retryAfter === undefined ? RATE_LIMITED_MS : retryAfter * 1000);
      if (asked !== undefined) this.#later(Math.min(afterMs, LONGEST_ASKED_MS), () => this.#ask(asked));
      return;
    }
    const error = new SignalboxError('refused', `${this.topic} cannot be watched: ${message}`, {
      problem: { title: code, detail: message },
    });
    this.#failure = error;
    this.#deps.onError(error);
    // What was held once may be had again; who never had anything is told that it cannot be had.
    if (this.#cache.snapshot === undefined && !FOR_NOW.has(code)) return this.end(error);
    this.#later(REFUSED_MS, () => this.#subscribe());
    this.#isRefused = true;
    for (const handle of this.#handles) handle.refused(error);
    this.#deps.onChange();
  }

  /** For good: what is held stays readable. */
  end(error: SignalboxError | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#linked !== undefined && this.#asked !== undefined && error === undefined) {
      this.#deps.send({ type: 'unsubscribe', id: this.id });
    }
    this.unlinked();
    this.#copier?.end();
    this.#state = 'closed';
    this.#failure = error;
    for (const handle of this.#handles) handle.end(error);
    this.#handles.clear();
    this.#deps.onChange();
  }

  async #prepare(copier: Copier): Promise<void> {
    const currentAt = await copier.load();
    if (this.#ended) return;
    this.#prepared = true;
    if (currentAt !== undefined) {
      const { clock, time } = this.#deps;
      this.#currentAt = time.now() - Math.max(0, clock() - currentAt);
      this.#publish({ type: 'changes', of: 'loaded', changes: copier.asChanges() });
    }
    if (this.#linked !== undefined) this.#subscribe();
    this.#told();
    this.#deps.onChange();
  }

  #on(event: CacheEvent): void {
    switch (event.type) {
      case 'changes':
        return this.#publish(event);
      case 'mismatch':
        return this.#mismatched(event);
      case 'resumed':
        this.#failure = undefined;
        this.#isRefused = false;
        return;
      case 'reset':
        return this.#deps.onReset({ topic: this.topic, reason: event.reason });
    }
  }

  #publish({ of, changes }: Extract<CacheEvent, { type: 'changes' }>): void {
    const { snapshot } = this.#cache;
    if (snapshot === undefined) return;
    this.#failure = undefined;
    this.#isRefused = false;
    // The state is told first: who is called back sees both as they are now.
    this.#told();
    const about = { type: of, changes, snapshot };
    for (const handle of this.#handles) handle.changed(about);
  }

  #mismatched({ revision, digest }: Extract<CacheEvent, { type: 'mismatch' }>): void {
    this.#mismatches += 1;
    this.#deps.onMismatch({ topic: this.topic, revision });
    const resync = (): void => this.#ask({ type: 'resync', id: this.id, revision, digest });
    if (this.#mismatches < MISMATCHES) return resync();
    const message = `The copy of ${this.topic} did not agree with the server ${this.#mismatches} times in a row: client and server may not belong together. It is asked for again.`;
    this.#deps.onError(new SignalboxError('protocol', message));
    const pause = backoffMs(this.#mismatches - MISMATCHES, this.#deps.random(), MISMATCH_BACKOFF);
    this.#later(pause, resync);
  }

  #subscribe(): void {
    // Without digests nobody would ever find out that the copy has what this caller may not see (SEC3): it starts from the state.
    const mayGoOn = this.#linked?.digests === true || this.#owner !== undefined;
    const since = mayGoOn ? this.#cache.since : undefined;
    const frame = {
      type: 'subscribe',
      id: this.id,
      select: this.select,
      ...(since !== undefined && { since }),
    } as const;
    if (fitsFrame(frame)) return this.#ask(frame);
    // The server would close the connection, which carries the other watches as well.
    const message = `A selection of ${this.select.kind} is too long to be watched: it has ${LONGEST_FRAME} bytes at most. Watch several that are shorter.`;
    const error = new SignalboxError('refused', message);
    this.#deps.onError(error);
    this.end(error);
  }

  #ask(frame: ClientFrame): void {
    this.#asked = frame;
    this.#deps.send(frame);
  }

  /** Over the same link, if it stands then. */
  #later(afterMs: number, then: () => void): void {
    this.#cancelAgain?.();
    this.#cancelAgain = this.#deps.time.after(afterMs, () => {
      if (this.#linked !== undefined) then();
    });
  }

  #told(): void {
    if (this.#ended) return;
    const state = this.#cache.current ? 'live' : this.#cache.snapshot === undefined ? 'loading' : 'stale';
    if (state === this.#state) return;
    this.#state = state;
    for (const handle of this.#handles) handle.stateChanged(state);
    this.#deps.onChange();
  }

  #saidCurrentAt(): number {
    return this.#deps.clock() - this.age;
  }
}

/** Whether a copy that is current after it is what the server shows to this caller. */
function isProof(frame: FeedFrame, events: readonly CacheEvent[]): boolean {
  if (frame.type === 'bookmark' || (frame.type === 'synced' && frame.digest !== undefined)) return true;
  return events.some((event) => event.type === 'changes' && event.of !== 'changed');
}
