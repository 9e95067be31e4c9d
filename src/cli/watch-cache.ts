import { addTo, digestHex, emptyDigest, removeFrom, type Digest } from '../domain/digest.ts';
import { parseName } from '../domain/names.ts';
import type { Position } from '../domain/position.ts';
import type { ServerFrame } from '../protocol/frames.ts';

/** A resource as the feed carries it. */
export type Value = Readonly<Record<string, unknown>>;

/** What happened to one resource, and what the cache held of it before. */
export interface Delta {
  readonly op: 'put' | 'delete';
  readonly kind: string;
  readonly key: string;
  readonly revision: number;
  readonly before?: Value;
  readonly value?: Value;
}

/** What a frame meant to the cache. */
export type WatchEvent =
  /** The first snapshot is whole. */
  | { readonly type: 'loaded'; readonly revision: number; readonly values: readonly Value[] }
  /** A later snapshot is whole; `deltas` is how it differs from what was held. */
  | { readonly type: 'reloaded'; readonly revision: number; readonly count: number; readonly deltas: readonly Delta[] }
  /** A resumed subscription has everything again. */
  | { readonly type: 'resumed'; readonly revision: number }
  | { readonly type: 'changed'; readonly deltas: readonly Delta[] }
  | { readonly type: 'reset'; readonly reason: string }
  /** The cache does not agree with the server's digest: the server is to be told, and sends everything anew. */
  | { readonly type: 'mismatch'; readonly revision: number; readonly digest: string };

interface Held {
  readonly kind: string;
  readonly revision: number;
  readonly value: Value;
}

type Feed = Extract<ServerFrame, { type: 'snapshot' | 'synced' | 'change' | 'bookmark' | 'reset' }>;

/** The resources of one topic with the digest over them. */
class Store {
  readonly items = new Map<string, Held>();
  readonly #digest: Digest = emptyDigest();

  get digest(): string {
    return digestHex(this.#digest);
  }

  put(key: string, held: Held): void {
    this.delete(key);
    this.items.set(key, held);
    addTo(this.#digest, key, held.revision);
  }

  delete(key: string): void {
    const before = this.items.get(key);
    if (before === undefined) return;
    removeFrom(this.#digest, key, before.revision);
    this.items.delete(key);
  }
}

/** One subscription's copy of what it selects: a fold over frames, which knows nothing of sockets and time. */
export class WatchCache {
  #store = new Store();
  /** The snapshot that is arriving; it takes the place of the store once it is whole. */
  #arriving: Store | undefined;
  #loaded = false;
  #epoch: string | undefined;
  #position: Position | undefined;
  #topic: string | undefined;
  /** The server has been told of a mismatch: until it starts over, its digests say what is known already. */
  #distrusted = false;

  /** What to resume from; undefined when only a snapshot will do. */
  get since(): Position | undefined {
    return this.#position;
  }

  get size(): number {
    return this.#store.items.size;
  }

  /** A new connection: what it sends belongs to this history. A snapshot that was half there is not continued. */
  connected(epoch: string): void {
    this.#epoch = epoch;
    this.#arriving = undefined;
    this.#topic = undefined;
    this.#distrusted = false;
  }

  subscribed(topic: string): void {
    this.#topic = topic;
  }

  /** Takes in a frame of the subscription. */
  fold(frame: Feed): WatchEvent[] {
    if (frame.type !== 'bookmark' && frame.topic !== this.#topic) return [];
    switch (frame.type) {
      case 'snapshot':
        return this.#snapshot(frame);
      case 'synced':
        return this.#synced(frame.revision, frame.digest);
      case 'change':
        return this.#change(frame);
      case 'bookmark': {
        const digest = frame.digests[this.#topic ?? ''];
        return digest === undefined ? [] : this.#verify(frame.revision, digest);
      }
      case 'reset':
        this.#epoch = frame.epoch;
        this.#arriving = undefined;
        this.#distrusted = false;
        // What is held serves to tell the difference later; it is nothing to go on from, on this connection or another.
        this.#position = undefined;
        return [{ type: 'reset', reason: frame.reason }];
    }
  }

  #snapshot(frame: Extract<Feed, { type: 'snapshot' }>): WatchEvent[] {
    this.#arriving ??= new Store();
    for (const value of frame.items) {
      const key = String(value['name']);
      this.#arriving.put(key, { kind: parseName(key)?.kind ?? 'unknown', revision: Number(value['revision']), value });
    }
    return [];
  }

  #synced(revision: number, digest: string): WatchEvent[] {
    const arrived = this.#arriving;
    if (arrived === undefined) return [{ type: 'resumed', revision }, ...this.#verify(revision, digest)];
    const old = this.#store;
    this.#store = arrived;
    this.#arriving = undefined;
    const first = !this.#loaded;
    this.#loaded = true;
    const event: WatchEvent = first
      ? { type: 'loaded', revision, values: [...arrived.items.values()].map((held) => held.value) }
      : { type: 'reloaded', revision, count: arrived.items.size, deltas: difference(old, arrived, revision) };
    return [event, ...this.#verify(revision, digest)];
  }

  #change(frame: Extract<Feed, { type: 'change' }>): WatchEvent[] {
    const store = this.#arriving ?? this.#store;
    const from = this.#arriving === undefined ? (this.#position?.revision ?? -1) : -1;
    const deltas: Delta[] = [];
    for (const { op, kind, key, revision, value } of frame.changes) {
      // What was sent before is not told twice, whatever the server does (PUSH2).
      if (revision <= from) continue;
      const before = store.items.get(key)?.value;
      if (op === 'put' && value !== undefined) store.put(key, { kind, revision, value });
      else store.delete(key);
      deltas.push({
        op,
        kind,
        key,
        revision,
        ...(before !== undefined && { before }),
        ...(value !== undefined && { value }),
      });
    }
    if (this.#arriving !== undefined) return [];
    if (!this.#distrusted) this.#advance(frame.revision);
    return deltas.length === 0 ? [] : [{ type: 'changed', deltas }];
  }

  #verify(revision: number, digest: string): WatchEvent[] {
    if (this.#distrusted || this.#arriving !== undefined) return [];
    const own = this.#store.digest;
    if (own === digest) {
      this.#advance(revision);
      return [];
    }
    this.#distrusted = true;
    this.#position = undefined;
    return [{ type: 'mismatch', revision, digest: own }];
  }

  #advance(revision: number): void {
    if (this.#epoch !== undefined) this.#position = { epoch: this.#epoch, revision };
  }
}

/** How to get from one store to another; a resource that is gone went at some revision up to `revision`. */
function difference(old: Store, now: Store, revision: number): Delta[] {
  const deltas: Delta[] = [];
  for (const [key, { kind, value, revision: at }] of now.items) {
    const before = old.items.get(key);
    if (before === undefined) deltas.push({ op: 'put', kind, key, revision: at, value });
    // Two histories may count alike, so that only the content tells.
    else if (JSON.stringify(before.value) !== JSON.stringify(value)) {
      deltas.push({ op: 'put', kind, key, revision: at, before: before.value, value });
    }
  }
  for (const [key, { kind, value }] of old.items) {
    if (!now.items.has(key)) deltas.push({ op: 'delete', kind, key, revision, before: value });
  }
  return deltas.sort((a, b) => a.revision - b.revision);
}
