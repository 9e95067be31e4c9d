import { inverseWeights, type Balancer, type Candidate, type Random } from './balancer.ts';

/** Where the fewest calls are under way for its weight; at random among equals, so that a fleet does not run to the same one. */
export class LeastOutstanding<C extends Candidate> implements Balancer<C> {
  readonly #random: Random;
  #list: readonly C[] = [];
  #inverse: Float64Array = new Float64Array();

  constructor(random: Random) {
    this.#random = random;
  }

  update(candidates: readonly C[], weights: readonly number[]): void {
    this.#list = [...candidates];
    this.#inverse = inverseWeights(weights);
  }

  pick(): C | undefined {
    let least = Infinity;
    let equals = 0;
    for (let n = 0; n < this.#list.length; n++) {
      const load = this.#load(n);
      if (load < least) {
        least = load;
        equals = 1;
      } else if (load === least) equals += 1;
    }
    let nth = equals > 1 ? Math.floor(this.#random() * equals) : 0;
    for (let n = 0; n < this.#list.length; n++) {
      if (this.#load(n) === least && nth-- === 0) return this.#list[n];
    }
    return undefined;
  }

  #load(n: number): number {
    return ((this.#list[n] as C).outstanding + 1) * (this.#inverse[n] as number);
  }
}
