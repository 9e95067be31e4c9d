import type { Leases } from '../leases/port.ts';

/** Failures in a row that have come to no decision, and the last slot, of the clock that nodes share, that one of them is of. */
export interface Failing {
  readonly failures: number;
  readonly slot: number;
}

const VERSION = 1;
const TEXT = /^1 ([1-9][0-9]{0,5}) (-?[0-9]{1,16})$/;

export const failingText = ({ failures, slot }: Failing): string => `${VERSION} ${failures} ${Math.round(slot)}`;

/** `undefined`: it says something else, or was written by another version. */
export function failingIn(text: string | undefined): Failing | undefined {
  const [, failures, slot] = TEXT.exec(text ?? '') ?? [];
  return failures === undefined ? undefined : { failures: Number(failures), slot: Number(slot) };
}

/** Of one call. */
const MAX_KEYS = 1000;
/** What cannot be written for so long is not worth keeping. */
const MAX_WAITING = 20_000;

/**
 * Writes down what checks have found that is no revision, for the node that has the instance next. Once per tick, and as well as
 * it goes: what is lost makes a decision come later.
 */
export class Notebook {
  readonly #leases: Pick<Leases, 'note' | 'forget'>;
  readonly #notes = new Map<string, string>();
  readonly #gone = new Set<string>();
  #isWriting = false;

  constructor(leases: Pick<Leases, 'note' | 'forget'>) {
    this.#leases = leases;
  }

  /** Without anything, what stood there is forgotten. */
  note(key: string, failing: Failing | undefined): void {
    if (this.#notes.size < MAX_WAITING) this.#notes.set(key, failing === undefined ? '' : failingText(failing));
  }

  /** The instance is gone. */
  forget(key: string): void {
    this.#notes.delete(key);
    if (this.#gone.size < MAX_WAITING) this.#gone.add(key);
  }

  flush(): void {
    if (this.#notes.size + this.#gone.size > 0 && !this.#isWriting) void this.#write();
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    try {
      while (this.#notes.size + this.#gone.size > 0) {
        const notes = [...this.#notes].slice(0, MAX_KEYS).map(([key, note]) => ({ key, note }));
        const gone = [...this.#gone].slice(0, MAX_KEYS);
        for (const { key } of notes) this.#notes.delete(key);
        for (const key of gone) this.#gone.delete(key);
        if (notes.length > 0) await this.#leases.note(notes);
        if (gone.length > 0) await this.#leases.forget(gone);
      }
    } catch {
      // The leases say themselves that they are away.
    }
    this.#isWriting = false;
  }
}
