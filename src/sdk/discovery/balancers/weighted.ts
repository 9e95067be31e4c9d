import type { Balancer, Candidate, Random } from './balancer.ts';

/**
 * Shares in proportion to weights, evenly spread: each has a deadline that moves on by `1 / weight` when it is picked, and the earliest
 * is next (earliest deadline first, in a heap: O(log n) for a pick). First deadlines are random, so that many clients are not in step.
 */
export class Weighted<C extends Candidate> implements Balancer<C> {
  readonly #random: Random;
  #list: readonly C[] = [];
  #steps: Float64Array = new Float64Array();
  #deadlines: Float64Array = new Float64Array();
  /** Places in the list; the earliest deadline is first. */
  #heap: Int32Array = new Int32Array();
  /** The deadline that was met last. */
  #time = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  update(candidates: readonly C[], weights: readonly number[]): void {
    // What is left of a wait is kept as a part of the whole wait, so that a list that changes often starves nobody.
    const left = new Map(
      this.#list.map((candidate, n) => [
        candidate,
        ((this.#deadlines[n] as number) - this.#time) / (this.#steps[n] as number),
      ]),
    );
    this.#list = [...candidates];
    this.#time = 0;
    this.#steps = Float64Array.from(weights, (weight) => 1 / weight);
    this.#deadlines = this.#steps.map((step, n) => step * (left.get(candidates[n] as C) ?? this.#random()));
    this.#heap = Int32Array.from(candidates.keys()).sort(
      (a, b) => (this.#deadlines[a] as number) - (this.#deadlines[b] as number),
    );
  }

  pick(): C | undefined {
    if (this.#list.length === 0) return undefined;
    const first = this.#heap[0] as number;
    const deadline = this.#deadlines[first] as number;
    this.#time = deadline;
    this.#deadlines[first] = deadline + (this.#steps[first] as number);
    this.#sink(first, this.#deadlines[first]);
    return this.#list[first];
  }

  /** Takes the first to where its new deadline belongs. */
  #sink(moved: number, deadline: number): void {
    const heap = this.#heap;
    const deadlines = this.#deadlines;
    const length = heap.length;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= length) break;
      let earliest = deadlines[heap[child] as number] as number;
      if (child + 1 < length) {
        const other = deadlines[heap[child + 1] as number] as number;
        if (other < earliest) {
          child += 1;
          earliest = other;
        }
      }
      if (earliest >= deadline) break;
      heap[place] = heap[child] as number;
      place = child;
    }
    heap[place] = moved;
  }
}
