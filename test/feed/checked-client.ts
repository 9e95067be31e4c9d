import type { AnyItem, Entry } from '../../src/domain/item.ts';
import { changeName } from '../../src/domain/item.ts';
import { addTo, digestHex, emptyDigest, removeFrom, type Digest } from '../../src/domain/digest.ts';
import type { Selector } from '../../src/domain/selector.ts';
import type { ServerFrame } from '../../src/protocol/frames.ts';

/** What a subscriber is held against. */
export interface Truth {
  /** What a subscription must be told about one revision. */
  expected(revision: number, selector: Selector): readonly string[];
  digest(revision: number, selector: Selector): string;
  /** How a cache differs from what it should be at the revision; `undefined` when it does not. `digest` is the cache's own. */
  difference(
    revision: number,
    selector: Selector,
    cache: ReadonlyMap<string, number>,
    digest: string,
  ): string | undefined;
}

/** The whole history as a plain model: the state after each revision of each epoch. */
export class Model implements Truth {
  readonly states = new Map<number, ReadonlyMap<string, AnyItem>>([[0, new Map()]]);
  readonly log = new Map<number, Entry>();

  record(entry: Entry): void {
    const state = new Map(this.states.get(entry.revision - 1));
    for (const change of entry.changes) {
      if (change.op === 'put') state.set(change.item.name, change.item);
      else state.delete(change.name);
    }
    this.states.set(entry.revision, state);
    this.log.set(entry.revision, entry);
  }

  selected(revision: number, selector: Selector): Map<string, AnyItem> {
    const state = this.states.get(revision) ?? new Map<string, AnyItem>();
    return new Map([...state].filter(([, item]) => naiveMatch(selector, item)));
  }

  digest(revision: number, selector: Selector): string {
    const digest = emptyDigest();
    for (const item of this.selected(revision, selector).values()) addTo(digest, item.name, item.revision);
    return digestHex(digest);
  }

  /** What a subscription must be told about one revision, from the two states alone. */
  expected(revision: number, selector: Selector): string[] {
    const before = this.selected(revision - 1, selector);
    const after = this.selected(revision, selector);
    const events: string[] = [];
    for (const change of this.log.get(revision)?.changes ?? []) {
      const name = changeName(change);
      if (after.has(name)) events.push(`put ${name}@${revision}`);
      else if (before.has(name)) events.push(`delete ${name}@${revision}`);
    }
    return events;
  }

  difference(revision: number, selector: Selector, cache: ReadonlyMap<string, number>): string | undefined {
    const wanted = this.selected(revision, selector);
    const same = wanted.size === cache.size && [...wanted].every(([k, item]) => cache.get(k) === item.revision);
    if (same) return undefined;
    const show = (entries: Iterable<readonly [string, number]>): string =>
      [...entries]
        .map((e) => e.join('@'))
        .sort()
        .join(' ');
    return `the cache is\n ${show(cache)}\nnot\n ${show([...wanted].map(([k, i]) => [k, i.revision]))}`;
  }
}

interface Naive {
  readonly service?: string;
  readonly region?: string;
  readonly environment?: string;
  readonly protocol?: string;
  readonly version?: string;
  readonly passing?: boolean;
  readonly labels?: object;
  readonly tags?: object;
}

/** What PUSH.md says of `select`, once more and from nothing but the resource. */
export function naiveMatch(selector: Selector, { kind, id, parent, value }: AnyItem): boolean {
  const own = value as unknown as Naive;
  const service =
    { service: id, version: parent, resourceType: parent, deployment: parent }[kind as string] ?? own.service;
  const region = { region: id, deployment: id }[kind as string] ?? own.region;
  const isOneOf = (wanted: readonly string[] | undefined, got: string | undefined): boolean =>
    wanted === undefined || (got !== undefined && wanted.includes(got));
  const hasAll = (wanted: object | undefined, got: object | undefined): boolean =>
    wanted === undefined ||
    (got !== undefined && Object.entries(wanted).every(([k, v]) => (got as Record<string, string>)[k] === v));
  const ofInstances = (name: keyof Selector): boolean => selector[name] === undefined || kind === 'instance';
  return (
    (selector.kind === '*' || selector.kind === kind) &&
    isOneOf(selector.services, service) &&
    isOneOf(selector.regions, region) &&
    hasAll(selector.labels, own.labels) &&
    (['environments', 'protocols', 'versions', 'tags', 'passing'] as const).every(ofInstances) &&
    isOneOf(selector.environments, own.environment ?? '') &&
    isOneOf(selector.protocols, own.protocol) &&
    isOneOf(selector.versions, own.version) &&
    hasAll(selector.tags, own.tags) &&
    (selector.passing === undefined || selector.passing === own.passing)
  );
}

type Item = { name: string; revision: number };

/** A subscriber that believes nothing: it holds every frame against the model and throws at the first that breaks a promise. */
export class CheckedSubscription {
  readonly selector: Selector;
  readonly #model: Truth;
  readonly cache = new Map<string, number>();
  /** Of the cache, kept as PUSH.md tells clients to. */
  #own: Digest = emptyDigest();
  topic: string | undefined;
  /** Everything up to here is known to be in the cache; undefined before the first whole snapshot (PUSH7). */
  position: number | undefined;
  #parts: Item[] | undefined;
  resets = 0;
  events = 0;

  constructor(model: Truth, selector: Selector, from?: { position: number; cache: ReadonlyMap<string, number> }) {
    this.#model = model;
    this.selector = selector;
    if (from === undefined) return;
    this.position = from.position;
    for (const [key, revision] of from.cache) this.#put(key, revision);
  }

  receive(frame: ServerFrame): void {
    switch (frame.type) {
      case 'reset':
        this.resets += 1;
        this.position = undefined;
        this.#parts = undefined;
        this.cache.clear();
        this.#own = emptyDigest();
        return;
      case 'subscribed':
        // On another socket; what it had of a snapshot is of no use.
        this.#parts = undefined;
        return;
      case 'snapshot': {
        if (this.position !== undefined) throw new Error('PUSH7: a snapshot without a reset');
        this.#parts ??= [];
        this.#parts.push(...(frame.items as Item[]));
        if (frame.more) return;
        for (const { name, revision } of this.#parts) this.#put(name, revision);
        this.#parts = undefined;
        this.position = frame.revision;
        this.#mustEqual(frame.revision, 'PUSH7: snapshot');
        return;
      }
      case 'change':
        this.#change(frame);
        return;
      case 'synced':
        if (this.position === undefined) throw new Error('PUSH7: synced before a snapshot');
        this.#upTo(frame.revision, 'synced');
        this.#digest(frame.revision, frame.digest);
        return;
      case 'bookmark': {
        const digest = frame.digests[this.topic ?? ''];
        if (digest === undefined) return;
        this.#upTo(frame.revision, 'PUSH6: bookmark');
        this.#digest(frame.revision, digest);
        return;
      }
      default:
    }
  }

  #change(frame: Extract<ServerFrame, { type: 'change' }>): void {
    const { position } = this;
    if (position === undefined) throw new Error('PUSH7: a change before the first snapshot');
    if (frame.revision <= position) throw new Error(`PUSH2: ${frame.revision} again, after ${position}`);
    const got = frame.changes.map((change) => `${change.op} ${change.key}@${change.revision}`);
    const wanted: string[] = [];
    for (let r = position + 1; r <= frame.revision; r++) wanted.push(...this.#model.expected(r, this.selector));
    if (got.join('\n') !== wanted.join('\n')) {
      throw new Error(
        `PUSH1-4: after ${position} up to ${frame.revision}\n got ${got.join(', ')}\n not ${wanted.join(', ')}`,
      );
    }
    for (const change of frame.changes) {
      if (change.op === 'put') this.#put(change.key, change.revision);
      else this.#remove(change.key);
      this.events += 1;
    }
    this.position = frame.revision;
    this.#mustEqual(frame.revision, 'PUSH4: change');
  }

  /** Between the position and `revision` there is nothing for this subscription, and the position moves there. */
  #upTo(revision: number, what: string): void {
    const { position } = this;
    if (position === undefined) throw new Error(`${what} before the first snapshot`);
    if (revision < position) throw new Error(`${what} at ${revision}, behind ${position}`);
    for (let r = position + 1; r <= revision; r++) {
      const missed = this.#model.expected(r, this.selector);
      if (missed.length > 0) throw new Error(`PUSH3: ${what} at ${revision}, but ${missed.join(', ')} was never sent`);
    }
    this.position = revision;
    this.#mustEqual(revision, what);
  }

  #digest(revision: number, digest: string): void {
    const wanted = this.#model.digest(revision, this.selector);
    if (digest !== wanted) throw new Error(`PUSH8: digest ${digest} at ${revision}, not ${wanted}`);
  }

  #mustEqual(revision: number, what: string): void {
    const difference = this.#model.difference(revision, this.selector, this.cache, digestHex(this.#own));
    if (difference !== undefined) throw new Error(`${what} at ${revision}: ${difference}`);
  }

  #put(key: string, revision: number): void {
    this.#remove(key);
    this.cache.set(key, revision);
    addTo(this.#own, key, revision);
  }

  #remove(key: string): void {
    const had = this.cache.get(key);
    if (had === undefined) return;
    this.cache.delete(key);
    removeFrom(this.#own, key, had);
  }
}
