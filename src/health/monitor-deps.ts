import type { Logger } from 'pino';
import type { InstanceCommand } from '../domain/command.ts';
import type { GuardLimits } from '../domain/instances/eviction-guard.ts';
import type { View } from '../domain/view.ts';
import type { Leases } from '../leases/port.ts';
import type { Verdict } from '../registry/commit-loop.ts';
import type { Claims } from './claims.ts';
import type { MonitorMetrics } from './metrics.ts';
import type { Prober } from './probe.ts';

export interface MonitorDeps {
  readonly registry: { execute(command: InstanceCommand): Promise<Verdict> };
  readonly view: () => View;
  /** What of it all is this node's; `claimsChanged` is to be called when that has changed. */
  readonly claims: Claims;
  /** Where nodes share the work, what they have heard and found. Without it nobody else hears anything. */
  readonly leases?: Pick<Leases, 'read' | 'renew' | 'note' | 'forget'>;
  readonly prober: Pick<Prober, 'probe' | 'forget'>;
  readonly limits: {
    readonly enabled: boolean;
    /** So many checks run at once at most. */
    readonly concurrency: number;
    readonly guard: GuardLimits;
    /** A node that the others have not heard of for so long has lost its share to them. Milliseconds; needed where there are others. */
    readonly nodeTimeoutMs?: number;
  };
  readonly metrics: MonitorMetrics;
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>;
  /** Monotonic milliseconds, the same as of signs of life. */
  readonly now: () => number;
  /** Milliseconds since 1970, for texts only. */
  readonly clock: () => number;
  readonly random: () => number;
}
