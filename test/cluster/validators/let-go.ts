import { isGivenUp, type FaultRecord, type Hold, type InstanceEvent, type Stretch } from '../record.ts';
import { lengthWithin, overlaps } from '../stretches.ts';
import type { Guard } from './ins4.ts';

/** People are told a little after the guard has tripped or let go, and what it gave up is in the log a little after that was decided. */
const SLACK_MS = 2000;

/** What may delay a commit, or give a group to another node: all but what clients do or suffer. */
export const delaysOf = (faults: readonly FaultRecord[]): Stretch[] =>
  faults.filter(({ target }) => target !== 'clients').map(({ from, recovered }) => ({ from, until: recovered }));

export interface Guarded {
  /** Of one group, in order; the last one is what is asked about. */
  readonly events: readonly InstanceEvent[];
  /** Of this group. */
  readonly holds: readonly Hold[];
  readonly delays: readonly Stretch[];
}

/**
 * Whether the guard may have let go of the group by the last of the events, after a hold of its full length, so that everybody may
 * be given up until the group has recovered.
 */
export function mayHaveLetGo(group: Guarded, guard: Pick<Guard, 'windowMs' | 'holdMs'>): boolean {
  const last = group.events.at(-1);
  return (
    last !== undefined &&
    lettingGo(group, guard).some((one) => one.at <= last.before && !hasRecovered(one, group, guard))
  );
}

interface LettingGo {
  readonly hold: Hold;
  /** The earliest moment at which it can have let go. */
  readonly at: number;
  /** Another node may have had the hold before it was over. */
  readonly isHandedOver: boolean;
}

/**
 * One that ended before its time let nobody go: nobody had failed for a window. But whoever takes a group over goes by the end of
 * the hold that it found, also where it says so no longer, or says so anew.
 */
function lettingGo({ holds, delays }: Guarded, { holdMs }: Pick<Guard, 'holdMs'>): LettingGo[] {
  return holds
    .map((hold) => {
      const told = delays.filter(overlaps(hold.from - SLACK_MS, hold.from)).map(({ from }) => from);
      const at = Math.min(hold.from, ...told) + holdMs - SLACK_MS;
      return { hold, at, isHandedOver: delays.some(overlaps(hold.from, hold.until)) };
    })
    .filter(({ hold, at, isHandedOver }) => hold.until >= at || isHandedOver);
}

/** Recovered, for sure: nobody was given up for a window, or nobody was critical any more. */
function hasRecovered(one: LettingGo, group: Guarded, guard: Pick<Guard, 'windowMs' | 'holdMs'>): boolean {
  return hasBeenQuiet(one, group, guard) || hasBeenWell(one, group);
}

function hasBeenQuiet(
  { hold }: LettingGo,
  { events, delays }: Guarded,
  { windowMs, holdMs }: Pick<Guard, 'windowMs' | 'holdMs'>,
): boolean {
  let since = Math.max(hold.until, hold.from + holdMs);
  for (const event of events) {
    if (!isGivenUp(event) || event.before <= since) continue;
    if (event.after - since - lengthWithin(delays, since, event.after) >= windowMs + SLACK_MS) return true;
    since = event.before;
  }
  return false;
}

/** What a hold came to that was handed over is not over when all are well. */
function hasBeenWell({ hold, isHandedOver }: LettingGo, { events, delays }: Guarded): boolean {
  if (isHandedOver) return false;
  const critical = new Set<string>();
  let wellSince = 0;
  for (const event of events) {
    const from = Math.max(wellSince, hold.until);
    if (event.after - from >= SLACK_MS && !delays.some(overlaps(hold.until, event.after))) return true;
    if (event.op === 'put' && event.status === 'critical') critical.add(event.name);
    else critical.delete(event.name);
    if (critical.size > 0) wellSince = Infinity;
    else if (wellSince === Infinity) wellSince = event.before;
  }
  return false;
}
