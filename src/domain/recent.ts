/** Values by a key, as many as were used last: at least `max` of them, and less than twice as many. */
export class Recent<V> {
  readonly #max: number;
  #young = new Map<string, V>();
  #old: ReadonlyMap<string, V> = new Map();

  constructor(max: number) {
    this.#max = max;
  }

  /** To find what was used not long ago changes nothing, so it costs one lookup. */
  get(key: string): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, value: V): void {
    if (this.#young.size >= this.#max && !this.#young.has(key)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }
}
