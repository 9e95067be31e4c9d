import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus } from '../../src/bus/port.ts';
import { openRedisBus } from '../../src/bus/redis.ts';
import { startCluster, type TestCluster } from '../support/redis-cluster.ts';
import { run } from '../support/redis-sentinel.ts';
import { Recorder, busContract, news, until, untilJoined } from './contract.ts';
import { Log } from './log.ts';

let redis: TestCluster;
let buses: Bus[] = [];
let logs: Log[] = [];

beforeAll(async () => {
  redis = await startCluster();
}, 60_000);
afterAll(() => redis.destroy());
afterEach(async () => {
  await Promise.all(buses.map((bus) => bus.close()));
  buses = [];
  logs = [];
});

async function pair(): Promise<[Bus, Bus, Recorder, string]> {
  const prefix = `test:${randomUUID()}`;
  for (let i = 0; i < 2; i++) {
    const log = new Log();
    logs.push(log);
    buses.push(openRedisBus({ url: redis.url, log, prefix }));
  }
  const [a, b] = buses as [Bus, Bus];
  await untilJoined([a, b]);
  return [a, b, new Recorder(b), `${prefix}:commits`];
}

busContract('a Redis cluster', async (count) => {
  const prefix = `test:${randomUUID()}`;
  const joined = Array.from({ length: count }, () => openRedisBus({ url: redis.url, log: new Log(), prefix }));
  await untilJoined(joined);
  return joined;
});

describe('a channel whose master changes', () => {
  /** Publishes until it is heard beyond a gap, as commits go on; answers how long that took. */
  async function timeToHear(from: Bus, at: Recorder, gaps: number): Promise<number> {
    const started = performance.now();
    let revision = Math.max(0, ...at.heard.map(({ to }) => to));
    await until(() => {
      from.publish(news(++revision));
      return at.gaps > gaps && at.heard.at(-1)?.to === revision - 1;
    });
    return performance.now() - started;
  }

  test('PUSH11: its slot is moved while messages flow: the subscription follows, and a gap is told', async () => {
    const [a, , atB, channel] = await pair();
    let revision = 0;
    let flowing = true;
    const writer = (async () => {
      for (; flowing; await sleep(5)) a.publish(news(++revision));
    })();
    await until(() => atB.heard.length > 10);
    const owner = await redis.ownerOf(channel);
    const other = await redis.otherThan(owner);
    const started = performance.now();
    await redis.moveSlotOf(channel, other);
    await until(() => atB.gaps === 1);
    const seen = atB.heard.length;
    await until(() => atB.heard.length > seen + 10);
    expect(performance.now() - started).toBeLessThan(5000);
    flowing = false;
    await writer;
    await until(() => atB.heard.at(-1)?.to === revision);
    const order = atB.heard.map(({ to }) => to);
    expect(order).toEqual(order.toSorted((x, y) => x - y));
    expect(await run(other, 'PUBSUB', 'SHARDNUMSUB', channel)).toEqual([channel, 2]);
    expect(await run(owner, 'PUBSUB', 'SHARDNUMSUB', channel)).toEqual([channel, 0]);
    await until(() => buses.every(({ state }) => state === 'here'));
  }, 40_000);

  test('PUSH11: its slot is moved while nobody publishes: the subscription follows all the same', async () => {
    const [a, , atB, channel] = await pair();
    await redis.moveSlotOf(channel, await redis.otherThan(await redis.ownerOf(channel)));
    await until(() => atB.gaps === 1);
    // The first one is lost: who publishes learns only then, or at the next check, that the slot has gone.
    await timeToHear(a, atB, 0);
    expect(atB.gaps).toBe(1);
  }, 40_000);

  test('PUSH11: its master is replaced by its replica on purpose', async () => {
    const [a, , atB, channel] = await pair();
    const owner = await redis.ownerOf(channel);
    const replica = await redis.replicaOf(owner);
    await run(replica, 'CLUSTER', 'FAILOVER');
    expect(await timeToHear(a, atB, 0)).toBeLessThan(10_000);
    expect((await redis.ownerOf(channel)).port).toBe(replica.port);
  }, 40_000);

  test('PUSH11: its master is killed', async () => {
    const [a, , atB, channel] = await pair();
    const owner = await redis.ownerOf(channel);
    const started = performance.now();
    await owner.kill();
    await timeToHear(a, atB, 0);
    const took = performance.now() - started;
    await owner.start();
    expect(took).toBeLessThan(10_000);
    await until(() => buses.every(({ state }) => state === 'here'));
    for (const { infos, warnings } of logs) expect([infos.length, warnings.length]).toEqual([1, 1]);
  }, 40_000);
});
