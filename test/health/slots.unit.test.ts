import { expect, test } from '@jest/globals';
import { CATCH_UP_MS, catchUpDelay, nextSlot, slotAfter, slotAt, slotsOf } from '../../src/health/slots.ts';

const idOf = (n: number): string => n.toString(16).padStart(24, '0');
/** A time of a database's clock. */
const T = Date.UTC(2026, 0, 1) + 123.456;

test('every node finds the same slots, whenever it looks', () => {
  for (let n = 0; n < 200; n++) {
    const slots = slotsOf(idOf(n), 7000 + n);
    const at = slotAt(slots, T);
    expect(at).toBeLessThanOrEqual(T);
    expect(T - at).toBeLessThan(slots.interval);
    expect(slotAt(slots, at)).toBe(at);
    expect(slotAt(slots, at - 0.01)).toBe(at - slots.interval);
    expect(slotAfter(slots, at)).toBe(at + slots.interval);
    expect(slotAt(slots, at + 5 * slots.interval)).toBe(at + 5 * slots.interval);
  }
});

test('none is skipped and none is repeated, though clocks are corrected by some milliseconds, and checks start late', () => {
  const slots = slotsOf(idOf(7), 1000);
  let last = slotAt(slots, T);
  for (let k = 0; k < 500; k++) {
    // The clock says that it is a little earlier, or the one before took almost all of the interval.
    const next = nextSlot(slots, last, last + ((k * 37) % 1030) - 20);
    expect(next).toBe(last + 1000);
    last = next;
  }
});

test('of those that were missed the latest is run; after the clock was set back it begins anew', () => {
  const slots = slotsOf(idOf(7), 1000);
  const last = slotAt(slots, T);
  expect(nextSlot(slots, last, last + 4500)).toBe(last + 4000);
  expect(nextSlot(slots, last, last - 3_600_000)).toBe(last - 3_600_000 + 1000);
  expect(nextSlot(slots, Number.NEGATIVE_INFINITY, T)).toBe(last + 1000);
});

test('slots lie evenly in the interval, and what is made up for in its time', () => {
  const counts = { slots: Array<number>(10).fill(0), late: Array<number>(10).fill(0) };
  for (let n = 0; n < 5000; n++) {
    const { phase } = slotsOf(idOf(n), 10_000);
    counts.slots[Math.floor(phase / 1000)]!++;
    counts.late[Math.floor((catchUpDelay(idOf(n)) * 10) / CATCH_UP_MS)]!++;
  }
  for (const each of [...counts.slots, ...counts.late]) {
    expect(each).toBeGreaterThan(420);
    expect(each).toBeLessThan(580);
  }
});
