import type { Random } from './balancer.ts';

/** Draws numbers with given probabilities in constant time (Walker's alias method, as Vose builds it). */
export class Alias {
  readonly #random: Random;
  readonly #keep: Float64Array;
  readonly #other: Int32Array;

  constructor(weights: readonly number[], random: Random) {
    this.#random = random;
    const count = weights.length;
    const mean = weights.reduce((sum, weight) => sum + weight, 0) / count;
    this.#keep = Float64Array.from(weights, (weight) => weight / mean);
    this.#other = new Int32Array(count);
    const light: number[] = [];
    const heavy: number[] = [];
    for (let n = 0; n < count; n++) ((this.#keep[n] as number) < 1 ? light : heavy).push(n);
    while (light.length > 0 && heavy.length > 0) {
      const low = light.pop() as number;
      const high = heavy.pop() as number;
      this.#other[low] = high;
      this.#keep[high] = (this.#keep[high] as number) - (1 - (this.#keep[low] as number));
      (this.#keep[high] < 1 ? light : heavy).push(high);
    }
    // What rounding has left over is as good as full.
    for (const n of [...light, ...heavy]) this.#keep[n] = 1;
  }

  draw(): number {
    const at = this.#random() * this.#keep.length;
    const n = Math.floor(at);
    return at - n < (this.#keep[n] as number) ? n : (this.#other[n] as number);
  }
}
