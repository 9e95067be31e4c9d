import { afterEach, describe, expect, test } from '@jest/globals';
import { readAssault, DEFAULTS, type MemoryAssault } from '../../src/kit/chaos/assaults.ts';
import { Ballast } from '../../src/kit/chaos/ballast.ts';
import { Chaos, type ChaosDeps } from '../../src/kit/chaos/chaos.ts';
import { whyNoChaos } from '../../src/kit/chaos/permission.ts';
import { OWN_HEALTH, startFastify, STARTS, type Running } from './apps.ts';
import { FakeTimers } from './fake-timers.ts';

const ON = { enabled: true, bypass: false, level: 1 };

let running: Running | undefined;
afterEach(() => running?.close());

describe('where it is allowed', () => {
  test.each<[option: boolean | undefined, env: Record<string, string>, allowed: boolean]>([
    [undefined, {}, true],
    [undefined, { NODE_ENV: 'test' }, true],
    [undefined, { NODE_ENV: 'production' }, false],
    [true, { NODE_ENV: 'production' }, true],
    [undefined, { NODE_ENV: 'production', SIGNALBOX_CHAOS: 'on' }, true],
    [false, {}, false],
    [false, { SIGNALBOX_CHAOS: 'on' }, false],
    [true, { SIGNALBOX_CHAOS: 'off' }, false],
    [true, { SIGNALBOX_CHAOS: 'OFF' }, false],
    [true, { SIGNALBOX_CHAOS: 'perhaps' }, false],
    [undefined, { SIGNALBOX_CHAOS: '' }, true],
  ])('option %p with %p: %p', (option, env, allowed) => {
    expect(whyNoChaos(option, env) === undefined).toBe(allowed);
  });

  test.each(STARTS)(
    'over %s: where it is forbidden nothing turns it on, and the answer says why',
    async (_name, start) => {
      running = await start({ guard: 'development', chaos: false });
      const answer = await running.ask('/adm/chaosmonkey/exception', { json: ON });
      expect([answer.status, ((await answer.json()) as { detail: string }).detail]).toEqual([
        403,
        'Chaos is forbidden here: the option chaos is false.',
      ]);
      expect((await running.ask('/orders')).status).toBe(200);
      expect((await running.ask('/adm/chaosmonkey')).status).toBe(200);
      expect(() => running!.kit.chaos.set('exception', { config: ON, forMs: undefined })).toThrow('forbidden');
    },
  );
});

describe.each(STARTS)('over %s', (_name, start) => {
  test('all are off at first, with the values of light-4j', async () => {
    running = await start({ guard: 'development' });
    expect(await (await running.ask('/adm/chaosmonkey')).json()).toEqual(DEFAULTS);
    expect((await running.ask('/orders')).status).toBe(200);
  });

  test('exception: the calls of the app fail, its endpoints do not', async () => {
    running = await start({ guard: 'development' });
    const set = await running.ask('/adm/chaosmonkey/com.networknt.chaos.ExceptionAssaultHandler', { json: ON });
    expect([set.status, await set.json()]).toEqual([200, ON]);
    expect((await running.ask('/orders')).status).toBe(500);
    for (const path of ['/health/readiness', ...OWN_HEALTH]) expect((await running.ask(path)).status).toBe(200);
    expect((await running.ask('/adm/logger')).status).toBe(200);
    await running.ask('/adm/chaosmonkey/exception', { json: {} });
    expect((await running.ask('/orders')).status).toBe(200);
  });

  test('latency: the calls of the app are late', async () => {
    running = await start({ guard: 'development' });
    const latency = { ...ON, latencyRangeStart: 150, latencyRangeEnd: 160 };
    expect((await running.ask('/adm/chaosmonkey/latency', { json: latency })).status).toBe(200);
    const began = performance.now();
    expect((await running.ask('/orders')).status).toBe(200);
    // Timers of Node may be a millisecond early.
    expect(performance.now() - began).toBeGreaterThanOrEqual(149);
  });

  test('what is out of range is refused', async () => {
    running = await start({ guard: 'development' });
    for (const [assault, wrong] of [
      ['exception', { level: 0 }],
      ['exception', { level: 1.5 }],
      ['exception', { level: 10_001 }],
      ['exception', { enabled: 'yes' }],
      ['exception', { latencyRangeStart: 1 }],
      ['exception', { for: '10 minutes' }],
      ['exception', []],
      ['latency', { latencyRangeStart: -1 }],
      ['latency', { latencyRangeStart: 4000 }],
      ['memory', { memoryMillisecondsHoldFilledMemory: 1499 }],
      ['memory', { memoryMillisecondsWaitNextIncrease: 99 }],
      ['memory', { memoryMillisecondsWaitNextIncrease: 30_001 }],
      ['memory', { memoryFillIncrementFraction: 0.009 }],
      ['memory', { memoryFillIncrementFraction: 1.01 }],
      ['memory', { memoryFillTargetFraction: 0.96 }],
    ] as const)
      expect([wrong, (await running.ask(`/adm/chaosmonkey/${assault}`, { json: wrong })).status]).toEqual([wrong, 400]);
    expect((await running.ask('/adm/chaosmonkey/flood', { json: ON })).status).toBe(404);
    expect(await (await running.ask('/adm/chaosmonkey')).json()).toEqual(DEFAULTS);
  });
});

test('in Fastify the exception goes the way of all errors of the app, and not found stays not found', async () => {
  running = await startFastify({ guard: 'development' }, '127.0.0.1', {}, (app) =>
    app.setErrorHandler((error, _request, reply) => reply.code(500).send({ mine: (error as Error).message })),
  );
  await running.ask('/adm/chaosmonkey/exception', { json: ON });
  expect(await (await running.ask('/orders')).json()).toEqual({ mine: 'Chaos: the exception assault.' });
  expect((await running.ask('/nothing')).status).toBe(404);
});

const MEMORY: MemoryAssault = { ...DEFAULTS.memory, ...ON };

function make(forbidden?: string) {
  const timers = new FakeTimers();
  const done: string[] = [];
  let random = 0.5;
  const deps: ChaosDeps = {
    timers,
    random: () => random,
    log: { warn: (_, message) => done.push(message), fatal: (_, message) => done.push(message) },
    ballast: { take: () => done.push('take'), release: () => done.push('release') },
    kill: () => done.push('kill'),
    sleep: async (ms) => done.push(`sleep ${ms}`),
  };
  return { chaos: new Chaos(forbidden, deps), timers, done, roll: (value: number) => void (random = value) };
}

test('one in `level` requests is struck, and none while it is bypassed', async () => {
  const { chaos, roll } = make();
  chaos.set('exception', { config: { enabled: true, bypass: false, level: 4 }, forMs: undefined });
  roll(0.2499);
  expect(await chaos.strike()).toBe('fail');
  roll(0.25);
  expect(await chaos.strike()).toBe('pass');
  chaos.set('exception', { config: { enabled: true, bypass: true, level: 1 }, forMs: undefined });
  expect([chaos.active, await chaos.strike()]).toEqual([false, 'pass']);
});

test('after its time an assault turns itself off; setting it anew begins anew', async () => {
  const { chaos, timers } = make();
  expect(chaos.set('exception', { config: ON, forMs: 60_000 })).toEqual({ ...ON, until: '1970-01-01T00:01:00.000Z' });
  timers.go(30_000);
  chaos.set('exception', { config: ON, forMs: 60_000 });
  timers.go(59_999);
  expect(chaos.active).toBe(true);
  timers.go(1);
  expect([chaos.active, chaos.list().exception, timers.pending]).toEqual([false, { ...ON, enabled: false }, 0]);
  expect(await chaos.strike()).toBe('pass');
});

test('memory that was taken is given back when the assault is turned off', async () => {
  const { chaos, timers, done } = make();
  chaos.set('memory', { config: MEMORY, forMs: 60_000 });
  await chaos.strike();
  expect(done.at(-1)).toBe('take');
  timers.go(60_000);
  expect(done.slice(-2)).toEqual(['release', 'chaos: memory is off']);
});

test('killapp says so before it ends the process, and latency is within its range', async () => {
  const { chaos, done, roll } = make();
  chaos.set('latency', { config: { ...ON, latencyRangeStart: 10, latencyRangeEnd: 20 }, forMs: undefined });
  for (const value of [0, 0.999]) {
    roll(value);
    await chaos.strike();
  }
  expect(done.filter((each) => each.startsWith('sleep'))).toEqual(['sleep 10', 'sleep 20']);
  chaos.set('killapp', { config: ON, forMs: undefined });
  await chaos.strike();
  expect(done.slice(-2)).toEqual(['chaos: killapp ends the process', 'kill']);
});

describe('memory', () => {
  const MB = 1024 * 1024;
  const open = (usedBytes = 0) => {
    const timers = new FakeTimers();
    const log = { warn: () => {} };
    return { timers, ballast: new Ballast({ timers, log, limitBytes: () => 100 * MB, usedBytes: () => usedBytes }) };
  };
  const immediate = async (): Promise<void> => {
    for (let n = 0; n < 20; n++) await new Promise((done) => setImmediate(done));
  };

  test('is filled in steps up to the fraction, held, and given back', async () => {
    const { ballast, timers } = open();
    const sizes: number[] = [];
    ballast.take(MEMORY);
    for (let n = 0; n < 3; n++) {
      await immediate();
      sizes.push(ballast.bytes / MB);
      timers.go(MEMORY.memoryMillisecondsWaitNextIncrease);
    }
    expect(sizes).toEqual([15, 25, 25]);
    // Another strike meanwhile takes nothing.
    ballast.take(MEMORY);
    await immediate();
    expect(ballast.bytes).toBe(25 * MB);
    timers.go(MEMORY.memoryMillisecondsHoldFilledMemory);
    expect([ballast.bytes, ballast.busy, timers.pending]).toEqual([0, false, 0]);
  });

  test('never goes past the fraction of what the process may use', async () => {
    const { ballast } = open(90 * MB);
    ballast.take({ ...MEMORY, memoryFillTargetFraction: 0.95, memoryFillIncrementFraction: 1 });
    await immediate();
    expect(ballast.bytes).toBe(5 * MB);
    const full = open(96 * MB);
    full.ballast.take({ ...MEMORY, memoryFillTargetFraction: 0.95, memoryFillIncrementFraction: 1 });
    await immediate();
    expect(full.ballast.bytes).toBe(0);
  });

  test('is given back at once, also in the middle of filling', async () => {
    const { ballast, timers } = open();
    ballast.take({ ...MEMORY, memoryFillIncrementFraction: 1, memoryFillTargetFraction: 0.9 });
    ballast.release();
    await immediate();
    expect([ballast.bytes, ballast.busy, timers.pending]).toEqual([0, false, 0]);
  });
});

test('what is left out has its default, and what was echoed can be sent again', () => {
  expect(readAssault('latency', { enabled: true })).toEqual({
    config: { ...DEFAULTS.latency, enabled: true },
    forMs: undefined,
  });
  expect(readAssault('exception', { ...ON, until: '1970-01-01T00:01:00.000Z', for: '90s' })).toEqual({
    config: ON,
    forMs: 90_000,
  });
});
