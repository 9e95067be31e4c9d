import { Cache, type CacheEvent, type FeedFrame } from '../cache/cache.ts';
import type { Keep } from '../cache/keep.ts';
import { backoffMs } from '../connection/backoff.ts';
import type { ClientFrame, ErrorFrame, Select } from '../../protocol/frames.ts';
import { SignalboxError } from '../errors.ts';
import type { Time } from '../time.ts';
import { Copier } from './copier.ts';
import { WatchHandle, type Shared } from './handle.ts';
import type { Snapshot, WatchState } from './watch.ts';

export interface SubscriptionDeps {
  readonly time: Time;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly random: () => number;
  /** As `Kept` has it. */
  readonly server: string;
  readonly keep: Keep | undefined;
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
  #linked = false;
  /** A copy of an earlier process is looked for first. */
  #prepared: boolean;
  #asked: ClientFrame | undefined;
  #cancelAgain: (() => void) | undefined;
  #mismatches = 0;
  #currentAt = -Infinity;
  #failure: SignalboxError | undefined;
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

  linked(epoch: string): void {
    this.#linked = true;
    this.#cache.connected(epoch);
    if (this.#prepared) this.#subscribe();
    this.#told();
  }

  unlinked(): void {
    this.#linked = false;
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
    for (const event of this.#cache.fold(frame)) this.#on(event);
    // Who was told of it may have closed the last watch.
    if (this.#ended) return;
    if (wasCurrent && !this.#cache.current) this.#currentAt = this.#deps.time.now();
    if (this.#cache.current) {
      // There is nothing left to ask again for.
      this.#cancelAgain?.();
      if (frame.type !== 'change') this.#mismatches = 0;
      this.#copier?.note(frame.type === 'bookmark' ? 'position' : 'changes');
    }
    this.#told();
  }

  /** An error that names this subscription. */
  refused({ code, message, retryAfterMs, retryAfter }: ErrorFrame): void {
    const asked = this.#asked;
    if (code === 'rate-limited' || code === 'unavailable') {
      const afterMs = retryAfterMs ?? (retryAfter === undefined ? RATE_LIMITED_MS : retryAfter * 1000);
      if (asked !== undefined) this.#later(afterMs, () => this.#ask(asked));
      return;
    }
    const error = new SignalboxError('refused', `${this.topic} cannot be watched: ${message}`, {
      problem: { title: code, detail: message },
    });
    this.#failure = error;
    this.#deps.onError(error);
    // What was held once may be had again; who never had anything is told that it cannot be had.
    if (this.#cache.snapshot === undefined) this.end(error);
    else this.#later(REFUSED_MS, () => this.#subscribe());
  }

  /** For good: what is held stays readable. */
  end(error: SignalboxError | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#linked && this.#asked !== undefined && error === undefined) {
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
    if (this.#linked) this.#subscribe();
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
        return;
      case 'reset':
        return this.#deps.onReset({ topic: this.topic, reason: event.reason });
    }
  }

  #publish({ of, changes }: Extract<CacheEvent, { type: 'changes' }>): void {
    const { snapshot } = this.#cache;
    if (snapshot === undefined) return;
    this.#failure = undefined;
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
    const { since } = this.#cache;
    this.#ask({ type: 'subscribe', id: this.id, select: this.select, ...(since !== undefined && { since }) });
  }

  #ask(frame: ClientFrame): void {
    this.#asked = frame;
    this.#deps.send(frame);
  }

  /** Over the same link, if it stands then. */
  #later(afterMs: number, then: () => void): void {
    this.#cancelAgain?.();
    this.#cancelAgain = this.#deps.time.after(afterMs, () => {
      if (this.#linked) then();
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
