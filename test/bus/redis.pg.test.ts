import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Redis } from 'ioredis';
import type { Bus } from '../../src/bus/port.ts';
import { openRedisBus } from '../../src/bus/redis.ts';
import { BUS_PROTOCOL, encodeAnnouncement } from '../../src/bus/wire.ts';
import { startProxy } from '../support/half-open.ts';
import { type PrivateRedis, type TestRedis, openRedis, startRedis } from '../support/redis.ts';
import { Recorder, busContract, entry, news, until, untilJoined } from './contract.ts';
import { Log } from './log.ts';

describe('on some Redis', () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await openRedis();
  });
  afterAll(() => redis.destroy());

  busContract('Redis', async (count) => {
    const prefix = `test:${randomUUID()}`;
    const buses = Array.from({ length: count }, () => openRedisBus({ url: redis.url, log: new Log(), prefix }));
    await untilJoined(buses);
    return buses;
  });
});

describe('a Redis that comes and goes', () => {
  let redis: PrivateRedis;
  let buses: Bus[];
  let logs: Log[];

  beforeEach(async () => {
    redis = await startRedis();
    buses = [];
    logs = [];
  });
  afterEach(async () => {
    await Promise.all(buses.map((bus) => bus.close()));
    await redis.destroy();
  });

  function open(): Bus {
    const log = new Log();
    const bus = openRedisBus({ url: redis.url, log });
    buses.push(bus);
    logs.push(log);
    return bus;
  }

  async function pair(): Promise<[Bus, Bus, Recorder]> {
    const [a, b] = [open(), open()];
    await untilJoined([a, b]);
    return [a, b, new Recorder(b)];
  }

  test('PUSH11: killed and started again, it says that there is a gap and delivers again', async () => {
    const [a, b, atB] = await pair();
    await redis.kill();
    a.publish(news(1));
    // Several attempts to connect fail in this time.
    await sleep(500);
    await redis.start();
    await until(() => atB.gaps === 1);
    await untilJoined([a, b]);
    a.publish(news(2));
    await until(() => atB.heard.length > 0);
    expect(atB.heard).toEqual([news(2)]);
    expect(atB.gaps).toBe(1);
    await until(() => logs.every(({ infos }) => infos.length > 0));
    for (const { infos, warnings } of logs) {
      expect(infos).toEqual([expect.stringContaining('Redis is back')]);
      expect(warnings).toEqual([expect.stringContaining('Redis is away')]);
    }
  });

  test('PUSH11: a subscription that alone was cut off is made again, with a gap', async () => {
    const [a, , atB] = await pair();
    const admin = new Redis(redis.url);
    try {
      await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await until(() => atB.gaps === 1);
      a.publish(news(1));
      await until(() => atB.heard.length === 1);
    } finally {
      admin.disconnect();
    }
  });

  test('PUSH11: all connections are killed at once', async () => {
    const [a, b, atB] = await pair();
    const admin = new Redis(redis.url);
    try {
      await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await until(() => atB.gaps === 1);
      await until(() => a.state === 'here' && b.state === 'here');
      a.publish(news(1));
      await until(() => atB.heard.length === 1);
    } finally {
      admin.disconnect();
    }
  });

  test.each(['to', 'from'] as const)(
    'PUSH11: a link that loses what goes %s Redis is found within 5 s',
    async (way) => {
      const [a] = [open()];
      const proxy = await startProxy(redis.port);
      const log = new Log();
      const bus = openRedisBus({ url: redis.url.replace(/\d+$/u, String(proxy.port)), log });
      try {
        await untilJoined([a, bus]);
        const atBus = new Recorder(bus);
        proxy.lost = way;
        const started = performance.now();
        await until(() => bus.state === 'away', 8000);
        expect(performance.now() - started).toBeLessThan(5000);
        expect(atBus.gaps).toBe(0);
        proxy.lost = undefined;
        await until(() => bus.state === 'here' && atBus.gaps === 1);
        a.publish(news(1));
        await until(() => atBus.heard.length === 1);
        expect([log.infos.length, log.warnings.length]).toEqual([1, 1]);
      } finally {
        await bus.close();
        await proxy.close();
      }
    },
  );

  test('PUSH11: a server that keeps its connections and answers nobody is found within 5 s, however quiet it is', async () => {
    const [a, b] = await pair();
    expect([a.state, b.state]).toEqual(['here', 'here']);
    const started = performance.now();
    redis.pause();
    try {
      await until(() => a.state === 'away' && b.state === 'away', 8000);
      expect(performance.now() - started).toBeLessThan(5000);
    } finally {
      redis.resume();
    }
    await until(() => a.state === 'here' && b.state === 'here');
    await until(() => logs.every(({ infos }) => infos.length === 1));
    expect(logs.map(({ warnings }) => warnings.length)).toEqual([1, 1]);
  });

  test('PUSH11: a server that stops writing for a while, as CLIENT PAUSE makes it, loses nothing but time', async () => {
    const [a, b, atB] = await pair();
    const admin = new Redis(redis.url);
    try {
      await admin.call('CLIENT', 'PAUSE', '1500', 'ALL');
      a.publish(news(1));
      await until(() => atB.heard.length === 1);
      expect([a.state, b.state]).toEqual(['here', 'here']);
      expect(logs.flatMap(({ warnings }) => warnings)).toEqual([]);
    } finally {
      admin.disconnect();
    }
  });

  test('starts without Redis and finds it later', async () => {
    await redis.stop();
    const [a, b] = [open(), open()];
    const atB = new Recorder(b);
    a.publish(news(1));
    await sleep(500);
    expect(atB.gaps).toBe(0);
    expect(logs.map(({ warnings }) => warnings.length)).toEqual([1, 1]);
    await redis.start();
    await untilJoined([a, b]);
    // What was announced before the subscription was missed.
    expect(atB.gaps).toBe(1);
    a.publish(news(2));
    await until(() => atB.heard.length > 0);
    expect(atB.heard).toEqual([news(2)]);
  });

  test('keeps nothing of what is published while Redis is away', async () => {
    const [a, b, atB] = await pair();
    await redis.kill();
    await until(() => logs.every(({ warnings }) => warnings.length > 0));
    expect(await growth(() => publishMuch(a))).toBeLessThan(16);
    await redis.start();
    await untilJoined([a, b]);
    expect(atB.heard).toEqual([]);
  });

  test('keeps little of what is published while Redis does not answer', async () => {
    const [a, b, atB] = await pair();
    redis.pause();
    try {
      expect(await growth(() => publishMuch(a))).toBeLessThan(32);
      expect(logs[0]?.warnings).toEqual([expect.stringContaining('does not confirm')]);
    } finally {
      redis.resume();
    }
    await untilJoined([a, b]);
    a.publish(news(7));
    await until(() => atB.heard.at(-1)?.to === 7);
    expect(logs[0]?.infos).toHaveLength(1);
  });

  test.each(['away', 'stalled'])('closes in bounded time while Redis is %s', async (state) => {
    const [a, b] = await pair();
    if (state === 'away') await redis.kill();
    else redis.pause();
    await sleep(100);
    const started = performance.now();
    await Promise.all([a.close(), b.close()]);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  test('what was published before the end of close goes out', async () => {
    const [a, , atB] = await pair();
    a.publish({ ...news(1), entries: [entry(1)] });
    await a.close();
    await until(() => atB.heard.length === 1);
  });

  test('what cannot be read is a gap', async () => {
    const [a, , atB] = await pair();
    const message = encodeAnnouncement('someone', { ...news(1), entries: [entry(1)] });
    const unreadable: (string | Buffer)[] = [
      '',
      'garbage',
      Buffer.from([0xff, 0x00, 0xc3, 0x28]),
      '{}',
      `${BUS_PROTOCOL} someone `,
      `${BUS_PROTOCOL} someone null`,
      `${BUS_PROTOCOL} someone {"epoch":"e","from":1}`,
      `${BUS_PROTOCOL} someone {"epoch":"e","from":"1","to":1}`,
      `${BUS_PROTOCOL} someone {"epoch":"e","from":1,"to":1,"entries":{}}`,
      `${BUS_PROTOCOL} someone {"epoch":"e","from":1,"to":1,"entries":[null]}`,
      message.slice(0, -1),
      message.replace('regions/us-east', 'regions/../x'),
      message.replace('"changes":[', '"changes":[7,'),
      message.replace(/^\d+/u, String(BUS_PROTOCOL + 1)),
    ];
    const admin = new Redis(redis.url);
    try {
      for (const [index, each] of unreadable.entries()) {
        await admin.publish('signalbox:commits', each);
        await until(() => atB.gaps === index + 1);
      }
      await admin.publish('signalbox:commits', message);
      await until(() => atB.heard.length === 1);
    } finally {
      admin.disconnect();
    }
    a.publish(news(2));
    await until(() => atB.heard.length === 2);
    expect(atB.gaps).toBe(unreadable.length);
    // Once, however many they are.
    expect(logs[1]?.warnings).toEqual([expect.stringContaining('unreadable')]);
  });

  test('a refused password is logged without the password', async () => {
    const log = new Log();
    const url = redis.url.replace(/:\w+@/u, ':not-the-secret@');
    const bus = openRedisBus({ url, log });
    buses.push(bus);
    await until(() => log.warnings.length > 0);
    await sleep(500);
    expect(log.warnings).toEqual([expect.stringContaining('WRONGPASS')]);
    expect(log.warnings.join()).not.toContain('not-the-secret');
  });
});

/** About 80 MB, were it kept. */
function publishMuch(bus: Bus): void {
  for (let i = 1; i <= 2000; i++) bus.publish({ ...news(i), entries: [entry(i, `${i}${'x'.repeat(20_000)}`)] });
}

/** Megabytes that are held afterwards and were not before. */
async function growth(work: () => void): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const held = (): number => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return (heapUsed + external) / 2 ** 20;
  };
  const before = held();
  work();
  await sleep(100);
  return held() - before;
}
