import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { Bus } from '../../src/bus/port.ts';
import { openRedisBus } from '../../src/bus/redis.ts';
import { run, startSentinel, type TestSentinel } from '../support/redis-sentinel.ts';
import { Recorder, busContract, news, until, untilJoined } from './contract.ts';
import { Log } from './log.ts';

let redis: TestSentinel;
let buses: Bus[] = [];
let logs: Log[] = [];

beforeAll(async () => {
  redis = await startSentinel();
}, 60_000);
afterAll(() => redis.destroy());
afterEach(async () => {
  await Promise.all(buses.map((bus) => bus.close()));
  buses = [];
  logs = [];
});

function open(prefix: string): Bus {
  const log = new Log();
  const bus = openRedisBus({ url: redis.url, log, prefix });
  buses.push(bus);
  logs.push(log);
  return bus;
}

async function pair(): Promise<[Bus, Bus, Recorder]> {
  const prefix = `test:${randomUUID()}`;
  const [a, b] = [open(prefix), open(prefix)];
  await untilJoined([a, b]);
  return [a, b, new Recorder(b)];
}

busContract('Redis with Sentinels', async (count) => {
  const prefix = `test:${randomUUID()}`;
  const joined = Array.from({ length: count }, () => openRedisBus({ url: redis.url, log: new Log(), prefix }));
  await untilJoined(joined);
  return joined;
});

describe('a master that changes', () => {
  /** Announces until it arrives, as commits would, and answers how long that took. */
  async function timeToHear(from: Bus, at: Recorder): Promise<number> {
    const started = performance.now();
    const revision = Math.max(0, ...at.heard.map(({ to }) => to)) + 1;
    await until(() => {
      from.publish(news(revision));
      return at.heard.some(({ to }) => to === revision);
    });
    return performance.now() - started;
  }

  test('PUSH11: a failover on purpose: the subscription is at the new master, and a gap was told', async () => {
    const [a, , atB] = await pair();
    const old = await redis.master();
    await redis.failover();
    await until(() => atB.gaps > 0);
    await timeToHear(a, atB);
    // Whoever had stayed behind would hear what is said there.
    await until(() => buses.every(({ state }) => state === 'here'));
    const names = String(await run(old, 'CLIENT', 'LIST'));
    expect(names).not.toContain('signalbox-');
  }, 40_000);

  test('PUSH11: the master is killed: announcements flow again, and a gap was told', async () => {
    const [a, , atB] = await pair();
    const old = await redis.master();
    const started = performance.now();
    await old.kill();
    await until(() => atB.gaps > 0);
    await timeToHear(a, atB);
    const took = performance.now() - started;
    await old.start();
    expect(took).toBeLessThan(10_000);
    await until(() => buses.every(({ state }) => state === 'here'));
    for (const { infos, warnings } of logs) expect([infos.length, warnings.length]).toEqual([1, 1]);
  }, 40_000);

  test('PUSH11: the master stands still until it was replaced, and comes back as a replica', async () => {
    const [a, b, atB] = await pair();
    const old = await redis.master();
    const started = performance.now();
    old.pause();
    try {
      await redis.untilReplaced(old);
      await until(() => atB.gaps > 0);
      await timeToHear(a, atB);
      expect(performance.now() - started).toBeLessThan(12_000);
    } finally {
      old.resume();
    }
    const gaps = atB.gaps;
    await until(() => a.state === 'here' && b.state === 'here');
    await timeToHear(a, atB);
    expect(atB.gaps).toBe(gaps);
  }, 60_000);
});

test('Sentinels that ask for a password, and a password that nobody takes, which is not logged', async () => {
  const other = await startSentinel({ withPassword: true });
  try {
    const log = new Log();
    const bus = openRedisBus({ url: other.url, log });
    buses.push(bus);
    await until(() => bus.state === 'here');
    expect(log.warnings).toEqual([]);
    const wrong = openRedisBus({ url: other.url.replace(/:\w+@/u, ':not-the-secret@'), log });
    buses.push(wrong);
    await until(() => log.warnings.length > 0);
    expect(wrong.state).toBe('away');
    expect(log.warnings).toEqual([expect.stringMatching(/WRONGPASS|NOAUTH/u)]);
    expect(log.warnings.join()).not.toContain('not-the-secret');
  } finally {
    await other.destroy();
  }
}, 60_000);
