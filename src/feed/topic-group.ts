import { add, addTo, digestHex, digestOf, emptyDigest, remove, type Digest } from '../domain/digest.ts';
import { changeKind, changeName, labelsOf, type AnyItem, type Change, type Entry } from '../domain/item.ts';
import {
  audienceBeforeOf,
  changeFacets,
  effectOn,
  itemFacets,
  matches,
  routesOf,
  select,
  type Facets,
  type Selector,
} from '../domain/selector.ts';
import type { View } from '../domain/view.ts';
import { audienceOf, sees, type Sight } from '../domain/visibility.ts';
import { encodeDelete, encodePut } from '../protocol/change.ts';
import { Frame } from './frame.ts';
import { encodeSelected } from './selected.ts';
import { Snapshot } from './snapshot.ts';

/** Longer messages are closed at the next revision; a revision is never split (PUSH4). */
const MESSAGE_BYTES = 256 * 1024;

/** One change on its way to every group that may want it; what groups ask of it is made once, when the first one asks. */
export class Offer {
  /** Among those of one flush. */
  readonly ordinal: number;
  readonly revision: number;
  readonly change: Change;
  readonly before: AnyItem | undefined;
  readonly facets: Facets;
  #put: string | undefined;
  #delete: string | undefined;
  #had: Readonly<Digest> | undefined;
  #has: Readonly<Digest> | undefined;

  constructor(ordinal: number, revision: number, change: Change, before: AnyItem | undefined) {
    this.ordinal = ordinal;
    this.revision = revision;
    this.change = change;
    this.before = before;
    this.facets = changeFacets(change);
  }

  encoded(op: 'put' | 'delete'): string {
    if (op === 'put' && this.change.op === 'put') return (this.#put ??= encodePut(this.change.item));
    return (this.#delete ??= encodeDelete(changeKind(this.change), changeName(this.change), this.revision));
  }

  /** What it takes out of a digest that has what was there before, and what it adds to one that has what it puts. */
  digest(of: 'before' | 'after', { name, revision }: AnyItem): Readonly<Digest> {
    if (of === 'before') return (this.#had ??= digestOf(name, revision));
    return (this.#has ??= digestOf(name, revision));
  }
}

/** Snapshots in which there is nothing that only some may see: who sees no more than that is served from one. */
export class PublicSnapshots {
  readonly #snapshots = new Map<string, Snapshot>();
  #revision = -1;

  get(topic: string, revision: number, make: () => Snapshot): Snapshot {
    if (this.#revision !== revision) this.#snapshots.clear();
    this.#revision = revision;
    let snapshot = this.#snapshots.get(topic);
    if (snapshot === undefined) this.#snapshots.set(topic, (snapshot = make()));
    return snapshot;
  }

  /** A view that was loaded anew may hold other things at the same revision. */
  clear(): void {
    this.#snapshots.clear();
  }
}

/** Frames that lead a subscription of the topic up to a revision. */
export interface Stretch {
  readonly frames: readonly Frame[];
  readonly upTo: number;
}

/** Builds the `change` frames of a topic from changes that come in order of revision. */
class FrameBuilder {
  readonly #head: string;
  #frames: Frame[] = [];
  #parts: string[] = [];
  #length = 0;
  #revision = 0;

  constructor(topic: string) {
    this.#head = `{"type":"change","topic":${JSON.stringify(topic)},"revision":`;
  }

  get empty(): boolean {
    return this.#parts.length === 0 && this.#frames.length === 0;
  }

  add(revision: number, encoded: string): void {
    if (revision !== this.#revision && this.#length > MESSAGE_BYTES) this.#close();
    this.#revision = revision;
    this.#parts.push(encoded);
    this.#length += encoded.length;
  }

  take(): Frame[] {
    this.#close();
    const frames = this.#frames;
    this.#frames = [];
    return frames;
  }

  clear(): void {
    this.#frames = [];
    this.#parts = [];
    this.#length = 0;
  }

  #close(): void {
    if (this.#parts.length === 0) return;
    const text = `${this.#head}${this.#revision},"changes":[${this.#parts.join(',')}]}`;
    this.#frames.push(new Frame(text, this.#revision));
    this.#parts = [];
    this.#length = 0;
  }
}

/** What groups of one topic have in common although their members see different things: as long as they see the same. */
export class SharedFrames {
  readonly #frames = new Map<string, Frame[]>();

  /** `of` says what the frames are made of. */
  get(of: string, make: () => Frame[]): Frame[] {
    let frames = this.#frames.get(of);
    if (frames === undefined) this.#frames.set(of, (frames = make()));
    return frames;
  }
}

/**
 * All subscriptions that select alike and see alike: one filter evaluation, one encoding, one digest (PUSH8, PUSH10). `M`
 * is the member type, so that the group knows nothing of sockets.
 */
export class TopicGroup<M> {
  /** What its members are told; groups of other sights have the same. */
  readonly topic: string;
  readonly selector: Selector;
  readonly sight: Sight;
  readonly routes: readonly string[];
  /** Those who get the group's bytes as they come. */
  readonly live = new Set<M>();
  /** All subscriptions of the topic, live or on the way. */
  members = 0;
  readonly #pending: FrameBuilder;
  /** What `#pending` is made of. */
  #taken = '';
  /** Kept once somebody is to be told it: to begin with it costs a walk over the whole topic. */
  #digest: Digest | undefined;
  #snapshot: Snapshot | undefined;
  #bookmark: { revision: number; frame: Frame } | undefined;
  /** Stretches of catch-up frames by the revision they start after; good for as long as the feed stands at `at`. */
  readonly #catchUps = { at: -1, stretches: new Map<number, Stretch>() };

  constructor(topic: string, selector: Selector, sight: Sight) {
    this.topic = topic;
    this.selector = selector;
    this.sight = sight;
    this.routes = routesOf(selector);
    this.#pending = new FrameBuilder(topic);
  }

  /** From here on the digest is known. The group stands where the view does. */
  keepDigest(view: View): void {
    this.#digest ??= this.#digestOf(view);
  }

  /** Starts from another state, when the view was loaded anew. */
  rebuild(view: View): void {
    if (this.#digest !== undefined) this.#digest = this.#digestOf(view);
    this.#snapshot = undefined;
    this.#bookmark = undefined;
    this.#catchUps.at = -1;
    this.#pending.take();
    this.#taken = '';
  }

  get digest(): string {
    if (this.#digest === undefined) throw new Error(`no digest is kept of ${this.topic}`);
    return digestHex(this.#digest);
  }

  /** Takes in one change; whether it concerns the topic. */
  offer(offer: Offer): boolean {
    const effect = effectOn(this.selector, this.sight, offer.change, offer.facets);
    if (effect === undefined) return false;
    if (this.#digest !== undefined) this.#keepUp(this.#digest, offer, effect);
    // Those who are not live are caught up from the ring or the log.
    if (this.live.size > 0) {
      this.#pending.add(offer.revision, offer.encoded(effect));
      this.#taken += effect === 'put' ? `${offer.ordinal},` : `-${offer.ordinal},`;
    }
    return true;
  }

  #keepUp(digest: Digest, offer: Offer, effect: 'put' | 'delete'): void {
    const { before, change } = offer;
    const had = before !== undefined && sees(this.sight, audienceBeforeOf(change));
    if (had && matches(this.selector, itemFacets(before), labelsOf(before))) {
      remove(digest, offer.digest('before', before));
    }
    if (effect === 'put' && change.op === 'put') add(digest, offer.digest('after', change.item));
  }

  #digestOf(view: View): Digest {
    const digest = emptyDigest();
    for (const item of select(view.seenBy(this.sight), this.selector)) addTo(digest, item.name, item.revision);
    return digest;
  }

  /** The frames of everything offered since the last call. */
  take(shared: SharedFrames): Frame[] {
    if (this.#pending.empty) return [];
    const of = `${this.topic} ${this.#taken}`;
    this.#taken = '';
    const frames = shared.get(of, () => this.#pending.take());
    this.#pending.clear();
    return frames;
  }

  /** The state of the topic at `revision`, which is the view's; the same object for all who ask at that revision. */
  snapshot(view: View, revision: number, publicOnes: PublicSnapshots): Snapshot {
    if (this.#snapshot?.revision !== revision) {
      const items = [...select(view.seenBy(this.sight), this.selector)];
      const make = (): Snapshot => new Snapshot(this.topic, revision, this.digest, items);
      const isPublic = items.every((item) => audienceOf(item, view) === undefined);
      this.#snapshot = isPublic ? publicOnes.get(this.topic, revision, make) : make();
    }
    return this.#snapshot;
  }

  /** The next stretch of frames after `from`. Equal calls share their bytes for as long as the feed stands at `flushed`. */
  catchUp(from: number, flushed: number, entriesAfter: () => readonly Entry[]): Stretch {
    const cache = this.#catchUps;
    if (cache.at !== flushed) {
      cache.at = flushed;
      cache.stretches.clear();
    }
    let stretch = cache.stretches.get(from);
    if (stretch === undefined) {
      const entries = entriesAfter();
      stretch = { frames: this.framesOf(entries), upTo: entries.at(-1)?.revision ?? from };
      cache.stretches.set(from, stretch);
    }
    return stretch;
  }

  framesOf(entries: readonly Entry[]): Frame[] {
    const builder = new FrameBuilder(this.topic);
    for (const entry of entries) {
      for (const change of entry.changes) {
        const encoded = encodeSelected(this.selector, this.sight, change, entry.revision);
        if (encoded !== undefined) builder.add(entry.revision, encoded);
      }
    }
    return builder.take();
  }

  /** A bookmark of this topic alone, for the many sockets that hold nothing else. */
  bookmark(revision: number): Frame {
    if (this.#bookmark?.revision !== revision) {
      this.#bookmark = { revision, frame: bookmarkFrame(revision, [[this.topic, this.digest]]) };
    }
    return this.#bookmark.frame;
  }
}

export function bookmarkFrame(revision: number, digests: readonly (readonly [topic: string, digest: string])[]): Frame {
  const parts = digests.map(([topic, digest]) => `${JSON.stringify(topic)}:"${digest}"`);
  return new Frame(`{"type":"bookmark","revision":${revision},"digests":{${parts.join(',')}}}`, revision);
}
