import { DISTURBING } from '../disturbing.ts';
import { TAKEOVER_MS } from '../losses.ts';
import type { Absence, FaultRecord, InstanceEvent, Life, Stretch, Violation } from '../record.ts';
import { overlaps } from '../stretches.ts';

export interface Checks {
  readonly lives: readonly Life[];
  readonly events: readonly InstanceEvent[];
  readonly absences: readonly Absence[];
  readonly faults: readonly FaultRecord[];
  readonly stalls: readonly Stretch[];
  /** When looking began, and when it ended. */
  readonly from: number;
  readonly until: number;
}

/** Two checks of one target that lie closer together than this share of the interval are of two nodes, or of one twice. */
const CLOSE = 0.5;
/** Slots are kept to within a tick, and corrections of the shared clock. */
const LONG = 1.05;
const TICKS_MS = 1000;

/**
 * Nobody is checked twice within an interval, and everybody is once. After nodes were lost or came, checks of the last moments are
 * made again, and nobody is left out for longer than the takeovers take (decisions/0018).
 */
export function checks(run: Checks): Violation[] {
  const turmoil = run.faults
    .filter(({ kind }) => DISTURBING.has(kind))
    .map(({ from, recovered }) => ({ from, until: recovered + TAKEOVER_MS }));
  return run.lives
    .filter(({ check }) => check === 'http')
    .flatMap((life) =>
      pairsOf(life, run).flatMap(([earlier, later]) => {
        const gap = later - earlier;
        if (run.stalls.some(overlaps(earlier - life.everyMs, later))) return [];
        const turmoils = turmoil.filter(overlaps(earlier - life.everyMs, later)).length;
        const isTurmoil = turmoils > 0;
        const evidence = { earlier, later, gapMs: gap, asked: life.asked?.filter((at) => Math.abs(at - later) < 8000) };
        if (gap < CLOSE * life.everyMs && !isTurmoil)
          return [{ promise: 'checks', what: `${life.name} was checked twice within ${Math.round(gap)} ms`, evidence }];
        const limit = LONG * life.everyMs + TICKS_MS + turmoils * TAKEOVER_MS;
        const isAway = run.absences.filter(({ ofLeasesOnly }) => ofLeasesOnly !== true).some(overlaps(earlier, later));
        if (gap <= limit || isAway || life.deaths.some(overlaps(earlier, later))) return [];
        return [{ promise: 'checks', what: `${life.name} was not checked for ${Math.round(gap)} ms`, evidence }];
      }),
    );
}

/**
 * Each check with the next. Until something is decided about a new instance it is checked once a second, whenever it registered, and
 * then at its turn, which may come sooner than an interval after that.
 */
function pairsOf({ name, everyMs, asked = [] }: Life, { events, from, until }: Checks): [number, number][] {
  const decided = events.find((event) => event.name === name && event.passing === true)?.before ?? Infinity;
  const begin = Math.max(from, decided + 2 * everyMs);
  const all = asked.filter((at) => at >= begin && at <= until);
  return all.slice(1).map((at, i): [number, number] => [all[i] ?? at, at]);
}
