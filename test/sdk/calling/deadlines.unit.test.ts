import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import fc from '../../support/properties.ts';
import { Deadlines, Timed } from '../../../src/sdk/calling/deadlines.ts';

let now = 0;
beforeEach(() => {
  now = 0;
  jest.useFakeTimers();
});
afterEach(() => void jest.useRealTimers());

function pass(ms: number): void {
  for (let n = 0; n < ms; n++) {
    now += 1;
    jest.advanceTimersByTime(1);
  }
}

class Call extends Timed {
  readonly ms: number;
  readonly until: number;
  ranOutAt: number | undefined;

  constructor(ms: number) {
    super();
    this.ms = ms;
    this.until = now + ms;
  }

  timeOut(): void {
    if (this.ranOutAt !== undefined) throw new Error('its time ran out twice');
    this.ranOutAt = now;
  }
}

test('each runs out of time at its time unless it was removed, whatever is beside it', () => {
  const step = fc.record({ ms: fc.constantFrom(5, 10, 30), wait: fc.nat(8), ends: fc.option(fc.nat(40)) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const deadlines = new Deadlines(() => now);
      const calls: { call: Call; endAt: number }[] = [];
      const removeDue = (): void => {
        for (const { call, endAt } of calls) if (now >= endAt) deadlines.remove(call, call.ms);
      };
      for (const { ms, wait, ends } of steps) {
        const call = new Call(ms);
        calls.push({ call, endAt: ends === null ? Infinity : now + ends });
        deadlines.add(call, ms);
        for (let n = 0; n < wait; n++) {
          removeDue();
          pass(1);
        }
      }
      for (let n = 0; n < 80; n++) {
        removeDue();
        pass(1);
      }
      for (const { call, endAt } of calls) {
        // What is removed at its last moment is removed before that passes.
        expect(call.ranOutAt).toBe(endAt < call.until ? undefined : call.until);
      }
      expect(jest.getTimerCount()).toBe(0);
    }),
    { numRuns: 60 },
  );
});

test('a thousand calls need one timer, and no time is too long', () => {
  const deadlines = new Deadlines(() => now);
  const calls = Array.from({ length: 1000 }, () => new Call(10));
  for (const call of calls) deadlines.add(call, 10);
  expect(jest.getTimerCount()).toBe(1);
  for (const call of calls) deadlines.remove(call, 10);
  pass(10);
  expect(jest.getTimerCount()).toBe(0);
  const forever = new Call(Infinity);
  deadlines.add(forever, Infinity);
  pass(50);
  expect([forever.ranOutAt, jest.getTimerCount()]).toEqual([undefined, 1]);
});
