import { describe, expect, test } from '@jest/globals';
import fc from '../../support/properties.ts';
import type { LiveEndpoint } from '../../../src/sdk/discovery/live-endpoint.ts';
import type { BalanceName } from '../../../src/sdk/discovery/options.ts';
import { call, chiSquare, countPicks, CRITICAL_9, instance, instances, poolOf } from './support.ts';

const BALANCES: readonly BalanceName[] = ['round-robin', 'weighted', 'least-outstanding', 'p2c', 'consistent-hash'];
const PICKS = 100_000;

const sharesOf = (pool: ReturnType<typeof poolOf>['pool'], picks = PICKS): number[] =>
  countPicks(pool.endpoints, picks, () => pool.pick()).map((count) => count / picks);

describe('shares of 100,000 picks', () => {
  test('round robin: equal, whatever they weigh', () => {
    const { pool } = poolOf({ balance: 'round-robin' });
    pool.replace(Array.from({ length: 10 }, (_, n) => instance(n, { weight: n + 1 })));
    expect(chiSquare(countPicks(pool.endpoints, PICKS, () => pool.pick()))).toBeLessThan(0.001);
  });

  test('weighted: as they weigh, and as they weigh from then on', () => {
    const { pool } = poolOf({ balance: 'weighted' });
    const list = Array.from({ length: 10 }, (_, n) => instance(n, { weight: (n + 1) * 10 }));
    const weights = list.map(({ weight }) => weight);
    pool.replace(list);
    expect(
      chiSquare(
        countPicks(pool.endpoints, PICKS, () => pool.pick()),
        weights,
      ),
    ).toBeLessThan(1);
    pool.replace(list.map((one, n) => ({ ...one, revision: 2, weight: weights.at(-1 - n) as number })));
    expect(
      chiSquare(
        countPicks(pool.endpoints, PICKS, () => pool.pick()),
        weights.toReversed(),
      ),
    ).toBeLessThan(1);
  });

  test('p2c: equal under equal latencies, nobody more than a twentieth above its share', () => {
    const { pool, clock } = poolOf({ balance: 'p2c' });
    pool.replace(instances(10));
    const counts = countPicks(pool.endpoints, PICKS, () => {
      clock.ms += 0.1;
      const endpoint = pool.pick() as LiveEndpoint;
      call(endpoint, 'ok', 5);
      return endpoint;
    });
    expect(Math.max(...counts)).toBeLessThan((1.05 * PICKS) / 10);
    expect(chiSquare(counts)).toBeLessThan(CRITICAL_9);
  });
});

test.each(BALANCES)('%s: a weight of 0 gets nothing, unless all have it', (balance) => {
  const { pool } = poolOf({ balance });
  pool.replace([instance(0, { weight: 0 }), instance(1), instance(2)]);
  expect(sharesOf(pool, 1000)[0]).toBe(0);
  pool.replace([instance(0, { weight: 0 }), instance(1, { weight: 0 })]);
  expect(Math.min(...sharesOf(pool, 1000))).toBeGreaterThan(0.2);
});

describe('what was learned', () => {
  test('INS6 stays with an instance for as long as its generation does, and with nobody who comes to its address later', () => {
    const { pool } = poolOf({ balance: 'p2c' });
    pool.replace(instances(2));
    const [before] = pool.endpoints;
    call(before as LiveEndpoint, 'ok', 80);
    for (let n = 0; n < 5; n++) call(before as LiveEndpoint, 'failed', 80);
    pool.replace([instance(0, { revision: 5, weight: 7 }), instance(1)]);
    expect(pool.endpoints[0]).toBe(before);
    expect(before).toMatchObject({ phase: 'out', latencyMs: 80, instance: { weight: 7 } });
    const { added, removed } = pool.replace([instance(0, { revision: 6, generation: 6 }), instance(1)]);
    expect([added, removed]).toEqual([[pool.endpoints[0]], [before]]);
    expect(pool.endpoints[0]).toMatchObject({ phase: 'in', latencyMs: 0, outstanding: 0, failuresInRow: 0 });
  });

  test('calls of one that is gone end without a trace', () => {
    const { pool } = poolOf({ balance: 'consistent-hash' });
    pool.replace(instances(2));
    const [gone, stays] = pool.endpoints as [LiveEndpoint, LiveEndpoint];
    gone.begin();
    stays.begin();
    pool.replace([instance(1)]);
    expect(pool.load.outstanding).toBe(1);
    gone.end('failed', 5);
    expect(pool.load.outstanding).toBe(1);
    stays.end('ok', 5);
    stays.end('ok', 5);
    expect([pool.load.outstanding, stays.outstanding]).toEqual([0, 0]);
  });

  test('latencies peak at once, come down slowly, and fade without calls; a fast failure is no speed', () => {
    const { pool, clock } = poolOf({ balance: 'p2c' });
    pool.replace(instances(2));
    const endpoint = pool.endpoints[0] as LiveEndpoint;
    call(endpoint, 'ok', 10);
    call(endpoint, 'ok', 100);
    expect(endpoint.latencyMs).toBe(100);
    clock.ms += 10_000;
    call(endpoint, 'failed', 1);
    expect(endpoint.latencyMs).toBe(100);
    clock.ms += 10_000;
    call(endpoint, 'ok', 10);
    expect(endpoint.latencyMs).toBeCloseTo(10 + 90 / Math.E, 5);
    clock.ms += 10_000;
    pool.pick();
    expect(endpoint.latencyMs).toBeCloseTo((10 + 90 / Math.E) / Math.E, 5);
  });
});

test('p2c: one whose first calls fail fast does not draw calls, though nobody may be left out', () => {
  const { pool } = poolOf({ balance: 'p2c', ejection: false });
  pool.replace(instances(10));
  const bad = pool.endpoints[3];
  const counts = countPicks(pool.endpoints, 10_000, () => {
    const endpoint = pool.pick() as LiveEndpoint;
    call(endpoint, endpoint === bad ? 'failed' : 'ok', endpoint === bad ? 0 : 5);
    return endpoint;
  });
  expect(counts[3]).toBeLessThan(10);
});

test.each(BALANCES)('%s: nobody who is gone is picked, however lists follow one another', (balance) => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.subarray([0, 1, 2, 3, 4, 5]), fc.integer({ min: 1, max: 3 }), fc.nat({ max: 70 })), {
        maxLength: 15,
      }),
      (lists) => {
        const { pool } = poolOf({ balance, locality: { prefer: 'near', region: 'eu' } });
        for (const [of, generation, picks] of lists) {
          pool.replace(of.map((n) => instance(n, { generation, region: n % 2 === 0 ? 'eu' : 'us' })));
          for (let n = 0; n < picks; n++) {
            const endpoint = pool.pick(String(n));
            const isRight = endpoint === undefined ? of.length === 0 : pool.endpoints.includes(endpoint);
            if (!isRight) throw new Error(`picked ${endpoint?.name} of ${of.join()}`);
          }
        }
      },
    ),
    { seed: 6, numRuns: 100 },
  );
});

test.each(BALANCES)('%s: who was tried is not picked again while there are others, left out or not', (balance) => {
  const { pool } = poolOf({ balance });
  pool.replace(instances(4));
  for (let n = 0; n < 5; n++) call(pool.endpoints[3] as LiveEndpoint, 'failed');
  const tried: (LiveEndpoint | undefined)[] = [];
  for (let n = 0; n < 4; n++) tried.push(pool.pick('key', new Set(tried)));
  expect(new Set(tried)).toEqual(new Set(pool.endpoints));
  expect(tried[3]).toBe(pool.endpoints[3]);
  expect(pool.endpoints).toContain(pool.pick('key', new Set(tried)));
});

describe('slow start', () => {
  test.each(['round-robin', 'weighted', 'p2c'] as const)(
    '%s: a new one gets a tenth at first, then more, then all',
    (balance) => {
      const { pool, clock } = poolOf({ balance });
      pool.replace(instances(9));
      clock.ms += 100_000;
      pool.replace(instances(10));
      const expected = (part: number): number => part / (9 + part);
      expect(sharesOf(pool)[9]).toBeCloseTo(expected(0.1), 2);
      clock.ms += 15_000;
      expect(sharesOf(pool)[9]).toBeCloseTo(expected(0.55), 2);
      clock.ms += 15_000;
      expect(sharesOf(pool)[9]).toBeCloseTo(0.1, 2);
    },
  );

  test('where all are new, at the beginning or at once, all are alike', () => {
    const { pool } = poolOf({ balance: 'weighted' });
    pool.replace(instances(10));
    expect(sharesOf(pool)[3]).toBeCloseTo(0.1, 3);
    pool.replace(instances(10, { generation: 2 }));
    expect(sharesOf(pool)[3]).toBeCloseTo(0.1, 3);
  });

  test('where all are new, but some a little less so, all are alike too', () => {
    const { pool, clock } = poolOf({ balance: 'weighted' });
    pool.replace(instances(5));
    pool.replace(instances(5, { generation: 2 }));
    clock.ms += 20_000;
    pool.replace(instances(10).map((one, n) => ({ ...one, generation: n < 5 ? 2 : 1 })));
    expect(sharesOf(pool)[3]).toBeCloseTo(0.1, 3);
    expect(sharesOf(pool)[7]).toBeCloseTo(0.1, 3);
  });

  test('where nearly all are new, the old one gets twice its share and no more', () => {
    const { pool } = poolOf({ balance: 'weighted' });
    pool.replace(instances(10));
    pool.replace(Array.from({ length: 10 }, (_, n) => instance(n, { generation: n === 0 ? 1 : 2 })));
    expect(sharesOf(pool)[0]).toBeCloseTo(0.2, 2);
  });

  test('it can be left out', () => {
    const { pool } = poolOf({ balance: 'weighted', slowStart: false });
    pool.replace(instances(9));
    pool.replace(instances(10));
    expect(sharesOf(pool)[9]).toBeCloseTo(0.1, 3);
  });
});

describe('p2c and calls that stay open, as streams', () => {
  const rounds = (open: (endpoint: LiveEndpoint) => void): number => {
    const { pool, clock } = poolOf({ balance: 'p2c' });
    pool.replace(instances(3));
    const [streaming] = pool.endpoints as [LiveEndpoint];
    for (const endpoint of pool.endpoints.slice(1)) call(endpoint, 'ok', 5);
    open(streaming);
    let picked = 0;
    for (let n = 0; n < 3000; n++) {
      clock.ms += 100;
      const endpoint = pool.pick() as LiveEndpoint;
      if (endpoint === streaming) picked += 1;
      call(endpoint, 'ok', 5);
    }
    return picked;
  };

  test('one slow answer beside a stream is forgotten in time', () => {
    const open = (endpoint: LiveEndpoint): void => {
      endpoint.begin();
      endpoint.answered(5);
      call(endpoint, 'ok', 400);
    };
    // It has one more under way than the others, so it gets less, and not nothing.
    expect(rounds(open)).toBeGreaterThan(20);
  });

  test('a new one whose first call is a stream is called as others are', () => {
    const open = (endpoint: LiveEndpoint): void => {
      endpoint.begin();
      endpoint.answered(5);
    };
    // It has one more under way than the others, so it gets less, and not nothing.
    expect(rounds(open)).toBeGreaterThan(20);
  });

  test('one that does not answer is not, and what ends is not counted twice', () => {
    expect(rounds((endpoint) => endpoint.begin())).toBe(0);
    const hanging = (endpoint: LiveEndpoint): void => {
      endpoint.begin();
      endpoint.begin();
      endpoint.answered(400);
      endpoint.end('ok', 400, true);
    };
    expect(rounds(hanging)).toBe(0);
  });
});
