import { isGivenUp, type Absence, type InstanceEvent, type Life, type Violation } from '../record.ts';

/** A commit that was sent when the absence began may still be made. */
const UNDER_WAY_MS = 1000;
/** Shorter than this, an absence need not have been noticed by anybody. */
const NOTICED_MS = 1500;

/**
 * INS3: a registry that was itself away extends every lease by its full length before it lets one run out. `absences` end when the
 * fault was taken away, which is the earliest moment at which it can have been back.
 */
export function ins3(
  lives: readonly Life[],
  events: readonly InstanceEvent[],
  absences: readonly Absence[],
): Violation[] {
  const leases = new Map(lives.filter(({ check }) => check === 'ttl').map((life) => [life.name, life]));
  const long = absences.filter(({ from, until }) => until - from >= NOTICED_MS);
  return events.flatMap((event) => {
    const life = leases.get(event.name);
    if (life === undefined || !isGivenUp(event) || event.status !== 'critical') return [];
    return long
      .filter(({ from, until }) => event.after > from + UNDER_WAY_MS && event.before < until + life.everyMs)
      .map((absence) => ({
        promise: 'INS3',
        what: `${event.name} was given up at revision ${event.revision}, less than a lease after ${absence.why}`,
        evidence: { event, absence, leaseMs: life.everyMs },
      }));
  });
}
