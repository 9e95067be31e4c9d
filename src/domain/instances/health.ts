import type { HealthStatus } from './check.ts';

/** How many results in a row it takes. */
export interface Thresholds {
  readonly unhealthyAfter: number;
  readonly healthyAfter: number;
}

/** What the checks of one instance have found so far. What holds is not kept here: that is in the view. */
export interface Health {
  /** Results in a row that were no failure; a warning counts. */
  readonly passes: number;
  readonly failures: number;
  readonly last: HealthStatus | undefined;
  /** Results in a row that were like the last. */
  readonly run: number;
  /** Whether a check has ever confirmed or changed what holds since the instance registered with this check. */
  readonly decided: boolean;
  /** What should hold; undefined: whatever does. */
  readonly verdict: HealthStatus | undefined;
}

/** Nothing has been found yet. */
export const unknownHealth = (decided: boolean): Health => ({
  passes: 0,
  failures: 0,
  last: undefined,
  run: 0,
  decided,
  verdict: undefined,
});

/**
 * Takes in one result. `holds` is the status in the view: hysteresis is measured from what watchers were told, so that a
 * decision that was held back or not written needs no undoing (INS2).
 */
export function observe(health: Health, result: HealthStatus, holds: HealthStatus, thresholds: Thresholds): Health {
  const failed = result === 'critical';
  const passes = failed ? 0 : health.passes + 1;
  const failures = failed ? health.failures + 1 : 0;
  const run = result === health.last ? health.run + 1 : 1;
  const isEnough = (): boolean => {
    if (failed) return failures >= thresholds.unhealthyAfter;
    // Of a new registration nobody has seen anything else yet, so that its first pass is no flapping.
    if (!health.decided || result === holds) return true;
    return (holds === 'critical' ? passes : run) >= thresholds.healthyAfter;
  };
  const verdict = isEnough() ? result : undefined;
  return { passes, failures, last: result, run, decided: health.decided || verdict === holds, verdict };
}

/** There were so many failures in a row already, which somebody else has found, before those that have been found here. */
export function carryOver(health: Health, earlier: number, { unhealthyAfter }: Thresholds): Health {
  if (health.failures === 0) return health;
  const failures = health.failures + earlier;
  const verdict = failures >= unhealthyAfter ? 'critical' : health.verdict;
  return { ...health, failures, run: health.run + earlier, verdict };
}

/** What a lease says: it was renewed in time, it ran out, or nothing, while it runs without having been renewed. */
export function leaseVerdict(renewedUntil: number, runsUntil: number, now: number): HealthStatus | undefined {
  if (now < renewedUntil) return 'passing';
  return now < runsUntil ? undefined : 'critical';
}

const RANK: Readonly<Record<HealthStatus, number>> = { passing: 0, warning: 1, critical: 2 };

export const isBetter = (a: HealthStatus, b: HealthStatus): boolean => RANK[a] < RANK[b];
