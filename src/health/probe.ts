import type { ActiveCheck, HealthStatus } from '../domain/instances/check.ts';

/** What one check of one instance looks at. */
export interface Target {
  /** The service's id, which replaces `{serviceId}`. */
  readonly service: string;
  /** An IP address without brackets, or a host name. */
  readonly address: string;
  readonly port: number;
  readonly check: ActiveCheck;
}

/** What a check found. */
export interface Finding {
  readonly status: HealthStatus;
  /** One sentence for people, without control characters, at most 300 characters. */
  readonly reason: string;
}

/**
 * Looks at a target once. Never rejects, and settles within the check's timeout (and a moment more), whatever the target
 * does: bounded time, bounded bytes, no redirects, and no address that the egress policy denies (SEC4).
 */
export interface Prober {
  probe(target: Target): Promise<Finding>;
  /** Closes what is kept open to a target that is no longer checked. */
  forget(target: Pick<Target, 'address' | 'port'>): void;
  close(): void;
}
