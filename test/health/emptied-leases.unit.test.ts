import { expect, test } from '@jest/globals';
import { detectionBoundMs } from '../../src/domain/instances/check.ts';
import { SLACK_MS } from '../../src/health/lease.ts';
import { TICK_MS } from '../../src/health/moment.ts';
import { Bench, TTL } from './bench.ts';

const CRITICAL_FIRST = { ...TTL, initialStatus: 'critical' } as const;

async function untilCritical(b: Bench, id: string): Promise<void> {
  while (b.get(id)?.status !== 'critical') await b.run(TICK_MS);
}

/** The node is killed, and its next process has what the node had, some time after it began. */
async function nextProcess(b: Bench): Promise<void> {
  const killedAt = b.now;
  await b.kill();
  await b.run(1500);
  b.startAgain();
  await b.run(2500);
  b.change(true, killedAt);
}

/** The server of the leases comes back with nothing. */
async function empty(b: Bench): Promise<void> {
  b.server.lose();
  b.server.comeBack();
  await b.run(TICK_MS);
}

test('INS1 what an emptied server of leases knew, whoever has it tells it again: its next process goes by that', async () => {
  const b = new Bench();
  const id = b.register(1, TTL);
  await b.renewElsewhere(id);
  // It is asked about, and dead from here on.
  await b.run(9000);
  await b.renewElsewhere(id);
  await b.run(3000);
  await empty(b);
  const emptiedAt = b.now;
  await b.run(7500);
  await nextProcess(b);
  await untilCritical(b, id);
  // It ran out when nobody was there, and is given up by whoever comes.
  expect(b.now - emptiedAt).toBeLessThanOrEqual(7500 + 1500 + 2500 + 2 * TICK_MS);
  expect(b.now - emptiedAt).toBeGreaterThanOrEqual(10_000);
});

test('INS3 what was heard after what is told again, and is lost, counts until the server began with nothing', async () => {
  const b = new Bench();
  const id = b.register(1, TTL);
  await b.run(9000);
  // Another node has heard it, and nobody has asked.
  await b.renewElsewhere(id);
  await b.run(100);
  await empty(b);
  const emptiedAt = b.now;
  expect((await b.other.read([`${id}:${b.get(id)?.generation}`]))[0]?.age).toBeGreaterThanOrEqual(9000);
  await nextProcess(b);
  await untilCritical(b, id);
  expect(b.now - emptiedAt).toBeGreaterThanOrEqual(10_000 + SLACK_MS);
  expect(b.now - emptiedAt).toBeLessThanOrEqual(detectionBoundMs(TTL));
});

test('INS1 INS3 of what nobody knows anything about nothing was heard since this process began', async () => {
  const b = new Bench();
  const id = b.register(1, TTL);
  await b.kill();
  b.startAgain();
  const beganAt = b.now;
  await b.run(8000);
  b.change(true, b.now - 1000);
  await untilCritical(b, id);
  expect(b.now - beganAt).toBeGreaterThanOrEqual(10_000 + SLACK_MS);
  expect(b.now - beganAt).toBeLessThanOrEqual(detectionBoundMs(TTL));
});

test('INS3 what was known of nobody is no sign of life: who begins critical stays so, however often the server is emptied', async () => {
  const b = new Bench();
  const id = b.register(1, CRITICAL_FIRST);
  for (let i = 0; i < 3; i++) {
    await b.run(3000);
    await empty(b);
  }
  await b.run(3000);
  expect((await b.other.read([`${id}:${b.get(id)?.generation}`]))[0]?.age).toBeUndefined();
  await nextProcess(b);
  await b.run(3000);
  expect([b.get(id)?.status, b.commands]).toEqual(['critical', []]);
  // Its first renewal is one.
  await b.renewElsewhere(id);
  await b.run(1300);
  expect(b.get(id)?.status).toBe('passing');
});

test('what cannot be told again stays to be told, one call at a time, and only by whoever has it', async () => {
  const b = new Bench();
  const ids = Array.from({ length: 2500 }, (_, n) => b.register(n, TTL));
  await b.run(5000);
  const key = (id: string): string => `${id}:${b.get(id)?.generation}`;
  const told = async (): Promise<number> =>
    (await b.other.read(ids.map(key))).filter(({ age }) => age !== undefined).length;
  await empty(b);
  expect(await told()).toBe(1000);
  b.server.failing = 'away';
  await b.run(2000);
  b.server.comeBack();
  expect(await told()).toBe(1000);
  await b.run(2 * TICK_MS);
  expect(await told()).toBe(2500);
  b.change(false);
  await empty(b);
  await b.run(1000);
  expect(await told()).toBe(0);
});
