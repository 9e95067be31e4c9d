import type { HealthStatus } from '../domain/instances/check.ts';
import { heldUntil } from '../domain/instances/flapping.ts';
import { isBetter } from '../domain/instances/health.ts';
import type { Moment } from './moment.ts';
import type { Tracked } from './tracked.ts';

/** What should become of an instance. */
export type Wish =
  /** Nothing before this time, unless something happens. */
  | { readonly is: 'nothing'; readonly before: number }
  /** It should become critical, if the eviction guard lets it (INS4). */
  | { readonly is: 'failure' }
  /** `proven`: nobody else is at its address (INS6). */
  | { readonly is: 'status'; readonly status: HealthStatus; readonly proven: boolean }
  | { readonly is: 'removal' };

const NOTHING: Wish = { is: 'nothing', before: Infinity };
const FAILURE: Wish = { is: 'failure' };
const REMOVAL: Wish = { is: 'removal' };

/** What should become of an instance now, by what is known of it and what holds in the view. */
export function wishOf(tracked: Tracked, moment: Moment): Wish {
  const { now } = moment;
  const { status: holds, displacedBy } = tracked.item.value;
  const wanted = tracked.verdict(moment) ?? holds;
  if (wanted === 'critical') {
    if (holds !== 'critical') return FAILURE;
    if (!tracked.hasFailed(moment)) return NOTHING;
    const removedAt = tracked.removedAt(moment);
    return now < removedAt ? { is: 'nothing', before: removedAt } : REMOVAL;
  }
  const proven = tracked.isProven;
  if (wanted !== holds) {
    const releasedAt = isBetter(wanted, holds) ? heldUntil(tracked.flapping) : now;
    if (now >= releasedAt) return { is: 'status', status: wanted, proven };
    if (displacedBy === undefined || !proven || holds === 'critical') return { is: 'nothing', before: releasedAt };
  }
  return displacedBy !== undefined && proven ? { is: 'status', status: holds, proven } : NOTHING;
}

/** Whether the decision that it fails, which has not been committed, would be made again by what is known now. */
export const stillFails = (tracked: Tracked, moment: Moment): boolean => tracked.verdict(moment) === 'critical';

/** Why it is to be so: what its check found last, or what became of its lease. */
export function reasonOf({ lease, results, item }: Tracked, status: HealthStatus): string {
  const { check, statusReason } = item.value;
  if (lease === undefined || check.type !== 'ttl') return results?.[0]?.reason ?? statusReason;
  return status === 'critical' ? `Its lease of ${check.ttl} ran out.` : 'Its lease was renewed.';
}
