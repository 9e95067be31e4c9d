import type { LiveEndpoint } from './live-endpoint.ts';
import type { Settings } from './settings.ts';
import { ramp, ramped } from './slow-start.ts';
import { tierLoads, tierOf, type Place } from './tiers.ts';

/** A tier that calls go to. */
export interface PlannedTier {
  /** 0 is nearest. */
  readonly tier: number;
  /** Its part of all calls. */
  readonly load: number;
  readonly members: readonly LiveEndpoint[];
  readonly weights: readonly number[];
}

export interface Plan {
  /** Nearest first. */
  readonly tiers: readonly PlannedTier[];
  /** When weights are to be looked at again because instances are new. */
  readonly nextStep: number;
}

/** A slow start goes on in so many steps. */
const STEPS = 30;
const SHORTEST_STEP_MS = 50;

/** Who can be called at all: a weight of 0 gets nothing, unless all have it. */
export function inUse(endpoints: readonly LiveEndpoint[]): readonly LiveEndpoint[] {
  const weighted = endpoints.filter(({ instance }) => instance.weight > 0);
  return weighted.length > 0 ? weighted : endpoints;
}

/** Which tiers take calls, and who in them takes how many. */
export function planTiers(
  members: readonly LiveEndpoint[],
  { balance, overflow, atLeast, slowStart }: Pick<Settings, 'balance' | 'overflow' | 'atLeast' | 'slowStart'>,
  place: Place,
  now: number,
): Plan {
  const byTier = new Map<number, LiveEndpoint[]>();
  for (const endpoint of members) {
    endpoint.tier = tierOf(endpoint.instance, place);
    const those = byTier.get(endpoint.tier);
    if (those === undefined) byTier.set(endpoint.tier, [endpoint]);
    else those.push(endpoint);
  }
  // A ring keeps those that are left out, and passes them over: who is let in again has its old keys.
  const isRing = balance === 'consistent-hash';
  // With nobody in, being left out means nothing: all are called.
  const isIn = members.some(({ phase }) => phase === 'in')
    ? (endpoint: LiveEndpoint): boolean => endpoint.phase === 'in'
    : (): boolean => true;
  const found = [...byTier].sort(([a], [b]) => a - b);
  const health = found.map(([, all]) => ({ live: all.filter(isIn).length, all: all.length }));
  const loads = tierLoads(health, overflow, atLeast);
  const ages = isRing ? { windowMs: 0, from: 1 } : slowStart;
  const tiers = found.flatMap(([tier, all], n) => {
    const load = loads[n] ?? 0;
    const called = isRing ? all : all.filter(isIn);
    return load > 0 ? [{ tier, load, members: called, weights: weightsOf(called, balance, ages, now) }] : [];
  });
  const isStarting = members.some(({ since }) => now - since < ages.windowMs);
  return { tiers, nextStep: isStarting ? now + Math.max(ages.windowMs / STEPS, SHORTEST_STEP_MS) : Infinity };
}

function weightsOf(
  members: readonly LiveEndpoint[],
  balance: Settings['balance'],
  slowStart: Settings['slowStart'],
  now: number,
): readonly number[] {
  const weights = members.map(({ instance }) => (balance === 'round-robin' ? 1 : instance.weight || 1));
  return ramped(
    weights,
    members.map(({ since }) => ramp(now - since, slowStart)),
  );
}
