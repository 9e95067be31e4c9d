/** How instances are chosen. */
export type BalanceName = 'round-robin' | 'weighted' | 'least-outstanding' | 'p2c' | 'consistent-hash';

/** Which instances of a service are called, and how they are chosen. */
export interface ServiceOptions {
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
  /** Default: `p2c`. */
  readonly balance?: BalanceName;
}
