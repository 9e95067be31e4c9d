import { allEqual, type Balancer, type Candidate, type Random } from './balancer.ts';

/**
 * One after the other. Whoever was next stays next when the list changes; newcomers come last. The first order is random, so that
 * many clients with one list are not in step. A candidate with half the weight of the heaviest is passed over every other time.
 */
export class RoundRobin<C extends Candidate> implements Balancer<C> {
  readonly #random: Random;
  #list: readonly C[] = [];
  /** Of the heaviest, 0 to 1; empty where they all weigh the same. */
  #shares: Float64Array = new Float64Array();
  #credits: Float64Array = new Float64Array();
  #next = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  update(candidates: readonly C[], weights: readonly number[]): void {
    const credits = new Map(this.#list.map((candidate, n) => [candidate, this.#credits[n] ?? 0]));
    const weightOf = new Map(candidates.map((candidate, n) => [candidate, weights[n] ?? 1]));
    const stayed = [...this.#list.slice(this.#next), ...this.#list.slice(0, this.#next)].filter((c) => weightOf.has(c));
    const list = [
      ...stayed,
      ...shuffled(
        this.#random,
        candidates.filter((candidate) => !credits.has(candidate)),
      ),
    ];
    const heaviest = weights.reduce((most, weight) => Math.max(most, weight), 0);
    this.#list = list;
    this.#next = 0;
    this.#shares = allEqual(weights)
      ? new Float64Array()
      : Float64Array.from(list, (candidate) => (weightOf.get(candidate) ?? 1) / heaviest);
    this.#credits = Float64Array.from(list, (candidate) => credits.get(candidate) ?? 0);
  }

  pick(): C | undefined {
    const list = this.#list;
    const length = list.length;
    if (this.#shares.length === 0 || length === 0) return list[this.#advance(length)];
    // The heaviest is never passed over, so this ends within one round.
    for (;;) {
      const n = this.#advance(length);
      const credit = (this.#credits[n] as number) + (this.#shares[n] as number);
      if (credit >= 1) {
        this.#credits[n] = credit - 1;
        return list[n];
      }
      this.#credits[n] = credit;
    }
  }

  #advance(length: number): number {
    const n = this.#next;
    this.#next = n + 1 < length ? n + 1 : 0;
    return n;
  }
}

function shuffled<T>(random: Random, values: readonly T[]): T[] {
  const list = [...values];
  for (let n = list.length - 1; n > 0; n--) {
    const other = Math.floor(random() * (n + 1));
    [list[n], list[other]] = [list[other] as T, list[n] as T];
  }
  return list;
}
