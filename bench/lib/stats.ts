export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/** Numbers in the order they come, without an allocation each. */
export class Samples {
  #values = new Float64Array(1 << 16);
  #sorted = false;
  count = 0;

  push(value: number): void {
    if (this.count === this.#values.length) {
      const grown = new Float64Array(this.#values.length * 2);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.count++] = value;
    this.#sorted = false;
  }

  clear(): void {
    this.count = 0;
  }

  /** `share` from 0 to 1: the smallest sample that so many are not above. */
  percentile(share: number): number {
    if (this.count === 0) return NaN;
    if (!this.#sorted) this.#values.subarray(0, this.count).sort();
    this.#sorted = true;
    return this.#values[Math.max(0, Math.ceil(share * this.count) - 1)] ?? NaN;
  }
}

/** The median of each member over the rounds. */
export function medians<K extends string>(rounds: readonly Readonly<Record<K, number>>[]): Record<K, number> {
  const keys = Object.keys(rounds[0] ?? {}) as K[];
  return Object.fromEntries(keys.map((key) => [key, median(rounds.map((round) => round[key]))])) as Record<K, number>;
}
