import type { Past, Settings } from './state.ts';

/** Openings in a row that bring no welcome, although somebody is there, until another carrier is tried. */
const MISSES = 3;
const BETTER_MS = 5 * 60_000;
const MAX_DOUBLINGS = 3;

/** Which carrier is next, and whether without a pause. */
export interface Choice {
  readonly past: Past;
  readonly atOnce: boolean;
}

/** A trial of a better carrier has failed: the one that works is known. */
function backToWorking(past: Past): Choice | undefined {
  const { works, carrier } = past;
  if (works === undefined || carrier >= works) return undefined;
  return { past: { ...past, carrier: works, misses: 0 }, atOnce: true };
}

/** Something in between does not let this carrier through. After the last one, all of them are tried anew, after a pause. */
export function afterBlocked(past: Past, { carriers }: Pick<Settings, 'carriers'>): Choice {
  const known = backToWorking(past);
  if (known !== undefined) return known;
  const next = past.carrier + 1;
  if (next < carriers.length) return { past: { ...past, carrier: next, misses: 0 }, atOnce: true };
  return { past: { ...past, carrier: 0, misses: 0 }, atOnce: false };
}

/**
 * An opening brought no welcome. It need not be the carrier's fault, so that the best one is left only after several, and the
 * others have one attempt each before it is tried again: a server that was away is not met on a lesser carrier for long. What
 * worked once and does not any more is no better known than the others.
 */
export function afterMiss(past: Past, { carriers }: Pick<Settings, 'carriers'>): Choice {
  const known = backToWorking(past);
  if (known !== undefined) return known;
  const misses = past.misses + 1;
  const isProven = past.carrier === 0 || past.carrier === past.works;
  if (isProven && misses < MISSES) return { past: { ...past, misses }, atOnce: false };
  const hasWorked = past.carrier === past.works;
  const carrier = hasWorked && past.carrier !== 0 ? 0 : (past.carrier + 1) % carriers.length;
  return { past: { ...past, carrier, misses: 0, ...(hasWorked && { works: undefined }) }, atOnce: false };
}

/** A carrier that is not the best has brought a welcome: when the best one is tried again. */
export function afterWelcome(past: Past, now: number): Past {
  const { carrier } = past;
  const known = { ...past, works: carrier, misses: 0 };
  if (carrier === 0) return { ...known, betterAt: undefined, trials: 0 };
  const isLater = past.betterAt !== undefined && past.betterAt > now;
  return isLater ? known : { ...known, betterAt: now + BETTER_MS * 2 ** Math.min(past.trials, MAX_DOUBLINGS) };
}

/** Before each attempt. */
export function tryBetter(past: Past, now: number): Past {
  if (past.betterAt === undefined || now < past.betterAt) return past;
  return { ...past, carrier: 0, misses: 0, betterAt: undefined, trials: past.trials + 1 };
}
