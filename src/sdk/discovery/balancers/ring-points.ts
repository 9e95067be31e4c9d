import { hashOf } from '../hash.ts';

/** Points of one that has the usual weight: shares differ by about a twelfth (1/sqrt(160)). */
const POINTS = 160;
const PLACES = 2 ** 20;

/** Who has which part of the ring: sorted positions, and whose each is. */
export interface RingPoints {
  readonly positions: Uint32Array;
  readonly owners: Int32Array;
}

/**
 * How many points each has. The unit is a power of two near the mean weight, so that it stays the same, and with it nearly all
 * points, when one comes, leaves or changes its weight.
 */
export function pointCounts(weights: readonly number[]): number[] {
  const mean = weights.reduce((sum, weight) => sum + weight, 0) / weights.length;
  const unit = 2 ** Math.round(Math.log2(mean));
  return weights.map((weight) => Math.max(1, Math.round((POINTS * weight) / unit)));
}

/** The points of names, the same in every process: they depend on nothing but the name and its count. */
export function ringPoints(names: readonly string[], counts: readonly number[]): RingPoints {
  const points = new Float64Array(counts.reduce((sum, count) => sum + count, 0));
  let filled = 0;
  for (const [owner, name] of names.entries()) {
    const seed = hashOf(name, 0);
    const count = counts[owner] ?? 0;
    for (let n = 0; n < count; n++) points[filled++] = mixed(seed, n) * PLACES + owner;
  }
  // Position and owner in one number, so that they are sorted together, and without a comparing function.
  points.sort();
  return {
    positions: Uint32Array.from(points, (point) => Math.floor(point / PLACES)),
    owners: Int32Array.from(points, (point) => point % PLACES),
  };
}

/** The nth point of a name (a finaliser of MurmurHash3 over a Weyl sequence, as SplitMix does it). */
function mixed(seed: number, n: number): number {
  let h = (seed + Math.imul(n + 1, 0x9e3779b9)) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The place of the first point at or after a position; the first of all after the last. */
export function placeOf(positions: Uint32Array, position: number): number {
  let low = 0;
  let high = positions.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((positions[middle] as number) < position) low = middle + 1;
    else high = middle;
  }
  return low === positions.length ? 0 : low;
}
