import type { Position } from '../../domain/position.ts';
import type { SignalboxError } from '../errors.ts';

/** What every resource has. */
export interface Named {
  /** Its path, such as `services/orders.example.com/deployments/eu-central`; unique. */
  readonly name: string;
  /** The revision of its last change. */
  readonly revision: number;
}

/** A resource as the feed carries it: what `GET /v1/{name}` answers. */
export interface Resource extends Named {
  readonly [field: string]: unknown;
}

/** All that a selection selects, at one position. It never changes: the next position has a snapshot of its own. */
export interface Snapshot<T extends Named = Resource> {
  readonly position: Position;
  /** 16 hexadecimal digits over names and revisions (PUSH8): equal to the server's at this position. */
  readonly digest: string;
  readonly size: number;
  get(name: string): T | undefined;
  has(name: string): boolean;
  /** In no particular order. */
  values(): Iterable<T>;
}

/** What happened to one resource. `value` is left out where it is gone, `before` where it is new. */
export interface WatchChange<T extends Named = Resource> {
  readonly kind: string;
  readonly name: string;
  readonly revision: number;
  readonly before?: T;
  readonly value?: T;
}

/** Changes that came together, in order of their revisions, with the snapshot after them. */
export interface WatchChanges<T extends Named = Resource> {
  /**
   * `loaded`: the first complete snapshot, all of it as changes. `changed`: as they happened. `reloaded`: a snapshot came
   * anew (after a reset, or a digest that did not agree), and these are the differences to what was held.
   */
  readonly type: 'loaded' | 'changed' | 'reloaded';
  readonly changes: readonly WatchChange<T>[];
  readonly snapshot: Snapshot<T>;
}

/**
 * `loading`: no complete snapshot yet. `live`: everything up to the position is held, and what follows is on its way.
 * `stale`: what is held was complete, but the connection is away; it may be behind. `closed`: nothing comes any more.
 */
export type WatchState = 'loading' | 'live' | 'stale' | 'closed';

/** A live copy of what a selection selects. */
export interface Watch<T extends Named = Resource> {
  readonly state: WatchState;
  /** Undefined until the first complete snapshot (PUSH7): not loaded is not the same as empty. */
  readonly snapshot: Snapshot<T> | undefined;
  /** Milliseconds since the snapshot was last known to be current: 0 while live, Infinity while loading. */
  readonly age: number;
  /** Why it is `closed` although nobody has closed it; undefined otherwise. What was held last stays readable. */
  readonly error: SignalboxError | undefined;
  /**
   * The first complete snapshot; at once where there is one already, also a stale one.
   * @throws SignalboxError `timeout`, `stopped`, or why it cannot be had (`refused`, `unauthorized`, `protocol`). What is refused for a
   *   quota or a missing right is asked for again every half a minute: the watch goes on, and may be ready later.
   */
  ready(options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<Snapshot<T>>;
  /** Calls back after each change has been taken in; answers how to stop that. An error in it is reported, not thrown. */
  on(event: 'change', listener: (changes: WatchChanges<T>) => void): () => void;
  on(event: 'state', listener: (state: WatchState) => void): () => void;
  /**
   * Changes from the present snapshot on (which comes first, as `loaded`), until the watch is closed. Who does not keep up
   * gets what was missed as one `reloaded`: the newest state, never a gap.
   */
  [Symbol.asyncIterator](): AsyncIterator<WatchChanges<T>>;
  close(): void;
}
