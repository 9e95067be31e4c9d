import type { Action } from './plan.ts';

const LONGEST_MS = 5000;
/** Less than this a registration, which is a commit, is never given. */
const SHORTEST_REGISTER_MS = 1000;
const SHORTEST_RENEW_MS = 250;

/**
 * Milliseconds that an attempt may take. A renewal is due at a third of the lease, may hang for a sixth, and is tried again within
 * another sixth: so an instance that is cut off for a third of its lease is heard before it runs out.
 */
export function attemptMs(action: Action, leaseMs: number = Number.POSITIVE_INFINITY): number {
  if (action === 'register') return Math.max(SHORTEST_REGISTER_MS, Math.min(LONGEST_MS, leaseMs / 3));
  return Math.max(SHORTEST_RENEW_MS, Math.min(LONGEST_MS, leaseMs / 6));
}
