/** The part of its share that an instance gets at an age. */
export function ramp(ageMs: number, { windowMs, from }: { readonly windowMs: number; readonly from: number }): number {
  return ageMs >= windowMs ? 1 : from + ((1 - from) * Math.max(ageMs, 0)) / windowMs;
}

/** How much more than its even share an old instance may get because others are new. */
const MOST = 2;

/**
 * Weights with the ramps applied; where all are new, without them. Where most are new, ramps are raised, so that the old ones do not
 * get more than twice their even share: ten of eleven replaced at once is no reason to send everything to the eleventh.
 */
export function ramped(weights: readonly number[], ramps: readonly number[]): readonly number[] {
  let settled = 0;
  let fresh = 0;
  let rising = 0;
  for (const [n, weight] of weights.entries()) {
    const part = ramps[n] ?? 1;
    if (part >= 1) settled += weight;
    else {
      fresh += weight;
      rising += weight * part;
    }
  }
  if (fresh === 0 || settled === 0) return weights;
  const needed = (settled + fresh) / MOST - settled;
  const raise = Math.max(1, needed / rising);
  return weights.map((weight, n) => weight * Math.min(1, (ramps[n] ?? 1) * raise));
}
