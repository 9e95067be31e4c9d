import type { Instance } from '../../domain/instances/instance.ts';
import type { LocalityName } from './options.ts';

/** Where a caller is. */
export interface Place {
  readonly prefer: LocalityName;
  readonly region: string | undefined;
  readonly zone: string | undefined;
  /** The addresses of its host, as instances would register them. */
  readonly addresses: ReadonlySet<string>;
}

/** The tag that names the zone of an instance. */
const ZONE = 'zone';
/** How many tiers there can be: own host, zone, region, all others. */
export const TIERS = 4;

/** The tier of an instance: 0 is nearest. */
export function tierOf({ address, region, tags }: Instance, from: Place): number {
  if (from.prefer === 'any') return 0;
  if (from.prefer === 'local-first' && from.addresses.has(address)) return 0;
  // Zones of two regions may have the same name.
  if (from.region !== undefined && region !== from.region) return 3;
  return from.zone !== undefined && tags[ZONE] === from.zone ? 1 : 2;
}

export interface TierHealth {
  readonly live: number;
  readonly all: number;
}

/**
 * The part of the calls that each tier takes, nearest first, as Envoy's priority levels: a tier takes as many as its share of live ones
 * can carry when each carries `overflow` times its usual load; the rest goes on to the next one. Where all tiers together cannot,
 * each takes in proportion. They add up to 1, unless nobody is there at all.
 */
export function tierLoads(tiers: readonly TierHealth[], overflow: number, atLeast: number): number[] {
  const carries = tiers.map(({ live, all }) => Math.min(1, (overflow * live) / Math.max(all, atLeast, 1)));
  const sum = carries.reduce((total, part) => total + part, 0);
  if (sum === 0) return carries;
  if (sum < 1) return carries.map((part) => part / sum);
  let left = 1;
  return carries.map((part) => {
    const load = Math.min(part, left);
    left = Math.max(0, left - load);
    return load;
  });
}
