/** Those who want to be told of something. What one of them throws keeps it from nobody else. */
export class Listeners<T> {
  readonly #all = new Set<{ readonly listener: (about: T) => void }>();
  readonly #onFault: (error: unknown) => void;

  constructor(onFault: (error: unknown) => void) {
    this.#onFault = onFault;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Answers how to stop it. The same function may listen twice. */
  add(listener: (about: T) => void): () => void {
    const entry = { listener };
    this.#all.add(entry);
    return () => void this.#all.delete(entry);
  }

  tell(about: T): void {
    for (const { listener } of this.#all) {
      try {
        listener(about);
      } catch (error) {
        this.#onFault(error);
      }
    }
  }

  clear(): void {
    this.#all.clear();
  }
}
