import { hash } from '../domain/membership.ts';

/**
 * When an instance is checked: at `phase + k × interval` of the clock that all nodes share, so that each of them knows of every
 * check whose it is, and nobody has to be asked. A hash spreads the phases over the interval.
 */
export interface Slots {
  readonly interval: number;
  readonly phase: number;
}

export const slotsOf = (id: string, interval: number): Slots => ({ interval, phase: hash(id) % interval });

/** The last slot at or before this time. */
export const slotAt = ({ interval, phase }: Slots, time: number): number =>
  Math.floor((time - phase) / interval) * interval + phase;

/** The first slot after this time. */
export const slotAfter = (slots: Slots, time: number): number => slotAt(slots, time) + slots.interval;

/**
 * The slot to run after `last`: the one that follows or, when more than that was missed, the latest of them. A `last` that lies
 * ahead says that the clock was set back.
 */
export function nextSlot(slots: Slots, last: number, time: number): number {
  if (last > time + slots.interval || last === Number.NEGATIVE_INFINITY) return slotAfter(slots, time);
  return Math.max(last + slots.interval, slotAt(slots, time));
}

/** What was missed is made up for within this time. */
export const CATCH_UP_MS = 1500;

/** When within that time: for each instance another time, spread evenly. */
export const catchUpDelay = (id: string): number => hash(`late ${id}`) % CATCH_UP_MS;
