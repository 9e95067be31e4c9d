import type { Stretch } from './record.ts';

/** How much of the time between the two moments lies in any of the stretches, milliseconds. */
export function lengthWithin(stretches: readonly Stretch[], from: number, until: number): number {
  let sum = 0;
  let counted = from;
  for (const stretch of stretches.toSorted((a, b) => a.from - b.from)) {
    const end = Math.min(stretch.until, until);
    const begin = Math.max(stretch.from, counted);
    if (end <= begin) continue;
    sum += end - begin;
    counted = end;
  }
  return sum;
}

export const overlaps =
  (from: number, until: number) =>
  (stretch: Stretch): boolean =>
    stretch.from < until && stretch.until > from;
