import { asAdded, difference } from '../cache/difference.ts';
import type { Snapshot, WatchChanges } from './watch.ts';

/** So many batches, and changes in them, wait for who does not keep up. */
const MAX_BATCHES = 64;
const MAX_CHANGES = 1000;

type Result = IteratorResult<WatchChanges, undefined>;
const DONE: Result = { done: true, value: undefined };

/** One iterator over a watch. What waits in it is bounded: past that, the newest state takes the place of what was missed. */
export class ChangeStream implements AsyncIterator<WatchChanges, undefined> {
  readonly #newest: () => Snapshot | undefined;
  readonly #onReturn: () => void;
  #queue: WatchChanges[] = [];
  #queued = 0;
  /** What was told last. */
  #told: Snapshot | undefined;
  /** What comes next is not in the queue, but how the newest snapshot differs from what was told. */
  #missed = true;
  #waiting: ((result: Result) => void)[] = [];
  #ended = false;

  constructor(newest: () => Snapshot | undefined, onReturn: () => void) {
    this.#newest = newest;
    this.#onReturn = onReturn;
  }

  push(changes: WatchChanges): void {
    if (this.#ended) return;
    if (!this.#missed) {
      this.#queue.push(changes);
      this.#queued += changes.changes.length;
      if (this.#queue.length > MAX_BATCHES || this.#queued > MAX_CHANGES) this.#miss();
    }
    const waiting = this.#waiting.shift();
    if (waiting === undefined) return;
    const next = this.#take();
    if (next === undefined) this.#waiting.unshift(waiting);
    else waiting({ done: false, value: next });
  }

  next(): Promise<Result> {
    if (this.#ended) return Promise.resolve(DONE);
    const next = this.#waiting.length > 0 ? undefined : this.#take();
    if (next !== undefined) return Promise.resolve({ done: false, value: next });
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  return(): Promise<Result> {
    this.end();
    this.#onReturn();
    return Promise.resolve(DONE);
  }

  end(): void {
    this.#ended = true;
    this.#miss();
    this.#told = undefined;
    for (const waiting of this.#waiting.splice(0)) waiting(DONE);
  }

  #miss(): void {
    this.#queue = [];
    this.#queued = 0;
    this.#missed = true;
  }

  #take(): WatchChanges | undefined {
    if (!this.#missed) {
      const next = this.#queue.shift();
      if (next === undefined) return undefined;
      this.#queued -= next.changes.length;
      this.#told = next.snapshot;
      return next;
    }
    const snapshot = this.#newest();
    if (snapshot === undefined) return undefined;
    const told = this.#told;
    this.#missed = false;
    this.#told = snapshot;
    return told === undefined
      ? { type: 'loaded', changes: Array.from(snapshot.values(), asAdded), snapshot }
      : { type: 'reloaded', changes: difference(told, snapshot, snapshot.position.revision), snapshot };
  }
}
