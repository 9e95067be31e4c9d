import { describe, expect, test } from '@jest/globals';
import fc from '../support/properties.ts';
import { FULL, isShed, RATE_CLASSES, take, type Rate } from '../../src/domain/rate.ts';
import { LagMeter } from '../../src/lag-meter.ts';

/** The textbook's bucket, which remembers a level and when it was looked at. */
class Bucket {
  #level: number;
  #at = 0;
  readonly #rate: Rate;

  constructor(rate: Rate) {
    this.#rate = rate;
    this.#level = rate.burst;
  }

  take(now: number): boolean {
    const { perSecond, burst } = this.#rate;
    this.#level = Math.min(burst, this.#level + ((now - this.#at) * perSecond) / 1000);
    this.#at = now;
    if (this.#level < 1 - 1e-6) return false;
    this.#level -= 1;
    return true;
  }
}

describe('a bucket', () => {
  const rates = fc.record({ perSecond: fc.constantFrom(1, 2, 5, 10, 100), burst: fc.integer({ min: 1, max: 20 }) });
  const pauses = fc.array(fc.constantFrom(0, 0, 0, 1, 10, 50, 100, 200, 500, 1000, 5000), { maxLength: 200 });

  test('gives what the textbook gives', () => {
    fc.assert(
      fc.property(rates, pauses, (rate, each) => {
        const bucket = new Bucket(rate);
        let state = FULL;
        let now = 0;
        for (const pause of each) {
          now += pause;
          const taken = take(state, now, rate);
          expect(taken.ok).toBe(bucket.take(now));
          if (taken.ok) ({ state } = taken);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('says how long to wait: not a moment earlier, and not a moment longer', () => {
    fc.assert(
      fc.property(rates, pauses, (rate, each) => {
        let state = FULL;
        let now = 0;
        for (const pause of each) {
          now += pause;
          const taken = take(state, now, rate);
          if (taken.ok) ({ state } = taken);
          else {
            expect(taken.waitMs).toBeGreaterThan(0);
            expect(take(state, now + taken.waitMs * 0.99, rate).ok).toBe(taken.waitMs * 0.01 < 2e-6);
            expect(take(state, now + taken.waitMs, rate).ok).toBe(true);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test('never gives more in any stretch of time than its burst and what the stretch is worth', () => {
    const rate = { perSecond: 10, burst: 5 };
    const given: number[] = [];
    let state = FULL;
    for (let now = 0; now < 20_000; now += 7) {
      const taken = take(state, now, rate);
      if (!taken.ok) continue;
      given.push(now);
      ({ state } = taken);
    }
    for (const [first, from] of given.entries())
      for (const [last, to] of given.entries())
        if (last > first) expect(last - first + 1).toBeLessThanOrEqual(rate.burst + ((to - from) * 10) / 1000 + 1e-9);
    expect(given.length).toBeGreaterThan(200);
  });
});

describe('a node that is late', () => {
  test('gives up writes first, then lists, reads, resuming and renewals, and each stays given up', () => {
    const servedAt = (lag: number) => RATE_CLASSES.filter((rateClass) => !isShed(rateClass, lag, 100));
    expect(servedAt(0)).toEqual(['renew', 'resume', 'read', 'list', 'write']);
    expect(servedAt(100)).toEqual(['renew', 'resume', 'read', 'list', 'write']);
    expect(servedAt(101)).toEqual(['renew', 'resume', 'read', 'list']);
    expect(servedAt(201)).toEqual(['renew', 'resume', 'read']);
    expect(servedAt(401)).toEqual(['renew', 'resume']);
    expect(servedAt(801)).toEqual(['renew']);
    expect(servedAt(1601)).toEqual([]);
  });

  test('one long turn is no overload; being late all the time is, until the first turn in time', () => {
    const meter = new LagMeter(50);
    let now = 1000;
    const tick = (lateMs: number): number => {
      now += 50 + lateMs;
      meter.tick(now);
      return meter.lag;
    };
    meter.tick(now);
    expect([tick(0), tick(900), tick(0), tick(0), tick(0)]).toEqual([0, 0, 0, 0, 0]);
    expect([tick(300), tick(200), tick(250), tick(400)]).toEqual([0, 0, 0, 200]);
    expect(tick(300)).toBe(200);
    expect(tick(3)).toBe(3);
  });
});
