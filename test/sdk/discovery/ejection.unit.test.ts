import { describe, expect, test } from '@jest/globals';
import fc from '../../support/properties.ts';
import { MOST_PICKS } from '../../../src/sdk/discovery/coarse-clock.ts';
import { ejectionMs, mayBeOut, outliers } from '../../../src/sdk/discovery/ejection.ts';
import type { LiveEndpoint } from '../../../src/sdk/discovery/live-endpoint.ts';
import type { BalanceName } from '../../../src/sdk/discovery/options.ts';
import { call, instance, instances, poolOf } from './support.ts';

const BALANCES: readonly BalanceName[] = ['round-robin', 'weighted', 'least-outstanding', 'p2c', 'consistent-hash'];

const failing = (endpoint: LiveEndpoint | undefined, times = 5): void => {
  for (let n = 0; n < times; n++) call(endpoint as LiveEndpoint, 'failed');
};

/** Who is picked in so many picks. */
const picked = (pool: ReturnType<typeof poolOf>['pool'], picks = 200): Set<LiveEndpoint | undefined> =>
  new Set(Array.from({ length: picks }, (_, n) => pool.pick(String(n))));

test('somebody always stays', () => {
  expect([0, 1, 2, 3, 4, 10].map((count) => mayBeOut(count, { maxShare: 0.5, minLive: 1 }))).toEqual([
    0, 0, 1, 1, 2, 5,
  ]);
  expect([0, 1, 2, 3, 4, 10].map((count) => mayBeOut(count, { maxShare: 1, minLive: 0 }))).toEqual([0, 0, 1, 2, 3, 9]);
  expect([1, 3, 10].map((count) => mayBeOut(count, { maxShare: 1, minLive: 3 }))).toEqual([0, 0, 7]);
});

test('the time grows with each ejection in a row, up to a bound, and is shorter by up to a fifth', () => {
  const options = { baseMs: 100, maxMs: 350 };
  expect([1, 2, 3, 4, 5].map((n) => ejectionMs(n, options, 0))).toEqual([100, 200, 300, 350, 350]);
  expect(ejectionMs(9, options, 0.999)).toBeCloseTo(280, 0);
});

describe('outliers', () => {
  const good = Array.from({ length: 9 }, () => ({ ok: 99, failed: 1 }));

  test('who does much worse than the others', () => {
    const bad = { ok: 60, failed: 40 };
    expect(outliers([...good, bad], 1.9, 100)).toEqual([bad]);
  });

  test('not where all do as badly, where calls are few, or where instances are', () => {
    expect(
      outliers(
        Array.from({ length: 10 }, () => ({ ok: 10, failed: 90 })),
        1.9,
        100,
      ),
    ).toEqual([]);
    expect(outliers([...good, { ok: 0, failed: 99 }], 1.9, 100)).toEqual([]);
    expect(outliers([...good.slice(0, 3), { ok: 0, failed: 100 }], 1.9, 100)).toEqual([]);
  });
});

describe.each(BALANCES)('with %s', (balance) => {
  test('five failures in a row leave one out for a time; then one call at a time decides', () => {
    const { pool, clock } = poolOf({ balance });
    pool.replace(instances(4));
    const bad = pool.endpoints[1] as LiveEndpoint;
    for (const endpoint of pool.endpoints) call(endpoint, 'ok');
    failing(bad, 4);
    call(bad, 'ok');
    failing(bad, 4);
    expect(picked(pool)).toContain(bad);
    failing(bad, 1);
    expect(picked(pool)).not.toContain(bad);
    clock.ms += 30_000;
    const probes = Array.from({ length: 200 }, (_, n) => pool.pick(String(n))).filter((endpoint) => endpoint === bad);
    expect(probes).toHaveLength(1);
    bad.begin();
    expect(picked(pool)).not.toContain(bad);
    bad.end('ok', 5);
    // Its latency is new, and theirs has faded: p2c goes by that too.
    for (const endpoint of pool.endpoints) call(endpoint, 'ok');
    expect(picked(pool)).toContain(bad);
  });

  test('a probe that fails leaves it out for longer; one that is cancelled is made again', () => {
    const { pool, clock } = poolOf({ balance });
    pool.replace(instances(4));
    const bad = pool.endpoints[1] as LiveEndpoint;
    failing(bad);
    clock.ms += 30_000;
    expect(picked(pool)).toContain(bad);
    bad.begin();
    bad.end('cancelled', 5);
    expect(picked(pool)).toContain(bad);
    failing(bad, 1);
    clock.ms += 30_001;
    expect(picked(pool)).not.toContain(bad);
    clock.ms += 30_000;
    expect(picked(pool)).toContain(bad);
  });

  test('a probe of which nothing is heard is given up', () => {
    const { pool, clock } = poolOf({ balance });
    pool.replace(instances(4));
    const bad = pool.endpoints[1] as LiveEndpoint;
    failing(bad);
    clock.ms += 30_000;
    expect(picked(pool)).toContain(bad);
    expect(picked(pool)).not.toContain(bad);
    clock.ms += 10_000;
    expect(picked(pool)).toContain(bad);
  });

  test('never more than half are out, and the only one never', () => {
    const { pool } = poolOf({ balance });
    pool.replace(instances(10));
    for (const endpoint of pool.endpoints) failing(endpoint, 20);
    expect(picked(pool, 2000).size).toBe(5);
    pool.replace([instance(1)]);
    expect(picked(pool)).toEqual(new Set([pool.endpoints[0]]));
    failing(pool.endpoints[0], 20);
    expect(picked(pool)).toEqual(new Set([pool.endpoints[0]]));
  });

  test('when the others leave, those that were left out come back', () => {
    const { pool } = poolOf({ balance });
    pool.replace(instances(4));
    for (const endpoint of pool.endpoints.slice(0, 2)) failing(endpoint);
    pool.replace(instances(2));
    expect(picked(pool).size).toBeGreaterThan(0);
    expect(picked(pool)).not.toContain(undefined);
  });
});

test('whatever calls show, lists hold and time brings: the floor is kept, and somebody is picked where somebody is', () => {
  const step = fc.oneof(
    fc.record({
      type: fc.constant('list' as const),
      of: fc.subarray([0, 1, 2, 3, 4, 5, 6, 7]),
      weight: fc.nat({ max: 2 }),
    }),
    fc.record({ type: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 60_000 }) }),
    fc.record({
      type: fc.constant('calls' as const),
      outcomes: fc.array(fc.constantFrom('ok' as const, 'failed' as const, 'failed' as const, 'cancelled' as const), {
        maxLength: 120,
      }),
    }),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...BALANCES),
      fc.constantFrom(0.3, 0.5, 1),
      fc.integer({ min: 1, max: 3 }),
      fc.array(step, { maxLength: 30 }),
      (balance, maxShare, minLive, steps) => {
        const { pool, clock } = poolOf({ balance, ejection: { maxShare, minLive, failures: 2, outlierCalls: 5 } });
        for (const next of steps) {
          if (next.type === 'wait') clock.ms += next.ms;
          else if (next.type === 'list') {
            pool.replace(next.of.map((n) => instance(n, { weight: n % 3 === 0 ? next.weight : 1 })));
          } else {
            for (const [n, outcome] of next.outcomes.entries()) {
              const endpoint = pool.pick(String(n));
              const isRight = endpoint === undefined ? pool.endpoints.length === 0 : pool.endpoints.includes(endpoint);
              if (!isRight) throw new Error(`picked ${endpoint?.name} of ${pool.endpoints.length}`);
              if (endpoint === undefined) continue;
              endpoint.begin();
              endpoint.end(outcome, 5);
            }
          }
          const all = pool.endpoints;
          const weighted = all.filter((endpoint) => endpoint.instance.weight > 0);
          const called = weighted.length > 0 ? weighted : all;
          const out = called.filter(({ phase }) => phase !== 'in').length;
          expect(out).toBeLessThanOrEqual(mayBeOut(called.length, { maxShare, minLive }));
        }
      },
    ),
    { seed: 6, numRuns: 300 },
  );
});

test('who fails half of its calls, where the others fail none, is left out too', () => {
  const { pool, clock } = poolOf({ balance: 'round-robin' });
  pool.replace(instances(10));
  const bad = pool.endpoints[7];
  for (let n = 0; n < 2000; n++) {
    const endpoint = pool.pick() as LiveEndpoint;
    call(endpoint, endpoint === bad && n % 20 < 10 ? 'failed' : 'ok');
  }
  clock.ms += 10_000;
  // After a burst of picks, so many may go by the time before the pause.
  picked(pool, MOST_PICKS);
  expect(picked(pool)).not.toContain(bad);
});

test('whoever stayed in for as long as it had been out begins anew', () => {
  const { pool, clock } = poolOf({ balance: 'round-robin' });
  pool.replace(instances(4));
  const bad = pool.endpoints[0] as LiveEndpoint;
  const outFor = (): number => {
    failing(bad);
    const until = bad.until - clock.ms;
    clock.ms += until;
    while (pool.pick() !== bad);
    call(bad, 'ok');
    return until;
  };
  expect(outFor()).toBeLessThanOrEqual(30_000);
  expect(outFor()).toBeGreaterThanOrEqual(48_000);
  clock.ms += 60_001;
  expect(outFor()).toBeLessThanOrEqual(30_000);
});

test('with ejection: false nobody is left out', () => {
  const { pool } = poolOf({ balance: 'round-robin', ejection: false });
  pool.replace(instances(4));
  failing(pool.endpoints[1], 100);
  expect(picked(pool).size).toBe(4);
});

test('on a ring a tier of which all are left out is tried again in time, and gets its keys back', () => {
  const { pool, clock } = poolOf({ balance: 'consistent-hash', locality: { prefer: 'near', region: 'eu' } });
  const near = instances(2, { region: 'eu' });
  pool.replace([...near, instance(2, { region: 'us' }), instance(3, { region: 'us' })]);
  const own = pool.endpoints.slice(0, 2);
  for (const endpoint of own) failing(endpoint);
  expect(own.map(({ phase }) => phase)).toEqual(['out', 'out']);
  const tried = (): Set<LiveEndpoint> => {
    const seen = new Set<LiveEndpoint>();
    for (let n = 0; n < 200; n++) {
      const endpoint = pool.pick(String(n)) as LiveEndpoint;
      call(endpoint, 'ok');
      seen.add(endpoint);
    }
    return seen;
  };
  expect([...tried()].some((endpoint) => own.includes(endpoint))).toBe(false);
  clock.ms += 60_000;
  tried();
  expect(own.map(({ phase }) => phase)).toEqual(['in', 'in']);
  expect([...tried()].every((endpoint) => own.includes(endpoint))).toBe(true);
});
