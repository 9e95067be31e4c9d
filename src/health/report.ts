import { formatDuration } from '../domain/duration.ts';
import { heldUntil, NEGLIGIBLE, penaltyAt } from '../domain/instances/flapping.ts';
import type { Moment } from './moment.ts';
import type { InstanceReport } from './monitoring.ts';
import type { Tracked } from './tracked.ts';

/** What is known about an instance beside what the view says. */
export function reportOf(tracked: Tracked, moment: Moment): InstanceReport {
  const { now, grantedAt } = moment;
  const { lease, poll, item, group, results = [] } = tracked;
  const until = (time: number): string => formatDuration(Math.max(0, time - now));
  const ttl = item.value.check.type === 'ttl' ? item.value.check.ttl : '';
  const removedAt = tracked.removedAt(moment);
  const isFailing = tracked.status === 'critical' && tracked.hasFailed(moment);
  return {
    ...(lease !== undefined && {
      lease: { ttl, expiresIn: until(lease.runsUntil(grantedAt)), attached: lease.connection !== undefined },
    }),
    ...(poll !== undefined && { nextCheckIn: until(poll.checkAt) }),
    lastChecks: results.map(({ at, status, reason, durationMs }) => ({
      at: new Date(at).toISOString(),
      status,
      reason,
      durationMs,
    })),
    consecutivePasses: poll?.health.passes ?? 0,
    consecutiveFailures: poll?.health.failures ?? 0,
    ...flappingOf(tracked, now),
    ...(group.failing.has(tracked) && group.guard.until !== undefined && { guardedFor: until(group.guard.until) }),
    ...(isFailing && { deregistersIn: until(removedAt) }),
  };
}

function flappingOf({ flapping }: Tracked, now: number): Pick<InstanceReport, 'flapping'> {
  if (flapping === undefined) return {};
  const penalty = Math.round(penaltyAt(flapping, now));
  const releasedAt = heldUntil(flapping);
  if (penalty < NEGLIGIBLE) return {};
  return { flapping: { penalty, ...(now < releasedAt && { heldFor: formatDuration(releasedAt - now) }) } };
}
