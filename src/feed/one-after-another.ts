import { setTimeout as sleep } from 'node:timers/promises';

const STEP_MS = 10;

/** How many of `total` have had their turn after `elapsedMs`. */
export const dueBy = (total: number, elapsedMs: number, spreadMs: number): number =>
  elapsedMs >= spreadMs ? total : Math.floor((total * elapsedMs) / spreadMs);

interface Turns {
  readonly spreadMs: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Whether nobody is left who would take a turn. */
  readonly isOver: () => boolean;
}

/**
 * Gives everyone their turn, evenly within `spreadMs`, and sooner where there are so few that a step each will do; with no
 * time at all, before it returns.
 */
export async function oneAfterAnother<T>(
  all: readonly T[],
  turn: (one: T) => void,
  { spreadMs, now, isOver }: Turns,
): Promise<void> {
  const withinMs = Math.min(spreadMs, all.length * STEP_MS);
  const began = now();
  for (let next = 0; next < all.length && !isOver();) {
    const due = dueBy(all.length, now() - began, withinMs);
    for (const one of all.slice(next, due)) turn(one);
    next = due;
    if (next < all.length) await sleep(STEP_MS);
  }
}
