import { SignalboxError } from '../errors.ts';
import { Listeners } from '../listeners.ts';
import type { Time } from '../time.ts';
import { ChangeStream } from './change-stream.ts';
import type { Named, Snapshot, Watch, WatchChanges, WatchState } from './watch.ts';

/** What watches of one selection share. */
export interface Shared {
  readonly state: WatchState;
  readonly snapshot: Snapshot | undefined;
  readonly age: number;
  /** Why it ended, or why it has not come yet. */
  readonly error: SignalboxError | undefined;
}

interface Waiting {
  readonly resolve: (snapshot: Snapshot) => void;
  readonly reject: (error: SignalboxError) => void;
}

export interface HandleDeps {
  readonly shared: Shared;
  readonly time: Pick<Time, 'after'>;
  readonly onClose: (handle: WatchHandle) => void;
  readonly onFault: (error: unknown) => void;
}

/** One caller's watch: closing it closes no other of the same selection. */
export class WatchHandle implements Watch {
  readonly #deps: HandleDeps;
  readonly #changes: Listeners<WatchChanges>;
  readonly #states: Listeners<WatchState>;
  readonly #streams = new Set<ChangeStream>();
  readonly #waiting = new Set<Waiting>();
  #closed = false;
  #error: SignalboxError | undefined;

  constructor(deps: HandleDeps) {
    this.#deps = deps;
    this.#changes = new Listeners(deps.onFault);
    this.#states = new Listeners(deps.onFault);
  }

  get state(): WatchState {
    return this.#closed ? 'closed' : this.#deps.shared.state;
  }

  get snapshot(): Snapshot | undefined {
    return this.#deps.shared.snapshot;
  }

  get age(): number {
    return this.#deps.shared.age;
  }

  get error(): SignalboxError | undefined {
    return this.#error;
  }

  /** Whether somebody wants to know of changes. */
  get listening(): boolean {
    return this.#changes.size > 0 || this.#streams.size > 0;
  }

  ready({ timeoutMs, signal }: { timeoutMs?: number; signal?: AbortSignal } = {}): Promise<Snapshot> {
    const { shared, time } = this.#deps;
    const { snapshot } = shared;
    if (this.state === 'closed') return Promise.reject(shared.error ?? closed());
    if (snapshot !== undefined) return Promise.resolve(snapshot);
    if (signal?.aborted === true) return Promise.reject(aborted(signal));
    return new Promise((resolve, reject) => {
      const settled = (): void => {
        this.#waiting.delete(waiting);
        cancel?.();
        signal?.removeEventListener('abort', onAbort);
      };
      const waiting: Waiting = {
        resolve: (first) => {
          settled();
          resolve(first);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      };
      const onAbort = (): void => waiting.reject(aborted(signal));
      const cancel =
        timeoutMs === undefined
          ? undefined
          : time.after(timeoutMs, () => waiting.reject(late(timeoutMs, shared.error)));
      signal?.addEventListener('abort', onAbort);
      this.#waiting.add(waiting);
    });
  }

  on(event: 'change', listener: (changes: WatchChanges) => void): () => void;
  on(event: 'state', listener: (state: WatchState) => void): () => void;
  on(...[event, listener]: ['change', (c: WatchChanges) => void] | ['state', (s: WatchState) => void]): () => void {
    return event === 'change' ? this.#changes.add(listener) : this.#states.add(listener);
  }

  [Symbol.asyncIterator](): AsyncIterator<WatchChanges, undefined> {
    const stream: ChangeStream = new ChangeStream(
      () => this.snapshot,
      () => this.#streams.delete(stream),
    );
    if (this.#closed || this.state === 'closed') stream.end();
    else this.#streams.add(stream);
    return stream;
  }

  changed(changes: WatchChanges): void {
    this.arrived(changes.snapshot);
    for (const stream of this.#streams) stream.push(changes);
    this.#changes.tell(changes);
  }

  /** There is a complete snapshot. */
  arrived(snapshot: Snapshot): void {
    for (const { resolve } of this.#waiting) resolve(snapshot);
  }

  /** It is not to be had at present: who waits is told, and the watch goes on. */
  refused(error: SignalboxError): void {
    for (const { reject } of this.#waiting) reject(error);
  }

  stateChanged(state: WatchState): void {
    this.#states.tell(state);
  }

  close(): void {
    if (this.#closed) return;
    this.#deps.onClose(this);
    this.end(undefined);
  }

  /** Nothing comes any more, for whatever reason. */
  end(error: SignalboxError | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#error = error;
    for (const { reject } of this.#waiting) reject(error ?? closed());
    for (const stream of this.#streams) stream.end();
    this.#streams.clear();
    this.#states.tell('closed');
    this.#changes.clear();
    this.#states.clear();
  }
}

/** The caller says of which type the resources are that it selects. */
export const typed = <T extends Named>(handle: WatchHandle): Watch<T> => handle as unknown as Watch<T>;

const closed = (): SignalboxError => new SignalboxError('stopped', 'The watch is closed.');

const aborted = (signal: AbortSignal | undefined): SignalboxError =>
  new SignalboxError('stopped', 'The wait was given up by its signal.', { cause: signal?.reason });

function late(timeoutMs: number, why: SignalboxError | undefined): SignalboxError {
  const message = `There was no complete snapshot within ${timeoutMs} ms${why === undefined ? '' : `: ${why.message}`}`;
  return new SignalboxError('timeout', message, { cause: why });
}
