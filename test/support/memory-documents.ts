import type { AnyItem } from '../../src/domain/item.ts';
import type { Documents } from '../../src/store/port.ts';

interface Stored {
  readonly body: Uint8Array;
  readonly storedAt: number;
}

/** API documents in memory. They pass the contract suite. */
export class MemoryDocuments implements Documents {
  readonly #clock: () => number;
  readonly #items: () => Iterable<AnyItem>;
  readonly #turn: () => Promise<void>;
  readonly #documents = new Map<string, Stored>();

  /** `items`: what the versions that have them are among; `turn` rejects while the store is away. */
  constructor(clock: () => number, items: () => Iterable<AnyItem>, turn: () => Promise<void> = async () => {}) {
    this.#clock = clock;
    this.#items = items;
    this.#turn = turn;
  }

  async put(sha256: string, body: Uint8Array): Promise<void> {
    await this.#turn();
    this.#documents.set(sha256, { body: Buffer.from(body), storedAt: this.#clock() });
  }

  async read(sha256: string): Promise<Uint8Array | undefined> {
    await this.#turn();
    return this.#documents.get(sha256)?.body;
  }

  /** As if it had been removed while somebody still meant to read it. */
  forget(sha256: string): void {
    this.#documents.delete(sha256);
  }

  async removeUnused(graceMs: number): Promise<number> {
    await this.#turn();
    const used = new Set<string | undefined>();
    for (const item of this.#items()) if (item.kind === 'version') used.add(item.value.document?.sha256);
    const oldest = this.#clock() - graceMs;
    const unused = [...this.#documents].filter(([sha256, { storedAt }]) => storedAt < oldest && !used.has(sha256));
    for (const [sha256] of unused) this.#documents.delete(sha256);
    return unused.length;
  }
}
