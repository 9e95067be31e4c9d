import type { Resource, Snapshot, Watch, WatchChanges } from '../../src/sdk/watch/watch.ts';
import type { ModelServer } from './model-server.ts';

type Items = ReadonlyMap<string, Resource>;

/** Of the very same objects: what has not changed is shared. */
function isOf({ size, get }: { size: number; get(name: string): unknown }, items: Iterable<Resource>): boolean {
  let count = 0;
  for (const item of items) {
    if (get(item.name) !== item) return false;
    count += 1;
  }
  return count === size;
}

const holds = (items: Items, snapshot: Snapshot): boolean =>
  isOf({ size: items.size, get: (name) => items.get(name) }, snapshot.values());

const contents = (items: Iterable<Resource>): string =>
  Array.from(items, (item) => JSON.stringify(item))
    .sort()
    .join('\n');

/** A watch whose every word is held against what the model server has had. */
export class CheckedWatch {
  readonly watch: Watch;
  readonly topic: string;
  readonly #server: ModelServer;
  readonly #mine = new Map<string, Resource>();
  #last: { epoch: string; revision: number } | undefined;
  /** Snapshots of all ages with what they had when they were new. */
  readonly #old: { snapshot: Snapshot; items: Items }[] = [];
  readonly told: string[] = [];
  readonly #iterated = new Map<string, Resource>();
  readonly #iterator: AsyncIterator<WatchChanges>;
  #reading = false;
  iterations: string[] = [];

  constructor(watch: Watch, topic: string, server: ModelServer) {
    this.watch = watch;
    this.topic = topic;
    this.#server = server;
    // Who comes later to what is watched already begins with what there is.
    for (const item of watch.snapshot?.values() ?? []) this.#mine.set(item.name, item);
    this.#last = watch.snapshot?.position;
    watch.on('change', (changes) => this.#changed(changes));
    this.#iterator = watch[Symbol.asyncIterator]();
  }

  /** Reads one batch of the iterator, some time. */
  read(): void {
    if (this.#reading) return;
    this.#reading = true;
    void this.#iterator.next().then(
      ({ done, value }) => {
        this.#reading = false;
        if (done === true) return;
        this.iterations.push(value.type);
        fold(this.#iterated, value, () => undefined);
        if (!holds(this.#iterated, value.snapshot)) this.#fail('the iterator and its snapshot differ');
      },
      (error: unknown) => this.faults.push(String(error)),
    );
  }

  readonly faults: string[] = [];

  /** Something that a client may do with old snapshots at any time. */
  look(): void {
    const one = this.#old[this.#server.random.below(Math.max(1, this.#old.length))];
    if (one === undefined) return;
    for (const item of one.snapshot.values()) {
      if (one.snapshot.get(item.name) !== item) this.#fail(`get and values differ for ${item.name}`);
    }
    if (!holds(one.items, one.snapshot)) this.#fail('PUSH an old snapshot has changed');
  }

  /** Nothing goes wrong any more, and everything has arrived. */
  end(): void {
    const { snapshot, state } = this.watch;
    if (state !== 'live') this.#fail(`it is ${state} in the end`);
    if (snapshot?.digest !== this.#server.digest(this.topic)) this.#fail('PUSH8 it does not agree in the end');
    if (contents(this.#mine.values()) !== contents(this.#server.selected(this.topic)))
      this.#fail('PUSH3 what was told is not what is there');
    if (this.iterations.length > 0 && contents(this.#iterated.values()) !== contents(this.#mine.values())) {
      this.#fail('PUSH3 the iterator has missed something');
    }
    for (const old of this.#old) if (!holds(old.items, old.snapshot)) this.#fail('an old snapshot has changed');
    if (this.faults.length > 0) throw new Error(`${this.topic}: ${this.faults.join('; ')}\n${this.told.join('\n')}`);
  }

  #changed(changes: WatchChanges): void {
    const { type, snapshot } = changes;
    this.told.push(`${type} ${changes.changes.length} at ${snapshot.position.epoch}:${snapshot.position.revision}`);
    if ((type === 'loaded') !== (this.#last === undefined)) this.#fail('PUSH7 it was not loaded first, and once');
    if (type === 'changed') {
      let last = this.#last?.epoch === snapshot.position.epoch ? this.#last.revision : -1;
      for (const { revision } of changes.changes) {
        if (revision < last) this.#fail(`PUSH1 ${revision} after ${last}`);
        last = revision;
      }
      if (this.#last?.epoch === snapshot.position.epoch && (changes.changes[0]?.revision ?? 0) <= this.#last.revision) {
        this.#fail('PUSH2 something was told twice');
      }
    }
    fold(this.#mine, changes, (fault) => this.#fail(fault));
    if (!holds(this.#mine, snapshot)) this.#fail('PUSH3 what was told is not the snapshot');
    const trusted = !this.#server.wrong.has(this.topic);
    const right = this.#server.digestAt(this.topic, snapshot.position);
    if (trusted && type !== 'changed' && right !== snapshot.digest) this.#fail('PUSH7 the snapshot is not whole');
    if (trusted && type === 'changed' && right !== undefined && right !== snapshot.digest)
      this.#fail('PUSH3 the copy is wrong');
    this.#last = snapshot.position;
    if (this.#server.random.chance(0.2)) this.#old.push({ snapshot, items: new Map(this.#mine) });
  }

  #fail(fault: string): void {
    this.faults.push(`${fault} (after ${this.told.length})`);
  }
}

function fold(items: Map<string, Resource>, { changes }: WatchChanges, fail: (fault: string) => void): void {
  for (const { name, before, value } of changes) {
    if (items.get(name) !== before) fail(`before is wrong for ${name}`);
    if (value === undefined) items.delete(name);
    else items.set(name, value);
  }
}
