import { describe, expect, test } from '@jest/globals';
import type { LiveEndpoint } from '../../../src/sdk/discovery/live-endpoint.ts';
import { tierLoads, tierOf, type Place } from '../../../src/sdk/discovery/tiers.ts';
import { call, countPicks, instance, poolOf } from './support.ts';

const place: Place = { prefer: 'near', region: 'eu', zone: 'a', addresses: new Set(['10.0.0.1']) };
const at = (region?: string, zone?: string, n = 2) =>
  instance(n, { ...(region !== undefined && { region }), tags: zone === undefined ? {} : { zone } });

describe('how near an instance is', () => {
  test('same zone, same region, others; with local-first its own host before all', () => {
    expect([at('eu', 'a'), at('eu', 'b'), at('eu'), at('us', 'a'), at()].map((one) => tierOf(one, place))).toEqual([
      1, 2, 2, 3, 3,
    ]);
    expect(tierOf(at('eu', 'a', 1), place)).toBe(1);
    expect(tierOf(at('eu', 'a', 1), { ...place, prefer: 'local-first' })).toBe(0);
    expect(tierOf(at('us', 'b', 2), { ...place, prefer: 'any' })).toBe(0);
  });

  test('who does not say where it is prefers nobody', () => {
    const nowhere: Place = { ...place, region: undefined, zone: undefined };
    expect(new Set([at('eu', 'a'), at('us'), at()].map((one) => tierOf(one, nowhere))).size).toBe(1);
    expect(tierOf(at('us', 'a'), { ...nowhere, zone: 'a' })).toBe(1);
  });
});

describe('what each tier takes', () => {
  const tiers = (...live: number[]) => live.map((n) => ({ live: n, all: 10 }));

  // The first five are Envoy's own table (priority levels, two levels, the second one whole).
  test.each([
    [tiers(10, 10), [1, 0]],
    [tiers(8, 10), [1, 0]],
    [tiers(7, 10), [0.98, 0.02]],
    [tiers(5, 10), [0.7, 0.3]],
    [tiers(0, 10), [0, 1]],
    [tiers(5, 2, 10), [0.7, 0.28, 0.02]],
    [tiers(2, 2), [0.5, 0.5]],
    [tiers(1, 3), [0.25, 0.75]],
    [tiers(0, 0), [0, 0]],
  ])('%j: %j', (health, expected) => {
    const loads = tierLoads(health, 1.4, 1);
    for (const [n, load] of expected.entries()) expect(loads[n]).toBeCloseTo(load, 10);
  });

  test('with fewer than it needs, a tier gives away as if the missing ones had failed', () => {
    const loads = tierLoads(
      [
        { live: 1, all: 1 },
        { live: 9, all: 9 },
      ],
      1.4,
      4,
    );
    expect(loads[0]).toBeCloseTo(0.35, 10);
    expect(loads[1]).toBeCloseTo(0.65, 10);
  });
});

describe('in a pool', () => {
  const list = Array.from({ length: 20 }, (_, n) => instance(n, { region: n < 10 ? 'eu' : 'us' }));
  const nearShare = (pool: ReturnType<typeof poolOf>['pool']): number => {
    const counts = countPicks(pool.endpoints, 100_000, () => pool.pick());
    return counts.slice(0, 10).reduce((sum, count) => sum + count, 0) / 100_000;
  };

  test.each(['round-robin', 'weighted', 'least-outstanding', 'p2c'] as const)(
    '%s: all calls stay near while most answer; then as many go on as are missing, in proportion',
    (balance) => {
      const { pool } = poolOf({ balance, locality: { region: 'eu' } });
      pool.replace(list);
      expect(nearShare(pool)).toBe(1);
      const fail = (endpoint: LiveEndpoint): void => {
        for (let n = 0; n < 5; n++) call(endpoint, 'failed');
      };
      pool.endpoints.slice(0, 2).forEach(fail);
      expect(nearShare(pool)).toBe(1);
      pool.endpoints.slice(2, 5).forEach(fail);
      expect(nearShare(pool)).toBeCloseTo(0.7, 2);
      pool.endpoints.slice(5, 8).forEach(fail);
      expect(nearShare(pool)).toBeCloseTo(0.28, 2);
      pool.endpoints.slice(8, 10).forEach(fail);
      expect(nearShare(pool)).toBe(0);
    },
  );

  test('the client says where it is, unless the service does', () => {
    const { pool } = poolOf({ balance: 'round-robin' }, 1, { region: 'us' });
    pool.replace(list);
    expect(nearShare(pool)).toBe(0);
  });

  test('a ring is the same from everywhere, unless near ones are asked for; what overflows depends on the key alone', () => {
    const anywhere = poolOf({ balance: 'consistent-hash' }, 1, { region: 'eu' }).pool;
    anywhere.replace(list);
    expect(nearShare(anywhere)).toBeLessThan(0.7);
    const near = [1, 2].map((seed) => {
      const { pool } = poolOf({ balance: 'consistent-hash', locality: 'near' }, seed, { region: 'eu' });
      pool.replace(list);
      for (const endpoint of pool.endpoints.slice(0, 5)) for (let n = 0; n < 5; n++) call(endpoint, 'failed');
      return Array.from({ length: 1000 }, (_, n) => pool.pick(`key ${n}`)?.name);
    });
    expect(near[0]).toEqual(near[1]);
  });

  test('one that was far and left out comes back without a probe, since nobody calls there', () => {
    const { pool, clock } = poolOf({ balance: 'round-robin', locality: { region: 'eu' } });
    pool.replace(list);
    const far = pool.endpoints[15] as LiveEndpoint;
    for (let n = 0; n < 5; n++) call(far, 'failed');
    expect(far.phase).toBe('out');
    clock.ms += 30_000;
    expect(nearShare(pool)).toBe(1);
    expect(far.phase).toBe('in');
  });
});

test('what a change costs grows with the list, not with its square', () => {
  const { pool } = poolOf({});
  const many = Array.from({ length: 60_000 }, (_, n) => instance(n));
  const began = performance.now();
  pool.replace(many);
  // Some tens of milliseconds. With the square it is many seconds.
  expect(performance.now() - began).toBeLessThan(3000);
  expect(pool.endpoints).toHaveLength(many.length);
});
