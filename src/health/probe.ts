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

/** This process has no file descriptors or memory left for a check; that says nothing about its target. */
export class ResourcesExhausted extends Error {
  override readonly name = 'ResourcesExhausted';
}

/**
 * Looks at a target once. Rejects with `ResourcesExhausted` alone, and settles within the check's timeout (and a moment more), whatever the target
 * does: bounded time, bounded bytes, no redirects, and no address that the egress policy denies (SEC4).
 */
export interface Prober {
  probe(target: Target): Promise<Finding>;
  /** Closes what is kept open to a target that is no longer checked. */
  forget(target: Pick<Target, 'address' | 'port'>): void;
  close(): void;
}
