import { describe, expect, test } from '@jest/globals';
import type { HealthStatus } from '../../src/domain/instances/check.ts';
import {
  FORGIVEN_MS,
  heldUntil,
  isPenalised,
  MAX_HOLD_MS,
  NEGLIGIBLE,
  penalise,
  penaltyAt,
  type Flapping,
} from '../../src/domain/instances/flapping.ts';
import { isBetter, leaseVerdict, observe, unknownHealth, type Thresholds } from '../../src/domain/instances/health.ts';

const P = 'passing';
const W = 'warning';
const C = 'critical';

/** What holds after each result, when whatever is decided is written at once. */
function follow(
  results: readonly HealthStatus[],
  thresholds: Thresholds,
  start: HealthStatus,
  decided = true,
): HealthStatus[] {
  let health = unknownHealth(decided);
  let holds = start;
  return results.map((result) => {
    health = observe(health, result, holds, thresholds);
    return (holds = health.verdict ?? holds);
  });
}

describe('the health of an instance', () => {
  test('INS2: so many failures in a row make it critical, and so many passes passing again', () => {
    const thresholds = { unhealthyAfter: 3, healthyAfter: 2 };
    expect(follow([C, C, P, C, C, C, P, C, P, P], thresholds, P)).toEqual([P, P, P, P, P, C, C, C, C, P]);
  });

  test('a warning counts as a pass, and takes as many in a row as a recovery does', () => {
    const thresholds = { unhealthyAfter: 1, healthyAfter: 2 };
    expect(follow([W, P, W, W, P, P], thresholds, P)).toEqual([P, P, P, W, W, P]);
    expect(follow([P, W], thresholds, C)).toEqual([C, W]);
  });

  test('of a new registration the first pass decides, and the first failure does not', () => {
    const thresholds = { unhealthyAfter: 2, healthyAfter: 3 };
    expect(follow([P], thresholds, C, false)).toEqual([P]);
    expect(follow([C, W], thresholds, P, false)).toEqual([P, W]);
    // Two failures have confirmed that it is critical: it is new no longer.
    expect(follow([C, C, P, P, P], thresholds, C, false)).toEqual([C, C, C, C, P]);
  });

  test('the first pass goes on deciding until what it decided holds', () => {
    const thresholds = { unhealthyAfter: 2, healthyAfter: 3 };
    let health = observe(unknownHealth(false), P, C, thresholds);
    expect(health).toMatchObject({ verdict: P, decided: false });
    health = observe(health, P, C, thresholds);
    expect(health).toMatchObject({ verdict: P, decided: false });
    expect(observe(health, P, P, thresholds)).toMatchObject({ verdict: P, decided: true });
  });

  test('INS4: what the guard holds is released by one pass', () => {
    const thresholds = { unhealthyAfter: 2, healthyAfter: 3 };
    let health = unknownHealth(true);
    for (let i = 0; i < 5; i++) health = observe(health, C, P, thresholds);
    expect(health).toMatchObject({ verdict: C, failures: 5 });
    expect(observe(health, P, P, thresholds)).toMatchObject({ verdict: P, failures: 0 });
  });

  test('a lease passes while it is renewed, and says nothing while it runs without that', () => {
    expect([leaseVerdict(10, 10, 9), leaseVerdict(10, 20, 10), leaseVerdict(10, 20, 20)]).toEqual([P, undefined, C]);
  });

  test('statuses are in an order', () => {
    expect([isBetter(P, W), isBetter(W, C), isBetter(C, P), isBetter(P, P)]).toEqual([true, true, false, false]);
  });
});

/** How many changes get through, of answers that change to and fro, each given `halfMs`. */
function wave(statuses: readonly HealthStatus[], halfMs: number, totalMs: number): number {
  let holds: HealthStatus = P;
  let flapping: Flapping | undefined;
  let revisions = 0;
  for (let now = 0, i = 0; now <= totalMs; now += 100) {
    if (now >= i * halfMs) i++;
    const wanted = statuses[i % statuses.length] as HealthStatus;
    if (wanted === holds || (isBetter(wanted, holds) && now < heldUntil(flapping))) continue;
    if (isPenalised(holds, wanted)) flapping = penalise(flapping, now);
    holds = wanted;
    revisions++;
  }
  return revisions;
}

describe('flap damping', () => {
  const periods = [
    100, 200, 500, 1000, 3000, 7000, 9000, 12_000, 15_000, 17_000, 17_600, 18_000, 20_000, 25_000, 40_000, 60_000,
  ];

  test.each([600_000, 3_600_000])(
    'INS2: a square wave of answers makes a bounded number of revisions in %d ms',
    (total) => {
      const bound = 2 * (4 + total / 35_000);
      const counts = periods.map((half) => wave([P, C], half, total));
      expect(Math.max(...counts)).toBeLessThanOrEqual(bound);
      // And the bound says something: some wave comes close to it.
      expect(Math.max(...counts)).toBeGreaterThan(bound / 2);
    },
  );

  test('INS2: so do warnings, and answers of all kinds', () => {
    const bound = 2 * (6 + 600_000 / 35_000);
    for (const half of periods) {
      expect(wave([P, W], half, 600_000)).toBeLessThanOrEqual(bound / 2);
      expect(wave([P, W, C], half, 600_000)).toBeLessThanOrEqual(bound);
      expect(wave([P, W, P, C], half, 600_000)).toBeLessThanOrEqual(bound);
    }
  });

  test('what changes now and then is not held down', () => {
    expect(wave([P, C], 60_000, 600_000)).toBe(11);
  });

  test('INS2: the fourth failure in a row of changes holds it down until the penalty is under 1500, and five minutes at most', () => {
    let flapping: Flapping | undefined;
    for (let i = 0; i < 3; i++) flapping = penalise(flapping, i * 100);
    expect(heldUntil(flapping)).toBe(-Infinity);
    flapping = penalise(flapping, 300);
    const until = heldUntil(flapping);
    expect(until).toBeGreaterThan(80_000);
    expect(penaltyAt(flapping, until)).toBeCloseTo(1500);
    for (let now = 1000; now < 400_000; now += 20_000) flapping = penalise(flapping, now);
    expect(heldUntil(flapping)).toBeLessThanOrEqual(400_000 + MAX_HOLD_MS);
    let long: Flapping | undefined;
    for (let now = 0; now < MAX_HOLD_MS; now += 10) long = penalise(long, now);
    expect(heldUntil(long)).toBeLessThanOrEqual(30 + MAX_HOLD_MS);
  });

  test('a penalty is forgiven in a bounded time', () => {
    let flapping: Flapping | undefined;
    for (let i = 0; i < 1000; i++) flapping = penalise(flapping, 0);
    expect(penaltyAt(flapping as Flapping, FORGIVEN_MS)).toBeCloseTo(NEGLIGIBLE);
    expect(FORGIVEN_MS).toBeLessThan(7 * 60_000);
  });
});
