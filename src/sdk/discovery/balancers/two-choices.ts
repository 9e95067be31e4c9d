import { Alias } from './alias.ts';
import { allEqual, inverseWeights, type Balancer, type Candidate, type Random } from './balancer.ts';

/** Of one that has calls under way and has answered none yet: more than any known one. */
const UNPROVEN = 1e9;
const REDRAWS = 4;

/**
 * The power of two choices: two at random, by weight, and the one of them where a call costs less. The cost is the latency times the
 * calls that would then be under way. Between equals the first one wins, so that shares are those of the weights.
 */
export class TwoChoices<C extends Candidate> implements Balancer<C> {
  readonly #random: Random;
  #list: readonly C[] = [];
  #inverse: Float64Array = new Float64Array();
  #alias: Alias | undefined;

  constructor(random: Random) {
    this.#random = random;
  }

  update(candidates: readonly C[], weights: readonly number[]): void {
    this.#list = [...candidates];
    this.#inverse = inverseWeights(weights);
    this.#alias = allEqual(weights) ? undefined : new Alias(weights, this.#random);
  }

  pick(): C | undefined {
    const list = this.#list;
    const count = list.length;
    if (count < 2) return list[0];
    let a: number;
    let b: number;
    if (this.#alias === undefined) {
      // One random number for an ordered pair of different ones.
      const pair = Math.floor(this.#random() * count * (count - 1));
      a = pair % count;
      b = a + 1 + (pair - a) / count;
      if (b >= count) b -= count;
    } else {
      a = this.#alias.draw();
      b = this.#another(this.#alias, a, count);
    }
    const first = list[a] as C;
    const second = list[b] as C;
    return cost(second, this.#inverse[b] as number) < cost(first, this.#inverse[a] as number) ? second : first;
  }

  /** A heavy one is drawn again and again: after some tries a neighbour is good enough. */
  #another(alias: Alias, than: number, count: number): number {
    for (let tries = 0; tries < REDRAWS; tries++) {
      const drawn = alias.draw();
      if (drawn !== than) return drawn;
    }
    return than + 1 < count ? than + 1 : 0;
  }
}

/** A new one is tried once; until it has answered, nobody else waits for it. */
function cost(candidate: Candidate, inverseWeight: number): number {
  const { outstanding, latencyMs } = candidate;
  if (latencyMs === 0) return outstanding === 0 ? 0 : UNPROVEN + outstanding;
  return latencyMs * (outstanding * inverseWeight + 1);
}
