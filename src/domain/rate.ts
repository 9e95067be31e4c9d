/**
 * What requests are for, in the order in which they are given up when a node can do no more: leases last longest, since a
 * service that cannot renew is taken for dead, and writes go first, since who writes can wait.
 */
export const RATE_CLASSES = ['renew', 'resume', 'read', 'list', 'write'] as const;

export type RateClass = (typeof RATE_CLASSES)[number];

/** So many on the average, and so many at once after a quiet time. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** What becomes of one request: the bucket's new state, or for how long it is too early. */
export type Taken = { readonly ok: true; readonly state: number } | { readonly ok: false; readonly waitMs: number };

/** The state of a bucket that nothing was taken from yet. */
export const FULL = Number.NEGATIVE_INFINITY;

/**
 * Takes one token from a bucket. Its whole state is one number: the time, in the monotonic milliseconds of `now`, at which
 * it will be full again (GCRA, the virtual scheduling of ATM). A refused request takes nothing.
 */
export function take(state: number, now: number, { perSecond, burst }: Rate): Taken {
  const oneMs = 1000 / perSecond;
  const full = Math.max(state, now);
  const waitMs = full - now - (burst - 1) * oneMs;
  // What is rounded away in sums of fractions must not keep anybody waiting.
  return waitMs > 1e-6 ? { ok: false, waitMs } : { ok: true, state: full + oneMs };
}

/** How many times the bearable delay of the event loop a class is still served at. */
const BEARS: Readonly<Record<RateClass, number>> = { renew: 16, resume: 8, read: 4, list: 2, write: 1 };

/** Whether a class is turned away while the node is late by `lagMs`, where `bearableMs` is what writes put up with. */
export const isShed = (rateClass: RateClass, lagMs: number, bearableMs: number): boolean =>
  lagMs > bearableMs * BEARS[rateClass];
