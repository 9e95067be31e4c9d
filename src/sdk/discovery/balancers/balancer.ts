/** What balancers look at in an endpoint. */
export interface Candidate {
  /** Of the instance: the same in every client. */
  readonly name: string;
  /** Calls under way. */
  readonly outstanding: number;
  /** Milliseconds; 0 while nothing is known. */
  readonly latencyMs: number;
  /** Whether it may be called now. Only those that may be are given to balancers other than the ring. */
  readonly usable: boolean;
}

/** Chooses one of several. Picking allocates nothing. */
export interface Balancer<C extends Candidate> {
  /** Takes the place of what it had. `weights[i]`, above 0, belongs to `candidates[i]`. What can go on, goes on. */
  update(candidates: readonly C[], weights: readonly number[]): void;
  /** Undefined only where there is nobody, or nobody but those that are excluded. Only the ring heeds `exclude`. */
  pick(key?: string, exclude?: ReadonlySet<unknown>): C | undefined;
}

export type Random = () => number;

/** Whether they all weigh the same, so that nothing needs to be weighed. */
export const allEqual = (weights: readonly number[]): boolean => weights.every((weight) => weight === weights[0]);

/** `1 / weight`, where the mean weight is 1. */
export function inverseWeights(weights: readonly number[]): Float64Array {
  const mean = weights.reduce((sum, weight) => sum + weight, 0) / weights.length;
  return Float64Array.from(weights, (weight) => mean / weight);
}
