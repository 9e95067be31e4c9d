import { add, digestHex, digestOf, emptyDigest, murmur3, remove, type Digest } from '../domain/digest.ts';
import type { AnyItem } from '../domain/item.ts';
import type { FoldedEntry, TailListener } from '../feed/tail.ts';

/** So many of the last revisions can be compared; a power of two. */
const KEPT = 16_384;

/**
 * The digest of the whole view at each of the last revisions. Unlike that of a subscription (PUSH8) it has the contents in it,
 * so that two nodes which agree on it hold the same texts.
 */
export class ViewDigest implements TailListener {
  readonly #view: () => { readonly items: Iterable<AnyItem>; readonly revision: number };
  readonly #a = new Uint32Array(KEPT);
  readonly #b = new Uint32Array(KEPT);
  #digest: Digest = emptyDigest();
  #from = 0;
  #to = -1;

  constructor(view: () => { readonly items: Iterable<AnyItem>; readonly revision: number }) {
    this.#view = view;
  }

  /** Of the newest revision. */
  get latest(): { readonly revision: number; readonly digest: string } | undefined {
    const digest = this.at(this.#to);
    return digest === undefined ? undefined : { revision: this.#to, digest };
  }

  /** `undefined`: not reached yet, or too long ago. */
  at(revision: number): string | undefined {
    if (revision < Math.max(this.#from, this.#to - KEPT + 1) || revision > this.#to) return undefined;
    const slot = revision % KEPT;
    return digestHex({ a: this.#a[slot] ?? 0, b: this.#b[slot] ?? 0 });
  }

  /** The view was loaded. */
  begin(): void {
    const { items, revision } = this.#view();
    this.#digest = digestOfAll(items);
    this.#from = revision;
    this.#to = revision - 1;
    this.#keep(revision);
  }

  onAdvance(entries: readonly FoldedEntry[]): void {
    for (const { entry, folded } of entries) {
      for (const { change, before } of folded) {
        if (before !== undefined) remove(this.#digest, digestOfItem(before));
        if (change.op === 'put') add(this.#digest, digestOfItem(change.item));
      }
      this.#keep(entry.revision);
    }
  }

  onReload(): void {
    this.begin();
  }

  #keep(revision: number): void {
    this.#to = revision;
    this.#a[revision % KEPT] = this.#digest.a;
    this.#b[revision % KEPT] = this.#digest.b;
  }
}

export function digestOfAll(items: Iterable<AnyItem>): Digest {
  const digest = emptyDigest();
  for (const item of items) add(digest, digestOfItem(item));
  return digest;
}

function digestOfItem({ name, revision, json }: AnyItem): Digest {
  const { a, b } = digestOf(name, revision);
  return { a, b: (b ^ murmur3(json, 0)) >>> 0 };
}
