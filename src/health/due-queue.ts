/** Something that is due at a time. The queue keeps both fields; nobody else writes them. */
export interface Due {
  /** Monotonic milliseconds. */
  dueAt: number;
  /** Where it stands in the queue; -1 when it is not in one. */
  slot: number;
}

/**
 * What is due next, of many: a binary heap, in which an entry knows its place. There is one timer for the queue and none
 * for an entry; an entry whose time was put off unnoticed, as a renewed lease, is put back when its old time comes.
 */
export class DueQueue<T extends Due> {
  readonly #heap: T[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** The time of the first entry; Infinity when there is none. */
  get nextAt(): number {
    return this.#heap[0]?.dueAt ?? Infinity;
  }

  /** Puts it in, or moves it. Infinity takes it out. */
  set(entry: T, dueAt: number): void {
    if (dueAt === Infinity) return this.remove(entry);
    const before = entry.dueAt;
    entry.dueAt = dueAt;
    if (entry.slot < 0) {
      this.#heap.push(entry);
      this.#rise(this.#heap.length - 1, entry);
    } else if (dueAt < before) this.#rise(entry.slot, entry);
    else this.#sink(entry.slot, entry);
  }

  remove(entry: T): void {
    const { slot } = entry;
    if (slot < 0) return;
    entry.slot = -1;
    const last = this.#heap.pop() as T;
    if (last === entry) return;
    last.slot = slot;
    this.#heap[slot] = last;
    this.#rise(slot, last);
    this.#sink(last.slot, last);
  }

  /** Takes out the first entry, if its time has come. */
  take(now: number): T | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.dueAt > now) return undefined;
    this.remove(first);
    return first;
  }

  #rise(from: number, entry: T): void {
    const heap = this.#heap;
    let slot = from;
    while (slot > 0) {
      const above = (slot - 1) >> 1;
      const other = heap[above] as T;
      if (other.dueAt <= entry.dueAt) break;
      heap[slot] = other;
      other.slot = slot;
      slot = above;
    }
    heap[slot] = entry;
    entry.slot = slot;
  }

  #sink(from: number, entry: T): void {
    const heap = this.#heap;
    let slot = from;
    for (;;) {
      let below = 2 * slot + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && (heap[below + 1] as T).dueAt < (heap[below] as T).dueAt) below++;
      const other = heap[below] as T;
      if (other.dueAt >= entry.dueAt) break;
      heap[slot] = other;
      other.slot = slot;
      slot = below;
    }
    heap[slot] = entry;
    entry.slot = slot;
  }
}
