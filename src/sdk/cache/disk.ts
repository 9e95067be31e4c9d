import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Caller } from '../caller.ts';
import type { ClientLog } from '../options.ts';
import { removeAbandoned, writeAtomically } from './atomic-write.ts';
import { decodeCopy, encodeCopy, fileNameOf } from './copy-file.ts';
import type { Keep, Kept } from './keep.ts';

export interface DiskOptions {
  /** Made where it is not there. Processes may share it. */
  readonly directory: string;
  /** Whose copies are read; those of another server are none. */
  readonly server: string;
  readonly log: Pick<ClientLog, 'warn'>;
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
  /** In milliseconds since 1970. */
  readonly clock: () => number;
}

/** A topic is written so often at most. */
const BETWEEN_WRITES_MS = 1000;

interface Topic {
  waiting: Kept | undefined;
  timer: NodeJS.Timeout | undefined;
  writtenAt: number;
}

/**
 * Copies on disk, one file for each topic. Whatever is wrong with a file, it is no copy; whatever is wrong with the disk is
 * told once, and nothing is kept until it works again.
 */
export class DiskKeep implements Keep {
  readonly #options: DiskOptions;
  readonly #topics = new Map<string, Topic>();
  #opened: Promise<void> | undefined;
  /** One after the other, so that many topics are not all encoded at once. */
  #writes: Promise<void> = Promise.resolve();
  #isClosed = false;
  #isBroken = false;

  constructor(options: DiskOptions) {
    this.#options = options;
  }

  async load(topic: string, caller: Caller): Promise<Kept | undefined> {
    const { directory, server, log } = this.#options;
    const file = join(directory, fileNameOf(server, topic, caller));
    try {
      const decoded = decodeCopy(await readFile(file), server, topic, caller);
      if (decoded.ok) return decoded.kept;
      log.warn({ file, topic }, `A copy on disk is not used: ${decoded.why}.`);
    } catch (error) {
      if (!isMissing(error)) log.warn({ err: error, file, topic }, 'A copy on disk cannot be read, and is not used.');
    }
    return undefined;
  }

  save(topic: string, kept: Kept): void {
    if (this.#isClosed) return;
    const state = this.#topics.get(topic) ?? { waiting: undefined, timer: undefined, writtenAt: -Infinity };
    this.#topics.set(topic, state);
    state.waiting = kept;
    if (state.timer !== undefined) return;
    const due = state.writtenAt + BETWEEN_WRITES_MS - this.#options.now();
    state.timer = setTimeout(() => this.#write(topic, state), Math.max(0, due));
    // A process that has nothing else to do ends; `close` writes what waits.
    state.timer.unref();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const [topic, state] of this.#topics) {
      clearTimeout(state.timer);
      this.#write(topic, state);
    }
    await this.#writes;
  }

  #write(topic: string, state: Topic): void {
    this.#writes = this.#writes.then(async () => {
      state.timer = undefined;
      const kept = state.waiting;
      if (kept === undefined) return;
      state.waiting = undefined;
      state.writtenAt = this.#options.now();
      try {
        await this.#open();
        const { server, caller } = kept;
        await writeAtomically(this.#options.directory, fileNameOf(server, topic, caller), encodeCopy(topic, kept));
        this.#isBroken = false;
      } catch (error) {
        this.#failed(error);
      }
    });
  }

  #open(): Promise<void> {
    return (this.#opened ??= this.#prepare().catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    }));
  }

  async #prepare(): Promise<void> {
    const { directory, clock } = this.#options;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await removeAbandoned(directory, clock());
  }

  #failed(error: unknown): void {
    // The directory may have been taken away; it is made again when it can be.
    this.#opened = undefined;
    if (this.#isBroken) return;
    this.#isBroken = true;
    const { directory, log } = this.#options;
    log.warn({ err: error, directory }, 'Copies cannot be kept on disk; the client goes on without.');
  }
}

const isMissing = (error: unknown): boolean => (error as { readonly code?: unknown } | null)?.code === 'ENOENT';
