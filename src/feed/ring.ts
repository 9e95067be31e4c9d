import type { Entry } from '../domain/item.ts';

/**
 * The most recent entries, contiguous, within a bound of bytes: what a subscriber that was away for a moment, or is slow,
 * is caught up from without a database read.
 */
export class Ring {
  readonly #maxBytes: number;
  #entries: Entry[] = [];
  #sizes: number[] = [];
  /** Entries before this index are dropped but not yet moved out of the arrays. */
  #start = 0;
  #bytes = 0;
  #from: number;

  /** `from`: the revision after which the ring holds everything. */
  constructor(maxBytes: number, from: number) {
    this.#maxBytes = maxBytes;
    this.#from = from;
  }

  /** The ring can tell what happened after this revision, and after every later one. */
  get from(): number {
    return this.#from;
  }

  get to(): number {
    return this.#from + this.#entries.length - this.#start;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(entry: Entry): void {
    if (entry.revision !== this.to + 1) throw new Error(`ring: ${entry.revision} does not follow ${this.to}`);
    const size = sizeOf(entry);
    this.#entries.push(entry);
    this.#sizes.push(size);
    this.#bytes += size;
    while (this.#bytes > this.#maxBytes && this.#start < this.#entries.length) {
      this.#bytes -= this.#sizes[this.#start] ?? 0;
      this.#start += 1;
      this.#from += 1;
    }
    if (this.#start > 1024 && this.#start * 2 > this.#entries.length) this.#compact();
  }

  /**
   * The entries above `revision`, at least one if there is one and then up to `maxBytes`; or `undefined` when the ring has
   * moved past it.
   */
  after(revision: number, maxBytes: number): readonly Entry[] | undefined {
    if (revision < this.#from || revision > this.to) return undefined;
    const start = this.#start + (revision - this.#from);
    let end = start;
    for (let bytes = 0; end < this.#entries.length && bytes < maxBytes; end++) bytes += this.#sizes[end] ?? 0;
    return this.#entries.slice(start, end);
  }

  #compact(): void {
    this.#entries = this.#entries.slice(this.#start);
    this.#sizes = this.#sizes.slice(this.#start);
    this.#start = 0;
  }
}

/** An estimate: the encodings, which dominate, and a little for the objects around them. */
function sizeOf(entry: Entry): number {
  let size = 200;
  for (const change of entry.changes) size += change.op === 'put' ? change.item.json.length + 400 : 300;
  return size;
}
