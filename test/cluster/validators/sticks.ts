import { DISTURBING } from '../disturbing.ts';
import { TAKEOVER_MS } from '../losses.ts';
import type { Absence, FaultRecord, Hold, Violation } from '../record.ts';
import { lengthWithin, overlaps } from '../stretches.ts';
import type { Guard } from './ins4.ts';

/** Whoever takes a group over says for one window more that it is held, and is told a little late that it is its. */
const GRACE_MS = 30_000;

export interface Held {
  readonly holds: readonly Hold[];
  /** Until all was well again. */
  readonly absences: readonly Absence[];
  readonly faults: readonly FaultRecord[];
  readonly guard: Pick<Guard, 'windowMs' | 'holdMs'>;
  /** When the run ended, for holds that stood then. */
  readonly endedAt: number;
}

/** INS4: the guard never sticks. A hold ends after its full length, whatever happens meanwhile; what it may take longer is known. */
export function sticks(run: Held): Violation[] {
  return run.holds.flatMap((hold) => {
    const until = Math.min(hold.until, run.endedAt);
    const deadline = deadlineOf(hold, run);
    if (until <= deadline) return [];
    const held = Math.round((until - hold.from) / 1000);
    const evidence = { hold, deadline, endedAt: run.endedAt };
    return [{ promise: 'INS4', what: `${hold.group} was held for ${held} s`, evidence }];
  });
}

/** Settled anew as long as it moves: what it moves over may bring more of the same. */
function deadlineOf({ from }: Hold, { absences, faults, guard }: Held): number {
  const disturbances = faults.filter(({ kind }) => DISTURBING.has(kind)).map(takenOver);
  const clocks = faults.filter(({ kind }) => kind === 'clock').map(takenOver);
  const least = from + guard.holdMs + GRACE_MS;
  let deadline = least;
  for (;;) {
    const isWithin = overlaps(from, deadline);
    // Where nobody was there at its end, or nobody is left who knew of it, the guard may have tripped anew.
    const anew = absences.filter(
      (absence) => isWithin(absence) && (absence.isOfAllNodes === true || mayOutlast(absence, guard)),
    );
    // The end is told by the clock on a node's wall, and taken over by that on another's, but for no longer than a whole hold.
    const wrong = clocks.filter(
      (clock) => isWithin(clock) && (clock.from < from || disturbances.some(overlaps(clock.from, clock.until))),
    );
    let next = least + lengthWithin(absences, from, deadline) + (anew.length + wrong.length) * guard.holdMs;
    for (const { from: begin, until } of disturbances)
      if (begin < next && until + guard.windowMs > next) next = until + guard.windowMs;
    if (next <= deadline) return deadline;
    deadline = next;
  }
}

/** Until those that have its group have taken it over. */
const takenOver = ({ from, recovered }: FaultRecord) => ({ from, until: recovered + TAKEOVER_MS });

/** Nobody may have been there from its end to a window later, when it does not count any more. */
const mayOutlast = ({ from, until, ofLeasesOnly }: Absence, { windowMs }: Pick<Guard, 'windowMs'>): boolean =>
  ofLeasesOnly !== true && until - from >= windowMs - TAKEOVER_MS;
