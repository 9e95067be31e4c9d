import type { HealthStatus } from '../domain/instances/check.ts';

/** What becomes of renewals where nodes share the leases. */
export interface LeaseMetrics {
  /** `memory`: acknowledged and not stored yet. `refused`: it could neither be stored nor kept. */
  readonly renewals: { inc(labels: { result: 'stored' | 'memory' | 'refused' }, count: number): void };
  /** Seconds that storing one batch took. */
  readonly storing: { observe(seconds: number): void };
}

/** What the monitor counts. Levels are read from it: `tracked`, `held`, `checksInFlight`, `checksWaiting`. */
export interface MonitorMetrics {
  /** Checks that have said something. */
  readonly checks: { inc(labels: { status: HealthStatus }): void };
  /** Seconds from the time that a check was due until it started. */
  readonly lateness: { observe(seconds: number): void };
  /** Leases that ran out and were not kept by the eviction guard. */
  readonly expired: { inc(): void };
  /** Statuses that checks have changed, by what they are now. */
  readonly transitions: { inc(labels: { status: HealthStatus }): void };
}
