/** After how much a connection is replaced. */
export interface RecycleLimits {
  readonly maxRequests: number;
  readonly maxAgeMs: number;
  /** 0 to 1: each connection has up to this share less. */
  readonly jitter: number;
}

/** What one connection has been given. */
export interface Lifetime {
  readonly requests: number;
  /** Of the monotonic clock, in milliseconds. */
  readonly until: number;
}

/** A connection that is made now. The two figures have a jitter each: they are about different things. */
export function lifetimeOf(
  { maxRequests, maxAgeMs, jitter }: RecycleLimits,
  now: number,
  random: () => number,
): Lifetime {
  return {
    requests: Math.max(1, Math.floor(maxRequests * (1 - jitter * random()))),
    until: now + maxAgeMs * (1 - jitter * random()),
  };
}

/** Whether a connection that has taken so many requests takes no more. */
export function isDue(lifetime: Lifetime, requests: number, now: number): boolean {
  return requests >= lifetime.requests || now >= lifetime.until;
}
