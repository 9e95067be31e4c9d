import { addTo, digestHex, emptyDigest, removeFrom, type Digest } from '../../domain/digest.ts';
import type { Position } from '../../domain/position.ts';
import type { Resource, Snapshot } from '../watch/watch.ts';

interface Undo {
  readonly name: string;
  /** Undefined where there was none. */
  readonly before: Resource | undefined;
}

/** So many changes are remembered at least, however few the items are. */
const MIN_UNDO = 16;

/**
 * Resources by name, and the way back to what they were. The newest snapshot reads the map itself; an older one reads it with
 * the changes since then taken back, so that a change costs the same however many items there are. What can be taken back is
 * bounded by a part of the items: then the map is copied into a new generation, which no older snapshot knows, and whoever holds
 * on to one of those holds no more than its own generation.
 */
class Generation {
  readonly items: Map<string, Resource>;
  readonly log: Undo[] = [];

  constructor(items: Map<string, Resource>) {
    this.items = items;
  }

  get isFull(): boolean {
    return this.log.length >= Math.max(MIN_UNDO, this.items.size / 8);
  }
}

/** The resources of one topic as they change, with the digest over them; and the snapshots of it. */
export class Store {
  #generation: Generation;
  readonly #digest: Digest = emptyDigest();

  constructor(items: Iterable<Resource> = []) {
    this.#generation = new Generation(new Map());
    for (const item of items) this.add(item);
  }

  get size(): number {
    return this.#generation.items.size;
  }

  get digest(): string {
    return digestHex(this.#digest);
  }

  get(name: string): Resource | undefined {
    return this.#generation.items.get(name);
  }

  values(): Iterable<Resource> {
    return this.#generation.items.values();
  }

  /** Of something that nobody has a snapshot of yet. */
  add(item: Resource): void {
    const before = this.get(item.name);
    if (before !== undefined) removeFrom(this.#digest, item.name, before.revision);
    this.#generation.items.set(item.name, item);
    addTo(this.#digest, item.name, item.revision);
  }

  /** The same resource under another object, such as the one that was held before. */
  replace(item: Resource): void {
    this.#generation.items.set(item.name, item);
  }

  put(item: Resource): void {
    this.#remember(item.name);
    this.add(item);
  }

  delete(name: string): void {
    const before = this.get(name);
    if (before === undefined) return;
    this.#remember(name);
    removeFrom(this.#digest, name, before.revision);
    this.#generation.items.delete(name);
  }

  snapshot(position: Position): Snapshot {
    return new StoredSnapshot(this.#generation, position, { ...this.#digest });
  }

  #remember(name: string): void {
    if (this.#generation.isFull) this.#generation = new Generation(new Map(this.#generation.items));
    const { log, items } = this.#generation;
    log.push({ name, before: items.get(name) });
  }
}

class StoredSnapshot implements Snapshot {
  readonly position: Position;
  readonly size: number;
  readonly #generation: Generation;
  readonly #digest: Readonly<Digest>;
  /** What of the generation's log is taken back already. */
  #seen: number;
  #undone: Map<string, Resource | undefined> | undefined;

  constructor(generation: Generation, position: Position, digest: Readonly<Digest>) {
    this.position = position;
    this.size = generation.items.size;
    this.#generation = generation;
    this.#digest = digest;
    this.#seen = generation.log.length;
  }

  get digest(): string {
    return digestHex(this.#digest);
  }

  get(name: string): Resource | undefined {
    const undone = this.#takeBack();
    return undone?.has(name) === true ? undone.get(name) : this.#generation.items.get(name);
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  values(): Iterable<Resource> {
    const undone = this.#takeBack();
    // A copy: who walks through it may be at it while the next change comes.
    if (undone === undefined) return [...this.#generation.items.values()];
    const values = [...this.#generation.items.values()].filter(({ name }) => !undone.has(name));
    for (const before of undone.values()) if (before !== undefined) values.push(before);
    return values;
  }

  /** What came first after this snapshot is what it had. */
  #takeBack(): ReadonlyMap<string, Resource | undefined> | undefined {
    const { log } = this.#generation;
    for (; this.#seen < log.length; this.#seen++) {
      const undo = log[this.#seen];
      this.#undone ??= new Map();
      if (undo !== undefined && !this.#undone.has(undo.name)) this.#undone.set(undo.name, undo.before);
    }
    return this.#undone;
  }
}
