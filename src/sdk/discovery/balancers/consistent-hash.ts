import { hashOf } from '../hash.ts';
import type { Balancer, Candidate, Random } from './balancer.ts';
import { placeOf, pointCounts, ringPoints, type RingPoints } from './ring-points.ts';

/** Calls under way, of all candidates together. */
export interface Load {
  outstanding: number;
}

const KEY_SEED = 0x5bd1e995;
const NO_POINTS: RingPoints = { positions: new Uint32Array(), owners: new Int32Array() };

/**
 * A ring with bounded loads (Mirrokni, Thorup, Zadimoghaddam, 2016): a key belongs to the first candidate after it that can be called
 * and has fewer calls under way than `factor` times its share of all of them. Names and weights alone make the ring, so that all
 * clients have the same one; when one leaves, only its keys move.
 */
export class ConsistentHash<C extends Candidate> implements Balancer<C> {
  readonly #random: Random;
  readonly #load: Readonly<Load>;
  readonly #factor: number;
  #list: readonly C[] = [];
  #points: RingPoints = NO_POINTS;
  #madeOf = '';
  /** `factor` times the share of each. */
  #bounds: Float64Array = new Float64Array();

  constructor(random: Random, load: Readonly<Load>, factor = 1.25) {
    this.#random = random;
    this.#load = load;
    this.#factor = factor;
  }

  update(candidates: readonly C[], weights: readonly number[]): void {
    const sorted = candidates.map((candidate, n) => ({ candidate, weight: weights[n] ?? 1 })).sort(byName);
    this.#list = sorted.map(({ candidate }) => candidate);
    const names = this.#list.map(({ name }) => name);
    const counts = pointCounts(sorted.map(({ weight }) => weight));
    // Ejections and other weights change bounds often, and points seldom.
    const madeOf = `${names.join(' ')} ${counts.join(' ')}`;
    if (madeOf !== this.#madeOf) this.#points = ringPoints(names, counts);
    this.#madeOf = madeOf;
    const usable = sorted.reduce((sum, { candidate, weight }) => sum + (candidate.usable ? weight : 0), 0);
    this.#bounds = Float64Array.from(sorted, ({ weight }) => (this.#factor * weight) / (usable || weight));
  }

  /** Without a key, one at random. */
  pick(key?: string, exclude?: ReadonlySet<unknown>): C | undefined {
    const { positions, owners } = this.#points;
    const length = positions.length;
    const from = placeOf(positions, key === undefined ? this.#random() * 2 ** 32 : hashOf(key, KEY_SEED));
    const outstanding = this.#load.outstanding + 1;
    let usable: C | undefined;
    let any: C | undefined;
    let seen = -1;
    for (let n = 0; n < length; n++) {
      const owner = owners[from + n < length ? from + n : from + n - length] as number;
      if (owner === seen) continue;
      seen = owner;
      const candidate = this.#list[owner] as C;
      if (exclude !== undefined && exclude.has(candidate)) continue;
      any ??= candidate;
      if (!candidate.usable) continue;
      if (candidate.outstanding < Math.ceil((this.#bounds[owner] as number) * outstanding)) return candidate;
      usable ??= candidate;
    }
    return usable ?? any;
  }
}

const byName = (a: { candidate: Candidate }, b: { candidate: Candidate }): number =>
  a.candidate.name < b.candidate.name ? -1 : 1;
