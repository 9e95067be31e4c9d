import type { Timers } from '../timers.ts';
import type { MemoryAssault } from './assaults.ts';

interface Deps {
  readonly timers: Pick<Timers, 'after'>;
  /** The bytes that fractions are of: what the process may use. */
  readonly limitBytes: () => number;
  /** The bytes that the process uses now. */
  readonly usedBytes: () => number;
  readonly log: { warn(about: object, message: string): void };
}

/** So much is filled at a time, so that nothing else waits long for it. */
const CHUNK_BYTES = 8 * 1024 * 1024;

/** Memory that is taken for no use, and given back. One at a time. */
export class Ballast {
  readonly #deps: Deps;
  #chunks: Uint8Array[] = [];
  #cancel: (() => void) | undefined;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  get bytes(): number {
    return this.#chunks.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** Whether it is being filled, or held. */
  get busy(): boolean {
    return this.#cancel !== undefined;
  }

  /** Fills in steps until the process uses its fraction of the limit, holds that, and releases. Nothing while it is busy. */
  take(config: MemoryAssault): void {
    if (this.busy) return;
    this.#step(config);
  }

  release(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#chunks = [];
  }

  #step(config: MemoryAssault): void {
    const limit = this.#deps.limitBytes();
    // By whatever is counted less: memory that was filled but is swapped out, or not counted yet, is not filled again.
    const free = limit * config.memoryFillTargetFraction - Math.max(this.#deps.usedBytes(), this.bytes);
    const step = Math.floor(Math.min(free, limit * config.memoryFillIncrementFraction));
    if (step <= 0) {
      this.#deps.log.warn({ bytes: this.bytes }, `chaos: holding ${this.bytes} bytes of memory`);
      this.#cancel = this.#deps.timers.after(config.memoryMillisecondsHoldFilledMemory, () => this.release());
      return;
    }
    this.#allocate(step, () => {
      this.#cancel = this.#deps.timers.after(config.memoryMillisecondsWaitNextIncrease, () => this.#step(config));
    });
  }

  #allocate(bytes: number, done: () => void): void {
    const size = Math.min(bytes, CHUNK_BYTES);
    // Written to, or the system would not give the memory at all.
    this.#chunks.push(new Uint8Array(size).fill(1));
    if (size === bytes) return done();
    const next = setImmediate(() => this.#allocate(bytes - size, done));
    this.#cancel = () => clearImmediate(next);
  }
}
