interface Waiting<T> {
  readonly found: Promise<T | undefined>;
  readonly resolve: (found: T | undefined) => void;
  readonly reject: (error: unknown) => void;
}

export interface GatheredLimits {
  /** Ids of one lookup. */
  readonly batch: number;
  /** Ids that may wait for the next ones. */
  readonly waiting: number;
}

/** More is asked for than can be looked up. */
export class TooManyLookups extends Error {}

/**
 * Lookups by id, one at a time: what is asked while one is under way goes into the next one together. However much is
 * asked, whoever is looked up at has one question to answer.
 */
export class Gathered<T extends { readonly id: string }> {
  readonly #find: (ids: readonly string[]) => Promise<readonly T[]>;
  readonly #limits: GatheredLimits;
  readonly #waiting = new Map<string, Waiting<T>>();
  #underWay = false;

  constructor(find: (ids: readonly string[]) => Promise<readonly T[]>, limits: GatheredLimits) {
    this.#find = find;
    this.#limits = limits;
  }

  /** Rejects when the lookup fails, or with `TooManyLookups`. */
  find(id: string): Promise<T | undefined> {
    const before = this.#waiting.get(id);
    if (before !== undefined) return before.found;
    if (this.#waiting.size >= this.#limits.waiting) return Promise.reject(new TooManyLookups());
    const waiting = wait<T>();
    this.#waiting.set(id, waiting);
    if (!this.#underWay) void this.#run();
    return waiting.found;
  }

  async #run(): Promise<void> {
    this.#underWay = true;
    while (this.#waiting.size > 0) {
      const batch = [...this.#waiting].slice(0, this.#limits.batch);
      for (const [id] of batch) this.#waiting.delete(id);
      await this.#answer(new Map(batch));
    }
    this.#underWay = false;
  }

  async #answer(batch: ReadonlyMap<string, Waiting<T>>): Promise<void> {
    try {
      const found = await this.#find([...batch.keys()]);
      for (const item of found) batch.get(item.id)?.resolve(item);
      for (const { resolve } of batch.values()) resolve(undefined);
    } catch (error) {
      for (const { reject } of batch.values()) reject(error);
    }
  }
}

function wait<T>(): Waiting<T> {
  let settle: Pick<Waiting<T>, 'resolve' | 'reject'> | undefined;
  const found = new Promise<T | undefined>((resolve, reject) => (settle = { resolve, reject }));
  if (settle === undefined) throw new Error('a promise runs its executor at once');
  return { found, ...settle };
}
