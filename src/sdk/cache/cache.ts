import type { Position } from '../../domain/position.ts';
import type { LinkFrame } from '../connection/link.ts';
import type { Resource, Snapshot, WatchChange, WatchChanges } from '../watch/watch.ts';
import { asAdded, difference, isSame } from './difference.ts';
import type { Kept } from './keep.ts';
import { Store } from './store.ts';

/** What a frame meant to the cache. */
export type CacheEvent =
  | { readonly type: 'changes'; readonly of: WatchChanges['type']; readonly changes: readonly WatchChange[] }
  /** A resumed subscription has everything again. */
  | { readonly type: 'resumed' }
  | { readonly type: 'reset'; readonly reason: string }
  /** The copy does not agree with the server's digest: the server is to be told, and sends everything anew. */
  | { readonly type: 'mismatch'; readonly revision: number; readonly digest: string };

export type FeedFrame = Extract<LinkFrame, { type: 'snapshot' | 'synced' | 'change' | 'bookmark' | 'reset' }>;

/** One subscription's copy of what it selects: a fold over frames, which knows nothing of links and time. */
export class Cache {
  /** Undefined until the first snapshot is whole (PUSH7). */
  #store: Store | undefined;
  /** The snapshot that is arriving; it takes the place of the store once it is whole. */
  #arriving: Store | undefined;
  #epoch = '';
  /** Where the store is. */
  #position: Position | undefined;
  /** Where to go on from. */
  #since: Position | undefined;
  #topic: string | undefined;
  /** Everything up to the position was told over this link. */
  #current = false;
  /** The server has been told of a mismatch: until it starts over, its digests say what is known already. */
  #distrusted = false;
  /** What comes belongs to another snapshot than the one that is held. */
  #startingOver = false;
  #snapshot: Snapshot | undefined;

  /** What to resume from; undefined when only a snapshot will do. */
  get since(): Position | undefined {
    return this.#since;
  }

  get topic(): string | undefined {
    return this.#topic;
  }

  get current(): boolean {
    return this.#current;
  }

  /** Of the position that it is at now; the same object until something comes. */
  get snapshot(): Snapshot | undefined {
    if (this.#store === undefined || this.#position === undefined) return undefined;
    this.#snapshot ??= this.#store.snapshot(this.#position);
    return this.#snapshot;
  }

  /** Begins with a copy from elsewhere; false where it does not agree with its own digest, or comes too late. */
  restore({ position, digest, items }: Kept): boolean {
    if (this.#store !== undefined || this.#arriving !== undefined) return false;
    const store = new Store(items);
    if (store.digest !== digest) return false;
    this.#store = store;
    this.#position = this.#since = position;
    return true;
  }

  /** A new link: what it sends belongs to this history. A snapshot that was half there is not continued. */
  connected(epoch: string): void {
    this.disconnected();
    this.#epoch = epoch;
  }

  disconnected(): void {
    this.#arriving = undefined;
    this.#topic = undefined;
    this.#current = false;
    this.#distrusted = false;
    this.#startingOver = false;
  }

  subscribed(topic: string): void {
    this.#topic = topic;
  }

  /** Takes in a frame of the subscription. */
  fold(frame: FeedFrame): CacheEvent[] {
    if (this.#topic === undefined) return [];
    if (frame.type === 'bookmark') {
      const digest = frame.digests[this.#topic];
      return digest === undefined ? [] : this.#verify(frame.revision, digest);
    }
    if (frame.topic !== this.#topic) return [];
    switch (frame.type) {
      case 'snapshot':
        this.#arriving ??= new Store();
        for (const item of frame.items) this.#arriving.add(item as Resource);
        return [];
      case 'synced':
        return this.#arriving === undefined ? this.#resumed(frame) : this.#arrived(this.#arriving, frame);
      case 'change':
        return this.#change(frame);
      case 'reset':
        this.#epoch = frame.epoch;
        this.#arriving = undefined;
        this.#distrusted = false;
        this.#startingOver = true;
        // What is held serves to look at, and to tell the difference later; it is nothing to go on from.
        this.#since = undefined;
        this.#current = false;
        return [{ type: 'reset', reason: frame.reason }];
    }
  }

  #resumed({ revision, digest }: Extract<FeedFrame, { type: 'synced' }>): CacheEvent[] {
    // Nothing came of what was promised: there is nothing that the digest could be of.
    if (this.#store === undefined || this.#startingOver) return this.#mistrust(revision, new Store().digest);
    const wrong = this.#verify(revision, digest);
    if (wrong.length > 0 || this.#distrusted) return wrong;
    this.#current = true;
    return [{ type: 'resumed' }];
  }

  #arrived(arrived: Store, { revision, digest }: Extract<FeedFrame, { type: 'synced' }>): CacheEvent[] {
    this.#arriving = undefined;
    // What does not even agree with its own digest is not shown to anybody.
    if (digest !== undefined && arrived.digest !== digest) return this.#mistrust(revision, arrived.digest);
    const old = this.#store;
    this.#store = arrived;
    this.#current = true;
    this.#startingOver = false;
    this.#advance(revision);
    if (old === undefined) {
      return [{ type: 'changes', of: 'loaded', changes: Array.from(arrived.values(), asAdded) }];
    }
    const changes = difference(old, arrived, revision);
    // What is the same stays the same object.
    for (const item of old.values()) {
      const now = arrived.get(item.name);
      if (now !== undefined && isSame(item, now)) arrived.replace(item);
    }
    return [{ type: 'changes', of: 'reloaded', changes }];
  }

  #change(frame: Extract<FeedFrame, { type: 'change' }>): CacheEvent[] {
    if (this.#arriving !== undefined) {
      for (const { op, key, value } of frame.changes) {
        if (op === 'put' && value !== undefined) this.#arriving.add(value as Resource);
        else this.#arriving.delete(key);
      }
      return [];
    }
    const store = this.#store;
    if (store === undefined || this.#startingOver) return [];
    const from = this.#position?.epoch === this.#epoch ? this.#position.revision : -1;
    const changes: WatchChange[] = [];
    for (const { op, kind, key, revision, value } of frame.changes) {
      // What was sent before is not told twice, whatever the server does (PUSH2).
      if (revision <= from) continue;
      const before = store.get(key);
      const about = { kind, name: key, revision, ...(before !== undefined && { before }) };
      if (op === 'put' && value !== undefined) {
        store.put(value as Resource);
        changes.push({ ...about, value: value as Resource });
      } else if (before !== undefined) {
        store.delete(key);
        changes.push(about);
      }
    }
    if (frame.revision > from) this.#advance(frame.revision);
    return changes.length === 0 ? [] : [{ type: 'changes', of: 'changed', changes }];
  }

  #verify(revision: number, digest: string | undefined): CacheEvent[] {
    if (this.#distrusted || this.#startingOver || this.#arriving !== undefined || this.#store === undefined) return [];
    const own = this.#store.digest;
    if (digest !== undefined && own !== digest) return this.#mistrust(revision, own);
    this.#advance(revision);
    return [];
  }

  #mistrust(revision: number, digest: string): CacheEvent[] {
    this.#distrusted = true;
    this.#current = false;
    this.#since = undefined;
    return [{ type: 'mismatch', revision, digest }];
  }

  #advance(revision: number): void {
    if (this.#position?.epoch !== this.#epoch || this.#position.revision !== revision) {
      this.#position = { epoch: this.#epoch, revision };
    }
    this.#snapshot = undefined;
    // While the copy is not trusted, what happens is told; but it is nothing to go on from.
    if (!this.#distrusted) this.#since = this.#position;
  }
}
