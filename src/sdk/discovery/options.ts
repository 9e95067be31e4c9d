import type { CallOptions } from '../calling/options.ts';

/**
 * How instances are chosen.
 *
 * - `p2c`: two at random, and the one of them where a call costs less: its latency, times the calls that wait for it. Shares follow
 *   weights while latencies are alike.
 * - `round-robin`: one after the other, whatever they weigh; only a weight of 0 takes an instance out.
 * - `weighted`: shares in proportion to weights, evenly spread over time.
 * - `least-outstanding`: where the fewest calls are under way, in proportion to its weight.
 * - `consistent-hash`: calls of one key go to one instance, from every client alike; it takes no more than its share and a quarter,
 *   the next one takes the rest.
 */
export type BalanceName = 'round-robin' | 'weighted' | 'least-outstanding' | 'p2c' | 'consistent-hash';

/**
 * Which instances come first.
 *
 * - `any`: none of them.
 * - `near`: those of the caller's zone (the tag `zone`), then of its region, then all others.
 * - `local-first`: those on the caller's own host, then as `near`.
 */
export type LocalityName = 'any' | 'near' | 'local-first';

/** Which instances come first, and when others help. */
export interface LocalityOptions {
  /** Default: `near`; with `consistent-hash` `any`, since a key is to go to the same instance from everywhere. */
  readonly prefer?: LocalityName;
  /** Where the caller is. Default: the client's region. Without one, regions make no difference. */
  readonly region?: string;
  /** The caller's zone within its region. Default: the client's zone. Without one, zones make no difference. */
  readonly zone?: string;
  /**
   * How much more than their share the instances of a tier can take. Calls go on to the next tier once the share of instances that
   * answer, times this, is below 1, and only as many as are missing. At least 1. Default: 1.4, as Envoy's: a tier keeps all of its
   * calls until 28 % of it are ejected.
   */
  readonly overflow?: number;
  /**
   * How many instances a tier needs at least, to take all calls; with fewer, it counts as if the missing ones had failed.
   * Default: 1.
   */
  readonly atLeast?: number;
}

/** New instances get less at first: caches are cold, code is not compiled yet, pools are empty. */
export interface SlowStartOptions {
  /** Milliseconds until a new instance has its whole share; 0 for at once. Default: 30000. */
  readonly windowMs?: number;
  /** The part of its share that it begins with, above 0 and up to 1. Default: 0.1. */
  readonly from?: number;
}

/** When an instance that fails is left out for a while, by this caller alone. */
export interface EjectionOptions {
  /** Failures in a row after which it is left out. Default: 5, which one unlucky moment does not reach under load. */
  readonly failures?: number;
  /** Milliseconds that it is left out at first; times the ejections in a row, less up to a fifth at random. Default: 30000. */
  readonly baseMs?: number;
  /** Milliseconds that it is left out at most. Default: 300000. */
  readonly maxMs?: number;
  /** The share of instances that may be left out together, 0 to 1. Default: 0.5: more of them failing is not about them. */
  readonly maxShare?: number;
  /** How many are never left out, at least 1. Default: 1. */
  readonly minLive?: number;
  /**
   * Also those whose share of good calls is so many standard deviations below the others'; 0 for never. It takes five instances with
   * `outlierCalls` each. Default: 1.9, as Envoy's.
   */
  readonly outlierFactor?: number;
  /** Milliseconds over which good calls are counted. Default: 10000. */
  readonly outlierMs?: number;
  /** Calls of an instance within that time that say something about it. Default: 100. */
  readonly outlierCalls?: number;
}

/** Which instances of a service are called, and how they are chosen. */
export interface ServiceOptions extends CallOptions {
  /** Only instances of this environment; empty for those that name none. Default: the client's, or all. */
  readonly environment?: string;
  /** Only instances of this version. Default: all. */
  readonly version?: string;
  /** Only instances that speak one of these. Default: `http` and `https`. */
  readonly protocol?: string | readonly string[];
  /** Only instances of this region. Default: all, those nearest first (`locality`). */
  readonly region?: string;
  /** Only instances with all of these tags. */
  readonly tags?: Readonly<Record<string, string>>;
  /** Default: `p2c`: it needs no tuning, and takes load off an instance that is slow today. */
  readonly balance?: BalanceName;
  /** Which instances come first, and when others help. Default: `near`, and `any` with `consistent-hash`. */
  readonly locality?: LocalityName | LocalityOptions;
  /** false: new instances get their whole share at once. It does not apply to `consistent-hash`, where keys would move twice. */
  readonly slowStart?: SlowStartOptions | false;
  /** false: failing instances are called as any others. */
  readonly ejection?: EjectionOptions | false;
  /**
   * Milliseconds in which a latency that was seen once loses two thirds of its say (`p2c`). Default: 10000, as Finagle's: long enough
   * to remember a slow answer, short enough to try again.
   */
  readonly latencyDecayMs?: number;
  /** Milliseconds: `pick` throws `stale` while the copy is older. Default: the client's `maxAge`. */
  readonly maxAge?: number;
}
