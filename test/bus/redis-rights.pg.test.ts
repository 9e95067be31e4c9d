import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import type { Bus } from '../../src/bus/port.ts';
import { openRedisBus } from '../../src/bus/redis.ts';
import { openRedisLeases } from '../../src/leases/redis.ts';
import { startRedis, type PrivateRedis } from '../support/redis.ts';
import { news, Recorder, until, untilJoined } from './contract.ts';

let redis: PrivateRedis;
let admin: Redis;
let url: string;
beforeAll(async () => {
  redis = await startRedis();
  admin = new Redis(redis.url);
  const rights = /^ACL (SETUSER signalbox .*)$/m.exec(readFileSync('docs/operations.md', 'utf8'))?.[1] ?? '';
  await admin.call('ACL', ...rights.replace('>PASSWORD', '>secret').split(' '));
  url = redis.url.replace(/\/\/[^@]*@/, '//signalbox:secret@');
});
afterAll(async () => {
  admin.disconnect();
  await redis.destroy();
});

test('the rights in docs/operations.md are enough for the bus', async () => {
  const log = { info: () => {}, warn: (...words: unknown[]) => void warnings.push(words) };
  const warnings: unknown[] = [];
  const buses = [openRedisBus({ url, log }), openRedisBus({ url, log })];
  try {
    await untilJoined(buses);
    const recorder = new Recorder(buses[1] as Bus);
    buses[0]?.publish(news(1));
    await until(() => recorder.heard.length > 0);
    expect(warnings).toEqual([]);
  } finally {
    await Promise.all(buses.map((bus) => bus.close()));
  }
});

test('and for the leases', async () => {
  const leases = openRedisLeases({ url, prefix: 'signalbox', now: () => performance.now() });
  const lost: unknown[] = [];
  leases.listen({ onAway: (error) => lost.push(error), onBack: () => {}, onLost: () => {} });
  try {
    await leases.renew([{ key: 'a', age: 0 }]);
    await leases.note([{ key: 'a', note: 'failed' }]);
    expect(await leases.read(['a', 'b'])).toEqual([
      { age: expect.any(Number), note: 'failed', since: expect.any(Number) },
      { age: undefined, note: undefined, since: expect.any(Number) },
    ]);
    await leases.forget(['a']);
    await leases.sweep(60_000);
    expect(lost).toEqual([]);
  } finally {
    await leases.close();
  }
});

const asked = (command: string): Promise<unknown> => admin.call('ACL', 'DRYRUN', 'signalbox', ...command.split(' '));

test.each([
  'info server',
  'time',
  'cluster nodes',
  'cluster keyslot signalbox:commits',
  'spublish signalbox:commits x',
  'ssubscribe signalbox:commits',
  'evalsha 0 1 signalbox:{lease-1}:heard',
  'zadd signalbox:{lease-1}:heard 1 x',
  'hset signalbox:{lease-1}:notes x y',
  'pexpire signalbox:{lease-1}:heard 1',
])('and for %s', async (command) => {
  expect(await asked(command)).toBe('OK');
});

test.each(['publish other x', 'subscribe other', 'get other', 'set other x', 'flushall', 'keys *', 'config get *'])(
  'but not for %s',
  async (command) => {
    expect(await asked(command)).not.toBe('OK');
  },
);
