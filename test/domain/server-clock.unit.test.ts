import { expect, test } from '@jest/globals';
import fc from '../support/properties.ts';
import { offsetAfter, offsetSeen, type ClockOffset } from '../../src/domain/server-clock.ts';

interface Answer {
  /** Between the one before and this one. */
  readonly pause: number;
  /** From asking to the server's reading its clock, and from there to the answer. */
  readonly there: number;
  readonly back: number;
}

const answers = fc.array(
  fc.record({
    pause: fc.double({ min: 0, max: 60_000, noNaN: true }),
    there: fc.double({ min: 0, max: 3000, noNaN: true }),
    back: fc.double({ min: 0, max: 3000, noNaN: true }),
  }),
  { minLength: 1, maxLength: 40 },
);

/** Whether any of the answers tells of a step. The server's clock goes by `rate`, and is set by `step` before the last answer. */
function stepIn(history: readonly Answer[], rate: number, step = 0): boolean {
  let now = 0;
  let known: ClockOffset | undefined;
  for (const [i, { pause, there, back }] of history.entries()) {
    const asked = now + pause;
    const server = 1_795_000_000_000 + (asked + there) * rate + (i === history.length - 1 ? step : 0);
    now = asked + there + back;
    const seen = offsetSeen(asked, server, now);
    const next = known === undefined ? seen : offsetAfter(known, seen);
    if (next === undefined) return true;
    known = next;
  }
  return false;
}

test('INS3 slow answers and a clock that drifts are no step', () => {
  fc.assert(
    fc.property(answers, fc.double({ min: 0.9995, max: 1.0005, noNaN: true }), (history, rate) => {
      expect(stepIn(history, rate)).toBe(false);
    }),
  );
});

test('INS3 a step of more than a second and what the answers leave open is seen, in either direction', () => {
  const quick = { pause: 1000, there: 1, back: 1 };
  for (const step of [1010, -1010, 3_600_000, -3_600_000]) {
    expect(stepIn([quick, quick], 1, step)).toBe(true);
    // What a slow answer says is held against what is known already.
    expect(stepIn([quick, { pause: 1000, there: 2000, back: 900 }, quick], 1, step)).toBe(true);
    expect(stepIn([quick, quick, { pause: 0, there: 0, back: 0 }], 1, step)).toBe(true);
  }
  for (const step of [990, -990]) expect(stepIn([quick, quick], 1, step)).toBe(false);
});

test('INS3 a slow answer that lies beside what is known, by a rounding, does not hide the step after it', () => {
  const known = offsetSeen(0, 100, 1);
  // The answer was read when our clock had been set already.
  for (const seen of [offsetSeen(10, 109, 3_600_010), offsetSeen(-3_600_000, 111.5, 11)]) {
    const after = offsetAfter(known, seen);
    expect(after).toBeDefined();
    for (const step of [3_600_000, -3_600_000]) {
      expect(offsetAfter(after as ClockOffset, offsetSeen(20, 120 + step, 21))).toBeUndefined();
    }
  }
});
