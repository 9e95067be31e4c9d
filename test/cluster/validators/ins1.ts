import {
  isOut,
  type Absence,
  type Death,
  type FaultRecord,
  type Hold,
  type InstanceEvent,
  type Life,
  type Stretch,
  type Told,
  type Violation,
} from '../record.ts';
import { deadlineAfterLosses } from '../losses.ts';

export interface Deaths {
  readonly lives: readonly Life[];
  readonly events: readonly InstanceEvent[];
  readonly told: readonly Told[];
  /** Until all was well again. */
  readonly absences: readonly Absence[];
  readonly faults: readonly FaultRecord[];
  /** When this process could not look. */
  readonly stalls: readonly Stretch[];
  /** While the eviction guard holds a group, and says so, it keeps whoever fails there (INS4); the bound runs anew after it. */
  readonly holds: readonly Hold[];
  /** Groups in which mass failures were made: the guard (INS4) may keep anybody there. */
  readonly guarded: ReadonlySet<string>;
}

export interface Ins1Result {
  readonly violations: readonly Violation[];
  /** Deaths that were held against the bound, and how long each took. */
  readonly detections: readonly number[];
}

/**
 * INS1 for each death: its watchers were told within the published bound. The bound runs while Signalbox was there; after an
 * absence that began within it, it runs anew from the end: every lease has its full length again (INS3), and the bound is
 * longer than a lease. It has the loss of one node in it, and is longer by that for each further one, and for each time that the leases
 * were away then, for what is checked. Deaths that ended before it did, or in which a renewal may still have been on its way, prove nothing.
 */
export function ins1(run: Deaths): Ins1Result {
  const events = groupBy(run.events, ({ name }) => name);
  const told = groupBy(run.told, ({ name }) => name);
  const violations: Violation[] = [];
  const detections: number[] = [];
  for (const life of run.lives) {
    if (run.guarded.has(life.group)) continue;
    for (const death of life.deaths) {
      const all = events.get(life.name) ?? [];
      if (death.isLoose || wasOut(all, death.from)) continue;
      const deadline = deadlineOf(death, life, run);
      const out = all.find((event) => event.before >= death.from && isOut(event));
      const news = (told.get(life.name) ?? []).filter(
        ({ at, revision }) => at >= death.from && revision === out?.revision,
      );
      const late = news.filter(
        (one) => one.since < death.from && one.at > deadline && isUndisturbed(one, death, run.faults),
      );
      const first = Math.min(...news.map(({ at }) => at));
      if (first <= deadline && late.length === 0) {
        if (out?.isOwn === true && deadline === death.from + life.boundMs) detections.push(first - death.from);
        continue;
      }
      // It came back before anybody had to know.
      if (death.until <= deadline) continue;
      const evidence = {
        death,
        boundMs: life.boundMs,
        deadline,
        out,
        firstToldAfterMs: first - death.from,
        late: late.slice(0, 3),
      };
      violations.push({
        promise: 'INS1',
        what: `${life.name} was dead, and its watchers were not told in time`,
        evidence,
      });
    }
  }
  return { violations, detections };
}

/** Who looks late hears late. */
function deadlineOf(death: Death, { boundMs, check, group }: Life, run: Deaths): number {
  const { absences, stalls, holds, faults } = run;
  let deadline = death.from + boundMs;
  for (const { from, until, ofLeasesOnly } of absences)
    if (!(ofLeasesOnly === true && check === 'http') && from < deadline && until > death.from)
      deadline = Math.max(deadline, until + boundMs);
  for (const hold of holds)
    if (hold.group === group && hold.from < deadline && hold.until > death.from)
      deadline = Math.max(deadline, hold.until + boundMs);
  const runsFrom = Math.max(death.from, deadline - boundMs);
  // Failures in a row are handed on where the leases are. Without them, whoever comes next counts them anew.
  const unnoted =
    check === 'http' ? absences.filter((each) => each.from < deadline && each.until > runsFrom).length : 0;
  deadline = deadlineAfterLosses(faults, runsFrom, deadline, unnoted);
  const lost = stalls.filter(({ from, until }) => from < deadline && until > death.from);
  return lost.reduce((sum, { from, until }) => sum + until - from, deadline);
}

const wasOut = (events: readonly InstanceEvent[], at: number): boolean => {
  const last = events.findLast(({ after }) => after <= at);
  return last === undefined || isOut(last);
};

/** Nothing was wrong with the node that tells it. */
const isUndisturbed = ({ node, at }: Told, { from }: Death, faults: readonly FaultRecord[]): boolean =>
  !faults.some((fault) => fault.target === node && fault.from < at && fault.recovered > from);

export function groupBy<T>(values: readonly T[], keyOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}
