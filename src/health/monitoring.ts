import type { Duration } from '../domain/duration.ts';
import type { HealthStatus } from '../domain/instances/check.ts';

/** A connection that an instance registered over: whatever is heard on it renews the lease. */
export interface SignsOfLife {
  /** Monotonic milliseconds of the last thing heard. */
  readonly heardAt: number;
}

/** One result of a check, or a renewal that came late. */
export interface CheckRecord {
  /** RFC 3339, UTC. */
  readonly at: string;
  readonly status: HealthStatus;
  readonly reason: string;
  readonly durationMs: number;
}

/** What is known about an instance that is no revision (REV3): why it is as it is, and what will become of it. */
export interface InstanceReport {
  /** Of a `ttl` check. `attached`: kept by an open watch socket, too. */
  readonly lease?: { readonly ttl: Duration; readonly expiresIn: Duration; readonly attached: boolean };
  /** Of the other checks. */
  readonly nextCheckIn?: Duration;
  /** The last few results, the newest first. */
  readonly lastChecks: readonly CheckRecord[];
  readonly consecutivePasses: number;
  readonly consecutiveFailures: number;
  /** INS2: present while there is a penalty; `heldFor` while it keeps the instance from passing. */
  readonly flapping?: { readonly penalty: number; readonly heldFor?: Duration };
  /** INS4: it has failed, and the eviction guard keeps it passing for so long at most. */
  readonly guardedFor?: Duration;
  /** How long until it is removed, if it stays critical. */
  readonly deregistersIn?: Duration;
}

/** What the eviction guard does for one service and region (INS4). */
export interface GuardReport {
  readonly service: string;
  /** `-` for instances without a region. */
  readonly region: string;
  /** Instances that have failed and are kept. */
  readonly held: number;
  /** RFC 3339, UTC: when it lets go at the latest. */
  readonly until: string;
}

/** What other rooms need of the health checks. Ids are instances'. */
export interface Monitoring {
  /** Whether this node takes renewals: where no others take them too, the one that runs the checks (setting HEALTH_CHECKS). */
  readonly enabled: boolean;
  /** Leases are where other nodes find them: even one that has just begun has to be put there. */
  readonly isShared?: boolean;
  /**
   * Renews a lease. False: the instance is not there, or of another generation, and has to register again. A promise where nodes
   * share the leases: it resolves when the renewal is where all find it, and rejects with `RegistryUnavailable`.
   */
  renew(id: string, generation?: number): boolean | Promise<boolean>;
  /** From now on whatever is heard on the connection renews the lease; until `detach`, which starts its countdown. */
  attach(id: string, connection: SignsOfLife): void;
  detach(id: string, connection: SignsOfLife): void;
  report(id: string): InstanceReport | undefined;
  guards(): readonly GuardReport[];
}
