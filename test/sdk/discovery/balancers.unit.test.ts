import { describe, expect, test } from '@jest/globals';
import fc from '../../support/properties.ts';
import { Alias } from '../../../src/sdk/discovery/balancers/alias.ts';
import { LeastOutstanding } from '../../../src/sdk/discovery/balancers/least-outstanding.ts';
import { RoundRobin } from '../../../src/sdk/discovery/balancers/round-robin.ts';
import { TwoChoices } from '../../../src/sdk/discovery/balancers/two-choices.ts';
import { Weighted } from '../../../src/sdk/discovery/balancers/weighted.ts';
import { Random } from '../../support/random.ts';
import { chiSquare, countPicks, CRITICAL_9, stubs, type Stub } from './support.ts';

const PICKS = 100_000;
const ONES = Array.from({ length: 10 }, () => 1);
const WEIGHTS = [1, 1, 2, 3, 5, 8, 13, 21, 34, 100];

const seeded = (seed: number): (() => number) => {
  const random = new Random(seed);
  return () => random.next();
};

describe('round robin', () => {
  test('10 instances have equal shares of 100,000 picks, in every stretch of 10', () => {
    const list = stubs(10);
    const balancer = new RoundRobin<Stub>(seeded(1));
    balancer.update(list, ONES);
    expect(chiSquare(countPicks(list, PICKS, () => balancer.pick()))).toBeLessThan(0.001);
    expect(new Set(Array.from({ length: 10 }, () => balancer.pick())).size).toBe(10);
  });

  test('many clients are not in step: first picks are spread', () => {
    const list = stubs(10);
    const random = seeded(2);
    const counts = countPicks(list, 10_000, () => {
      const balancer = new RoundRobin<Stub>(random);
      balancer.update(list, ONES);
      return balancer.pick();
    });
    expect(chiSquare(counts)).toBeLessThan(CRITICAL_9);
  });

  test('whoever was next stays next when the list changes, and newcomers come last', () => {
    const list = stubs(12);
    const balancer = new RoundRobin<Stub>(seeded(3));
    balancer.update(list.slice(0, 10), ONES);
    const order = Array.from({ length: 10 }, () => balancer.pick() as Stub);
    for (let n = 0; n < 4; n++) balancer.pick();
    const gone = order[6] as Stub;
    const stayed = [...order.slice(4, 6), ...order.slice(7), ...order.slice(0, 4)];
    balancer.update(
      list.filter((stub) => stub !== gone),
      [...ONES, 1],
    );
    const picked = Array.from({ length: 11 }, () => balancer.pick());
    expect(picked.slice(0, 9)).toEqual(stayed);
    expect(new Set(picked.slice(9))).toEqual(new Set(list.slice(10)));
  });

  test('a list that changes after every third pick is fair all the same', () => {
    const list = stubs(10);
    const comes = stubs(11)[10] as Stub;
    const balancer = new RoundRobin<Stub>(seeded(4));
    balancer.update(list, ONES);
    const counts = new Map<Stub | undefined, number>();
    for (let n = 0; n < 30_000; n++) {
      if (n % 3 === 0) balancer.update(n % 6 === 0 ? list : [comes, ...list], n % 6 === 0 ? ONES : [1, ...ONES]);
      const picked = balancer.pick();
      counts.set(picked, (counts.get(picked) ?? 0) + 1);
    }
    const shares = list.map((stub) => counts.get(stub) ?? 0);
    expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(2);
  });

  test('one with a tenth of the weight has a tenth of the picks, also while weights are set anew again and again', () => {
    const list = stubs(10);
    const weights = [0.1, ...ONES.slice(1)];
    const balancer = new RoundRobin<Stub>(seeded(5));
    let n = 0;
    const counts = countPicks(list, PICKS, () => {
      if (n++ % 7 === 0) balancer.update(list, weights);
      return balancer.pick();
    });
    expect(chiSquare(counts, weights)).toBeLessThan(1);
  });
});

describe('weighted', () => {
  test('10 instances have shares of 100,000 picks as they weigh', () => {
    const list = stubs(10);
    const balancer = new Weighted<Stub>(seeded(6));
    balancer.update(list, WEIGHTS);
    expect(
      chiSquare(
        countPicks(list, PICKS, () => balancer.pick()),
        WEIGHTS,
      ),
    ).toBeLessThan(1);
  });

  test('picks are evenly spread: a third of the weight is every third pick', () => {
    const list = stubs(3);
    const balancer = new Weighted<Stub>(seeded(7));
    balancer.update(list, [2, 1, 3]);
    const picked = Array.from({ length: 60 }, () => balancer.pick());
    for (let from = 0; from + 6 <= picked.length; from++) {
      const ofHeaviest = picked.slice(from, from + 6).filter((stub) => stub === list[2]).length;
      expect(Math.abs(ofHeaviest - 3)).toBeLessThanOrEqual(1);
    }
  });

  test('light ones do not starve where the list is set anew after every pick', () => {
    const list = stubs(10);
    const balancer = new Weighted<Stub>(seeded(8));
    const counts = countPicks(list, PICKS, () => {
      balancer.update(list, WEIGHTS);
      return balancer.pick();
    });
    expect(chiSquare(counts, WEIGHTS)).toBeLessThan(1);
  });

  test('first picks of many clients are spread as weights are', () => {
    const list = stubs(2);
    const random = seeded(9);
    const [light = 0, heavy = 0] = countPicks(list, 10_000, () => {
      const balancer = new Weighted<Stub>(random);
      balancer.update(list, [1, 4]);
      return balancer.pick();
    });
    // The smaller of U/1 and U/4: the light one is first with a probability of 1/8.
    expect(light / (light + heavy)).toBeCloseTo(1 / 8, 1);
  });
});

describe('least outstanding', () => {
  test('goes where the fewest calls are under way for the weight, at random among equals', () => {
    const list = stubs(10);
    const balancer = new LeastOutstanding<Stub>(seeded(10));
    balancer.update(list, ONES);
    expect(chiSquare(countPicks(list, PICKS, () => balancer.pick()))).toBeLessThan(CRITICAL_9);
    for (const stub of list) stub.outstanding = 3;
    (list[4] as Stub).outstanding = 2;
    expect(balancer.pick()).toBe(list[4]);
    (list[7] as Stub).outstanding = 4;
    balancer.update(list, [1, 1, 1, 1, 1, 1, 1, 2, 1, 1]);
    expect(balancer.pick()).toBe(list[7]);
  });

  test('calls that do not end are spread as weights are', () => {
    const list = stubs(10);
    const balancer = new LeastOutstanding<Stub>(seeded(11));
    balancer.update(list, WEIGHTS);
    for (let n = 0; n < 1880; n++) (balancer.pick() as Stub).outstanding += 1;
    for (const [n, { outstanding }] of list.entries()) {
      expect(Math.abs(outstanding - 10 * (WEIGHTS[n] as number))).toBeLessThanOrEqual(1);
    }
  });
});

describe('two choices', () => {
  test('of equals all have equal shares: 10 instances, 100,000 picks', () => {
    const list = stubs(10, { latencyMs: 5 });
    const balancer = new TwoChoices<Stub>(seeded(12));
    balancer.update(list, ONES);
    const counts = countPicks(list, PICKS, () => balancer.pick());
    expect(chiSquare(counts)).toBeLessThan(CRITICAL_9);
    expect(Math.max(...counts)).toBeLessThan(1.05 * (PICKS / 10));
  });

  test('with 40 calls under way of equal latency, nobody has more than twice its share of them, or of all', () => {
    const list = stubs(10, { latencyMs: 5 });
    const balancer = new TwoChoices<Stub>(seeded(13));
    balancer.update(list, ONES);
    const underWay: Stub[] = [];
    let most = 0;
    const counts = countPicks(list, PICKS, () => {
      const picked = balancer.pick() as Stub;
      picked.outstanding += 1;
      underWay.push(picked);
      most = Math.max(most, picked.outstanding);
      if (underWay.length === 40) (underWay.shift() as Stub).outstanding -= 1;
      return picked;
    });
    expect(most).toBeLessThanOrEqual(8);
    expect(Math.max(...counts)).toBeLessThan(1.02 * (PICKS / 10));
  });

  test('of equals all have shares as they weigh', () => {
    const list = stubs(10, { latencyMs: 5 });
    const balancer = new TwoChoices<Stub>(seeded(14));
    const weights = [1, 1, 2, 2, 2, 3, 3, 4, 4, 5];
    balancer.update(list, weights);
    expect(
      chiSquare(
        countPicks(list, PICKS, () => balancer.pick()),
        weights,
      ),
    ).toBeLessThan(CRITICAL_9);
  });

  test('a slow one is picked only where it meets itself: never, of two different ones', () => {
    const list = stubs(10, { latencyMs: 5 });
    (list[3] as Stub).latencyMs = 50;
    const balancer = new TwoChoices<Stub>(seeded(15));
    balancer.update(list, ONES);
    expect(countPicks(list, PICKS, () => balancer.pick())[3]).toBe(0);
    // With ten calls waiting elsewhere it is the better choice.
    for (const stub of list) stub.outstanding = 10;
    (list[3] as Stub).outstanding = 0;
    expect(countPicks(list, PICKS, () => balancer.pick())[3]).toBeGreaterThan(PICKS / 10);
  });

  test('a new one is tried once, and not again before it has answered', () => {
    const list = stubs(2, { latencyMs: 5 });
    const fresh = list[1] as Stub;
    fresh.latencyMs = 0;
    const balancer = new TwoChoices<Stub>(seeded(16));
    balancer.update(list, [1, 1]);
    expect(balancer.pick()).toBe(fresh);
    fresh.outstanding = 1;
    for (let n = 0; n < 100; n++) expect(balancer.pick()).toBe(list[0]);
  });
});

test('the alias method draws as weights say, whatever they are', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 65_535 }), { minLength: 1, maxLength: 40 }), (weights) => {
      // Exact probabilities: the draw of an even grid of random numbers.
      const steps = 400 * weights.length;
      let at = 0;
      const alias = new Alias(weights, () => (at++ + 0.5) / steps);
      const counts = weights.map(() => 0);
      for (let n = 0; n < steps; n++) {
        const drawn = alias.draw();
        counts[drawn] = (counts[drawn] as number) + 1;
      }
      const whole = weights.reduce((sum, weight) => sum + weight, 0);
      for (const [n, count] of counts.entries()) {
        expect(Math.abs(count / steps - (weights[n] as number) / whole)).toBeLessThan(0.01);
      }
    }),
    { seed: 6, numRuns: 200 },
  );
});

test.each([
  ['round robin', (random: () => number) => new RoundRobin<Stub>(random)],
  ['weighted', (random: () => number) => new Weighted<Stub>(random)],
  ['least outstanding', (random: () => number) => new LeastOutstanding<Stub>(random)],
  ['two choices', (random: () => number) => new TwoChoices<Stub>(random)],
])('%s: nobody of an empty list, and never somebody who has left', (_, create) => {
  const all = stubs(8);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.subarray(all), fc.integer({ min: 1, max: 9 }), fc.nat({ max: 20 })), { maxLength: 20 }),
      (lists) => {
        const balancer = create(seeded(17));
        for (const [list, weight, picks] of lists) {
          balancer.update(
            list,
            list.map((_stub, n) => (n % 2 === 0 ? weight : 1)),
          );
          for (let n = 0; n < picks; n++) {
            const picked = balancer.pick();
            const isRight = picked === undefined ? list.length === 0 : list.includes(picked);
            if (!isRight) throw new Error(`picked ${picked?.name} of ${list.length}`);
          }
        }
      },
    ),
    { seed: 6, numRuns: 200 },
  );
});
