import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { LeasesAway, type Leases } from '../../src/leases/port.ts';
import { openRedisLeases } from '../../src/leases/redis.ts';
import { shardOf } from '../../src/leases/shard-of.ts';
import { until } from '../bus/contract.ts';
import { startCluster, type TestCluster } from '../support/redis-cluster.ts';
import { run } from '../support/redis-sentinel.ts';
import { leasesContract } from './contract.ts';

const open = (url: string, prefix = 'test'): Leases => openRedisLeases({ url, prefix, now: () => performance.now() });
const heardOf = (key: string): string => `test:{lease-${shardOf(key)}}:heard`;

leasesContract('a Redis cluster', async () => {
  const redis = await startCluster();
  return {
    prefixes: true,
    losesAll: false,
    open: (prefix) => Promise.resolve(open(redis.url, prefix)),
    goAway: () => Promise.resolve(redis.servers.forEach((server) => server.pause())),
    comeBack: () => Promise.resolve(redis.servers.forEach((server) => server.resume())),
    lose: async () => {
      const owner = await redis.ownerOf(heardOf('lost:a'));
      await run(await redis.replicaOf(owner), 'CLUSTER', 'FAILOVER');
      // Until then it goes on as the master that it was, and nothing is lost.
      while ((await redis.ownerOf(heardOf('lost:a'))) === owner) await sleep(20);
    },
    dispose: () => redis.destroy(),
  };
});

describe('leases in a cluster that changes', () => {
  let redis: TestCluster;
  let leases: Leases;
  let events: string[];
  const keys = Array.from({ length: 200 }, (_, i) => `a:${i}`);
  beforeAll(async () => {
    redis = await startCluster();
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
    await leases.renew(keys.map((key) => ({ key, age: 0 })));
  });

  async function timeToRenew(): Promise<number> {
    const started = performance.now();
    for (;;) {
      try {
        await leases.renew(keys.map((key) => ({ key, age: 0 })));
        return performance.now() - started;
      } catch (error) {
        if (!(error instanceof LeasesAway)) throw error;
        expect(performance.now() - started).toBeLessThan(15_000);
        await sleep(20);
      }
    }
  }

  test('INS3 a slot is moved with its leases: they are found, and are those of another server', async () => {
    const key = heardOf('a:1');
    await leases.note([{ key: 'a:1', note: 'f2' }]);
    await redis.moveSlotOf(key, await redis.otherThan(await redis.ownerOf(key)));
    await timeToRenew();
    expect(await leases.read(['a:1'])).toEqual([{ age: expect.any(Number), note: 'f2', since: expect.any(Number) }]);
    expect(events).toEqual(['away', 'back', expect.stringContaining('another Redis')]);
  }, 40_000);

  test('a slot that is about to move keeps nobody from renewing', async () => {
    const key = heardOf('a:2');
    const owner = await redis.ownerOf(key);
    const other = await redis.otherThan(owner);
    const slot = Number(await run(owner, 'CLUSTER', 'KEYSLOT', key));
    const id = String(await run(other, 'CLUSTER', 'MYID'));
    await run(owner, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', id);
    await leases.renew(keys.map((each) => ({ key: each, age: 0 })));
    expect((await leases.read(['a:2']))[0]?.age).toBeLessThan(1000);
    await run(owner, 'CLUSTER', 'SETSLOT', slot, 'STABLE');
    expect(events).toEqual([]);
  });

  test('INS3 one of the masters is killed: it is one outage, and one loss', async () => {
    const owner = await redis.ownerOf(heardOf('a:1'));
    await owner.kill();
    await until(() => events.includes('away'));
    expect(await timeToRenew()).toBeLessThan(10_000);
    await owner.start();
    expect(await leases.read(keys)).toHaveLength(keys.length);
    expect(events).toEqual(['away', 'back', expect.stringContaining('another Redis')]);
  }, 40_000);
});
