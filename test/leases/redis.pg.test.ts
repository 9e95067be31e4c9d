import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { LeasesAway, type Leases } from '../../src/leases/port.ts';
import { openRedisLeases } from '../../src/leases/redis.ts';
import { until } from '../bus/contract.ts';
import { type PrivateRedis, startRedis } from '../support/redis.ts';
import { leasesContract } from './contract.ts';

const open = (url: string, prefix = 'test'): Leases => openRedisLeases({ url, prefix, now: () => performance.now() });

leasesContract('Redis', async () => {
  const redis = await startRedis();
  return {
    prefixes: true,
    losesAll: true,
    open: (prefix) => Promise.resolve(open(redis.url, prefix)),
    goAway: () => redis.kill(),
    comeBack: () => redis.start(),
    lose: async () => {
      await redis.kill();
      await redis.start();
    },
    dispose: () => redis.destroy(),
  };
});

describe('leases in a Redis that is troubled', () => {
  let redis: PrivateRedis;
  let leases: Leases;
  let events: string[];
  let clock: number;
  let admin: Redis;

  beforeEach(async () => {
    redis = await startRedis();
    clock = 0;
    leases = openRedisLeases({ url: redis.url, prefix: 'test', now: () => performance.now() + clock });
    events = [];
    leases.listen({
      onAway: () => events.push('away'),
      onBack: () => events.push('back'),
      onLost: (reason) => events.push(reason),
    });
    await leases.renew([{ key: 'a:1', age: 1000 }]);
    admin = new Redis(redis.url);
  });
  afterEach(async () => {
    admin.disconnect();
    await leases.close();
    await redis.destroy();
  });

  const ageOf = async (key: string): Promise<number | undefined> => (await leases.read([key]))[0]?.age;

  test('INS3 killed and started again: what it knew is lost, and everybody hears it before they read', async () => {
    admin.disconnect();
    await redis.kill();
    await until(() => events.includes('away'));
    await redis.start();
    await until(() => events.includes('back'));
    expect(await ageOf('a:1')).toBeUndefined();
    expect(events).toEqual(['away', 'back', expect.stringContaining('another Redis')]);
  });

  test('INS3 emptied behind our back: that is told before an answer, once', async () => {
    await admin.flushall();
    expect(await ageOf('a:1')).toBeUndefined();
    expect(events).toEqual(['Redis has forgotten leases']);
    await sleep(200);
    const keys = Array.from({ length: 100 }, (_, i) => `b:${i}`);
    await leases.read(keys);
    expect(events).toHaveLength(1);
    await admin.flushall();
    await leases.renew([{ key: 'b:7', age: 0 }]);
    expect(events).toHaveLength(2);
  });

  test('INS3 its clock was set: that is told before an answer, and small differences are none', async () => {
    clock += 700;
    await leases.read(['a:1']);
    clock -= 700;
    await leases.read(['a:1']);
    expect(events).toEqual([]);
    clock -= 5000;
    await leases.read(['a:1']);
    expect(events).toEqual(['the clock of Redis was set']);
    clock += 3_600_000;
    await leases.read(['a:1']);
    expect(events).toHaveLength(2);
  });

  test('what was heard in the future, by the clock of another server, is not heard of until then', async () => {
    await leases.renew([{ key: 'f:1', age: 0 }]);
    const keys = (await admin.keys('test:*:heard')).filter((key) => key.startsWith('test:'));
    for (const key of keys) {
      if ((await admin.zscore(key, 'f:1')) !== null) await admin.zadd(key, Date.now() + 3_600_000, 'f:1');
    }
    expect(await ageOf('f:1')).toBe(0);
    await sleep(50);
    const age = await ageOf('f:1');
    expect(age).toBeGreaterThanOrEqual(40);
    expect(age).toBeLessThan(5000);
  });

  test('INS3 connections that are killed cost a moment, and nothing is lost', async () => {
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await until(() => events.includes('back'));
    expect(await ageOf('a:1')).toBeGreaterThanOrEqual(1000);
    expect(events).toEqual(['away', 'back']);
  });

  test.each(['CLIENT PAUSE', 'SIGSTOP'])(
    'INS3 a server that does not answer (%s) is away within seconds, and nothing is lost',
    async (how) => {
      if (how === 'SIGSTOP') redis.pause();
      else await admin.call('CLIENT', 'PAUSE', '6000', 'ALL');
      const started = performance.now();
      await expect(leases.renew([{ key: 'a:1', age: 0 }])).rejects.toThrow(LeasesAway);
      expect(performance.now() - started).toBeLessThan(4000);
      expect(events).toEqual(['away']);
      // From now on it is refused at once.
      const refused = expect(leases.read(['a:1'])).rejects.toThrow(LeasesAway);
      expect(await Promise.race([refused, nextTurn('asked')])).toBeUndefined();
      if (how === 'SIGSTOP') redis.resume();
      await until(() => events.includes('back'));
      expect(await ageOf('a:1')).toBeDefined();
      expect(events).toEqual(['away', 'back']);
      admin.disconnect();
    },
  );

  test('INS3 the same process, which was the replica of another in between, is told apart', async () => {
    const other = await startRedis({ password: redis.password, lines: [`masterauth ${redis.password}`] });
    const admin2 = new Redis(other.url);
    const linked = async (replica: Redis): Promise<void> => {
      while (!(await replica.info('replication')).includes('master_link_status:up')) await sleep(20);
    };
    try {
      await admin.config('SET', 'masterauth', redis.password);
      await admin.config('SET', 'repl-diskless-sync-delay', '0');
      await admin2.config('SET', 'repl-diskless-sync-delay', '0');
      await admin2.replicaof('127.0.0.1', redis.port);
      await linked(admin2);
      // It has got its first replica, and for that a new name.
      await leases.read(['a:1']);
      await leases.read(['a:1']);
      events.length = 0;
      await admin2.replicaof('NO', 'ONE');
      await admin.replicaof('127.0.0.1', other.port);
      await linked(admin);
      await admin.replicaof('NO', 'ONE');
      await until(() => !events.includes('away') || events.includes('back'));
      expect(await ageOf('a:1')).toBeGreaterThanOrEqual(1000);
      expect(events.filter((event) => event !== 'away' && event !== 'back')).toEqual([
        expect.stringContaining('another Redis'),
      ]);
    } finally {
      admin2.disconnect();
      await other.destroy();
    }
  });

  test('a server that may not be written to answers nothing at all', async () => {
    await admin.config('SET', 'min-replicas-to-write', '1');
    await expect(leases.read(['a:1'])).rejects.toThrow(LeasesAway);
    expect(events).toEqual(['away']);
    await admin.config('SET', 'min-replicas-to-write', '0');
    await until(() => events.includes('back'));
    expect(events).toEqual(['away', 'back']);
  });

  test('its scripts can be forgotten, and its keys end by themselves', async () => {
    await leases.note([{ key: 'a:1', note: 'f1' }]);
    await admin.script('FLUSH');
    expect(await leases.read(['a:1'])).toEqual([{ age: expect.any(Number), note: 'f1', since: expect.any(Number) }]);
    expect(events).toEqual([]);
    for (const key of await admin.keys('*')) {
      expect(key).toMatch(/^test:\{lease-\d+\}:(?:heard|notes)$/u);
      const ttl = await admin.pttl(key);
      expect(ttl).toBeGreaterThan(29 * 24 * 3600 * 1000);
      expect(ttl).toBeLessThanOrEqual(30 * 24 * 3600 * 1000);
    }
  });
});
