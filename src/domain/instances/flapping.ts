import type { HealthStatus } from './check.ts';

/** What one change costs. */
export const PENALTY = 1000;
/** The penalty halves in this time. */
export const HALF_LIFE_MS = 60_000;
/** From this penalty on the instance is held down: its status may get worse, but not better. */
export const HOLD_AT = 3000;
/** Under this penalty it is let up again. */
export const RELEASE_UNDER = 1500;
/** So long it is held down at most. */
export const MAX_HOLD_MS = 300_000;
/** A penalty under this is as good as none. */
export const NEGLIGIBLE = 100;
/** However often it changes, it has to come down in a bounded time. */
const MAX_PENALTY = 8000;
/** After this time every penalty is negligible. */
export const FORGIVEN_MS = HALF_LIFE_MS * Math.log2(MAX_PENALTY / NEGLIGIBLE);

/**
 * The penalty of an instance that changes too often (INS2). Every change to `critical`, and every change between
 * `passing` and `warning`, costs `PENALTY`.
 *
 * The bound: changes that are never held down are at least 35.1 s apart in the long run (60 s * log2(3000 / 2000)), and
 * being held down from 3500 to 1500 takes 73 s and pays for two. At the beginning four come for free, and two more
 * where a warning gets worse while it is held down. So there are at most 6 + t / 35 of them in `t` seconds. Each
 * change to critical has one back; so health answers make at most 2 * (6 + t / 35) revisions of an instance, which is 46
 * in ten minutes, and 42 when no answer is a warning.
 */
export interface Flapping {
  readonly penalty: number;
  /** When it was so much. */
  readonly at: number;
  /** Since when the instance is held down. */
  readonly heldSince: number | undefined;
}

export const isPenalised = (from: HealthStatus, to: HealthStatus): boolean => to !== from && from !== 'critical';

export const penaltyAt = ({ penalty, at }: Flapping, now: number): number => penalty * 2 ** ((at - now) / HALF_LIFE_MS);

/** Until when it is held down; in the past, or -Infinity, when it is not. */
export function heldUntil(flapping: Flapping | undefined): number {
  if (flapping?.heldSince === undefined) return -Infinity;
  const { penalty, at, heldSince } = flapping;
  const decays = HALF_LIFE_MS * Math.log2(penalty / RELEASE_UNDER);
  return Math.min(at + decays, heldSince + MAX_HOLD_MS);
}

export function penalise(before: Flapping | undefined, now: number): Flapping {
  const rest = before === undefined ? 0 : penaltyAt(before, now);
  const penalty = Math.min(rest + PENALTY, MAX_PENALTY);
  if (now < heldUntil(before)) return { penalty, at: now, heldSince: before?.heldSince };
  return { penalty, at: now, heldSince: penalty >= HOLD_AT ? now : undefined };
}
