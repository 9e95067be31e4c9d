import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { LeasesAway, type Leases } from '../../src/leases/port.ts';
import { openRedisLeases } from '../../src/leases/redis.ts';
import { until } from '../bus/contract.ts';
import { startSentinel, type TestSentinel } from '../support/redis-sentinel.ts';
import { leasesContract } from './contract.ts';

const open = (url: string, prefix = 'test'): Leases => openRedisLeases({ url, prefix, now: () => performance.now() });

leasesContract('Redis with Sentinels', async () => {
  const redis = await startSentinel();
  return {
    prefixes: true,
    losesAll: false,
    open: (prefix) => Promise.resolve(open(redis.url, prefix)),
    goAway: () => Promise.resolve(redis.servers.forEach((server) => server.pause())),
    comeBack: () => Promise.resolve(redis.servers.forEach((server) => server.resume())),
    lose: () => redis.failover(),
    dispose: () => redis.destroy(),
  };
});

describe('leases whose master changes', () => {
  let redis: TestSentinel;
  let leases: Leases;
  let events: string[];
  beforeAll(async () => {
    redis = await startSentinel();
  }, 60_000);
  afterAll(async () => {
    await leases.close();
    await redis.destroy();
  });
  beforeEach(async () => {
    await leases?.close();
    leases = open(redis.url);
    events = [];
    leases.listen({
      onAway: () => events.push('away'),
      onBack: () => events.push('back'),
      onLost: (reason) => events.push(reason),
    });
  });

  /** Renews until it is accepted; answers how long that took. */
  async function timeToRenew(): Promise<number> {
    const started = performance.now();
    for (;;) {
      try {
        await leases.renew([{ key: 'a:1', age: 0 }]);
        return performance.now() - started;
      } catch (error) {
        if (!(error instanceof LeasesAway)) throw error;
        expect(performance.now() - started).toBeLessThan(15_000);
        await sleep(20);
      }
    }
  }

  test('INS3 the master is killed: the replica in its place is another Redis, whatever it knows', async () => {
    await leases.renew([{ key: 'a:1', age: 0 }]);
    const old = await redis.master();
    await old.kill();
    await until(() => events.includes('away'));
    expect(await timeToRenew()).toBeLessThan(10_000);
    await old.start();
    expect(events).toEqual(['away', 'back', expect.stringContaining('another Redis')]);
  }, 40_000);

  test('INS3 the master stands still past its replacement: nothing is renewed at the old one', async () => {
    await leases.renew([{ key: 'a:1', age: 0 }]);
    const old = await redis.master();
    old.pause();
    try {
      await redis.untilReplaced(old);
      await until(() => events.length === 3);
      await timeToRenew();
    } finally {
      old.resume();
    }
    const replacement = await redis.master();
    await sleep(3000);
    // Or the Sentinels have found another one meanwhile, which is another story.
    expect((await redis.master()).port).toBe(replacement.port);
    expect((await leases.read(['a:1']))[0]?.age).toBeGreaterThanOrEqual(2900);
    expect(events).toEqual(['away', 'back', expect.stringContaining('another Redis')]);
  }, 40_000);
});
