import { DISTURBING } from '../disturbing.ts';
import { TAKEOVER_MS } from '../losses.ts';
import type { Absence, Asking, FaultRecord, InstanceEvent, Life, Stretch, Violation } from '../record.ts';
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

/** Two checks of one target that lie closer together than this share of the interval are of two slots only when the first one is late. */
const CLOSE = 0.5;
/** A node that is late makes up for it within so many checks. */
const LATE_CHECKS = 10;
/** Later than this share of the interval is late. */
const ON_TIME = 0.2;
/** Slots are kept to within a tick, and corrections of the shared clock. */
const LONG = 1.05;
const TICKS_MS = 1000;

/**
 * Nobody is checked by two nodes within an interval, or for one slot twice, and everybody is once. After nodes were lost or came,
 * checks of the last moments are made again, and nobody is left out for longer than the takeovers take (decisions/0018).
 */
export function checks(run: Checks): Violation[] {
  const turmoil = run.faults
    .filter(({ kind }) => DISTURBING.has(kind))
    .map(({ from, recovered }) => ({ from, until: recovered + TAKEOVER_MS }));
  return run.lives
    .filter(({ check }) => check === 'http')
    .flatMap((life): Violation[] => {
      const all = askingsOf(life, run);
      const nameless = all.filter(({ by }) => by === undefined);
      if (nameless.length > 0)
        return [
          { promise: 'checks', what: `${life.name}: checks do not say of which node they are`, evidence: nameless },
        ];
      return all.slice(1).flatMap(({ at: later, by }, i) => {
        const { at: earlier, by: byEarlier } = all[i] as Asking;
        const gap = later - earlier;
        if (run.stalls.some(overlaps(earlier - life.everyMs, later))) return [];
        const turmoils = turmoil.filter(overlaps(earlier - life.everyMs, later)).length;
        const evidence = { earlier, later, gapMs: gap, asked: all.filter(({ at }) => Math.abs(at - later) < 8000) };
        const isClose = gap < CLOSE * life.everyMs && turmoils === 0;
        if (isClose && (by !== byEarlier || !isMadeUp(all, i + 1, life.everyMs)))
          return [{ promise: 'checks', what: `${life.name} was checked twice within ${Math.round(gap)} ms`, evidence }];
        const limit = LONG * life.everyMs + TICKS_MS + turmoils * TAKEOVER_MS;
        const isAway = run.absences.filter(({ ofLeasesOnly }) => ofLeasesOnly !== true).some(overlaps(earlier, later));
        if (gap <= limit || isAway || life.deaths.some(overlaps(earlier, later))) return [];
        return [{ promise: 'checks', what: `${life.name} was not checked for ${Math.round(gap)} ms`, evidence }];
      });
    });
}

/**
 * Whether this check may be of a slot of its own, though it follows closely on another of the same node: the slots stay where they are
 * however late a check is (health/poll), so that there were as many intervals as checks since one that was on time. How late the first
 * one after a death or a loss is cannot be seen, so that what was left out before it counts as well.
 */
function isMadeUp(all: readonly Asking[], i: number, everyMs: number): boolean {
  const { at } = all[i] as Asking;
  const before = all.slice(Math.max(0, i - LATE_CHECKS), i - 1).toReversed();
  return before.some((other, n) => at - other.at >= (n + 2 - ON_TIME) * everyMs);
}

/**
 * Until something is decided about a new instance it is checked once a second, whenever it registered, and then at its turn, which may
 * come sooner than an interval after that.
 */
function askingsOf({ name, everyMs, asked = [] }: Life, { events, from, until }: Checks): Asking[] {
  const decided = events.find((event) => event.name === name && event.passing === true)?.before ?? Infinity;
  const begin = Math.max(from, decided + 2 * everyMs);
  return asked.filter(({ at }) => at >= begin && at <= until);
}
