/** How many of so many may be left out at once: somebody always stays. */
export function mayBeOut(count: number, { maxShare, minLive }: { maxShare: number; minLive: number }): number {
  return Math.max(0, Math.min(Math.floor(count * maxShare), count - Math.max(1, minLive)));
}

/**
 * Milliseconds that an instance is left out: longer with each ejection in a row, up to a bound; less up to a fifth at random, so that
 * many callers, and many instances that failed together, do not come back together. `random` is from 0 to below 1.
 */
export function ejectionMs(
  inARow: number,
  { baseMs, maxMs }: { baseMs: number; maxMs: number },
  random: number,
): number {
  return Math.min(maxMs, baseMs * inARow) * (1 - random / 5);
}

/** Calls of one instance that ended within an interval. */
export interface Tally {
  readonly ok: number;
  readonly failed: number;
}

/** Fewer say nothing about what is usual. */
const FEWEST = 5;

/**
 * Those whose share of good calls is more than `factor` standard deviations below the mean of those with enough calls, the worst first.
 * Who fails as the others do is not among them.
 */
export function outliers<T extends Tally>(tallies: readonly T[], factor: number, enough: number): T[] {
  const known = tallies.filter(({ ok, failed }) => ok + failed >= enough);
  if (known.length < FEWEST || factor <= 0) return [];
  const rates = known.map(goodShare);
  const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
  const variance = rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rates.length;
  const bound = mean - factor * Math.sqrt(variance);
  return known.filter((tally) => goodShare(tally) < bound).sort((a, b) => goodShare(a) - goodShare(b));
}

const goodShare = ({ ok, failed }: Tally): number => ok / (ok + failed);
