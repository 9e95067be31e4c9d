import { addTo, digestHex, emptyDigest, removeFrom, type Digest } from '../../src/domain/digest.ts';
import { changeName, type AnyItem, type Entry } from '../../src/domain/item.ts';
import { topicOf, type Selector } from '../../src/domain/selector.ts';
import { naiveMatch, type Truth } from '../feed/checked-client.ts';

/** What the subscriptions of one topic have to be told, revision by revision. All of them share it. */
interface Track {
  readonly selector: Selector;
  readonly held: Map<string, number>;
  readonly digest: Digest;
  readonly events: Map<number, readonly string[]>;
  /** The revisions at which there was something, in order, each with what the state was from then on. */
  readonly steps: { readonly revision: number; readonly digest: string; readonly size: number }[];
}

const NOTHING: readonly string[] = [];

/**
 * The truth for any number of subscribers of a few topics, without a state for each revision: a cache is compared by its size
 * and its digest, and what made it so was compared event by event.
 */
export class Tracks implements Truth {
  readonly #tracks = new Map<string, Track>();
  readonly #items = new Map<string, AnyItem>();
  /** Everything up to here is known. */
  head = 0;

  constructor(selectors: readonly Selector[]) {
    for (const selector of selectors) {
      const first = { revision: 0, digest: digestHex(emptyDigest()), size: 0 };
      const track = { selector, held: new Map(), digest: emptyDigest(), events: new Map(), steps: [first] };
      this.#tracks.set(topicOf(selector), track);
    }
  }

  get(name: string): AnyItem | undefined {
    return this.#items.get(name);
  }

  record({ revision, changes }: Entry): void {
    const befores = changes.map((change) => this.#items.get(changeName(change)));
    for (const change of changes) {
      if (change.op === 'put') this.#items.set(change.item.name, change.item);
      else this.#items.delete(change.name);
    }
    for (const track of this.#tracks.values()) {
      const events: string[] = [];
      for (const [i, change] of changes.entries()) {
        const before = befores[i];
        const name = changeName(change);
        const had = before !== undefined && naiveMatch(track.selector, before);
        if (had) {
          track.held.delete(name);
          removeFrom(track.digest, name, before.revision);
        }
        if (change.op === 'put' && naiveMatch(track.selector, change.item)) {
          track.held.set(name, revision);
          addTo(track.digest, name, revision);
          events.push(`put ${name}@${revision}`);
        } else if (had) events.push(`delete ${name}@${revision}`);
      }
      if (events.length === 0) continue;
      track.events.set(revision, events);
      track.steps.push({ revision, digest: digestHex(track.digest), size: track.held.size });
    }
    this.head = revision;
  }

  expected(revision: number, selector: Selector): readonly string[] {
    this.#mustKnow(revision);
    return this.#of(selector).events.get(revision) ?? NOTHING;
  }

  digest(revision: number, selector: Selector): string {
    return this.#stepAt(revision, selector).digest;
  }

  difference(
    revision: number,
    selector: Selector,
    cache: ReadonlyMap<string, number>,
    digest: string,
  ): string | undefined {
    const step = this.#stepAt(revision, selector);
    if (step.digest === digest && step.size === cache.size) return undefined;
    return `the cache has ${cache.size} items with digest ${digest}, not ${step.size} with ${step.digest}`;
  }

  /** Forgets what nobody asks for any more: everything before the revision. */
  forget(before: number): void {
    for (const { events, steps } of this.#tracks.values()) {
      for (const revision of events.keys()) {
        if (revision >= before) break;
        events.delete(revision);
      }
      const first = steps.findLastIndex((step) => step.revision <= before);
      if (first > 0) steps.splice(0, first);
    }
  }

  #stepAt(revision: number, selector: Selector): Track['steps'][number] {
    this.#mustKnow(revision);
    const { steps } = this.#of(selector);
    let [low, high] = [0, steps.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((steps[middle]?.revision ?? 0) <= revision) low = middle;
      else high = middle - 1;
    }
    const step = steps[low];
    if (step === undefined || step.revision > revision) throw new Error(`what was at ${revision} is forgotten`);
    return step;
  }

  #mustKnow(revision: number): void {
    if (revision > this.head) throw new Error(`PUSH1: ${revision} is not in the log, whose head is ${this.head}`);
  }

  #of(selector: Selector): Track {
    const track = this.#tracks.get(topicOf(selector));
    if (track === undefined) throw new Error(`nobody keeps ${topicOf(selector)}`);
    return track;
  }
}
