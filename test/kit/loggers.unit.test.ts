import { afterEach, expect, test } from '@jest/globals';
import { Loggers } from '../../src/kit/index.ts';
import { memoryLog, startFastify, STARTS, type Running } from './apps.ts';
import { FakeTimers } from './fake-timers.ts';

const MINUTE = 60_000;

function make(): { loggers: Loggers; timers: FakeTimers; lines: readonly { msg: string; logger?: unknown }[] } {
  const { lines, log } = memoryLog();
  const timers = new FakeTimers();
  return { loggers: new Loggers(log, timers), timers, lines };
}

const level = (loggers: Loggers, name: string): string | undefined => loggers.get(name)?.level;

test('a logger of a name is one and the same, and its level is what it writes by', () => {
  const { loggers, lines } = make();
  const log = loggers.named('orders.db');
  expect(loggers.named('orders.db')).toBe(log);
  log.info({}, 'a');
  loggers.set('orders.db', 'warn');
  log.info({}, 'b');
  loggers.root.info({}, 'c');
  expect(lines.map(({ msg, logger }) => [msg, logger])).toEqual([
    ['a', 'orders.db'],
    ['c', undefined],
  ]);
});

test('a name goes by the one before it, by ROOT in the end, also when it comes later', () => {
  const { loggers } = make();
  const early = loggers.named('orders.db');
  loggers.set('orders', 'error');
  expect([early.level, loggers.named('orders.db.pool').level, loggers.named('ordersx').level]).toEqual([
    'error',
    'error',
    'info',
  ]);
  loggers.set('ROOT', 'debug');
  expect([early.level, loggers.named('ordersx').level, loggers.named('later').level]).toEqual([
    'error',
    'debug',
    'debug',
  ]);
  expect(loggers.list().map((each) => `${each.name}=${each.level}`)).toEqual([
    'ROOT=debug',
    'later=debug',
    'orders=error',
    'orders.db=error',
    'orders.db.pool=error',
    'ordersx=debug',
  ]);
});

test('a level of its own that is the same as the root is its own all the same', () => {
  const { loggers } = make();
  const log = loggers.named('orders');
  loggers.set('orders', 'info');
  loggers.root.level = 'silent';
  expect(log.level).toBe('info');
});

test('after a time the level before comes back', () => {
  const { loggers, timers } = make();
  loggers.named('a');
  expect(loggers.set('a', 'trace', 10 * MINUTE)).toEqual({
    name: 'a',
    level: 'trace',
    until: '1970-01-01T00:10:00.000Z',
  });
  timers.go(10 * MINUTE - 1);
  expect(level(loggers, 'a')).toBe('trace');
  timers.go(1);
  expect([level(loggers, 'a'), loggers.named('a').level]).toEqual(['info', 'info']);
  // It goes by the root again, not by what the root was then.
  loggers.set('ROOT', 'warn');
  expect(loggers.named('a').level).toBe('warn');
});

test('after several changes for a time, the level before the first of them comes back', () => {
  const { loggers, timers } = make();
  loggers.set('ROOT', 'warn');
  loggers.set('ROOT', 'debug', 10 * MINUTE);
  timers.go(5 * MINUTE);
  loggers.set('ROOT', 'trace', 10 * MINUTE);
  timers.go(9 * MINUTE);
  expect(level(loggers, 'ROOT')).toBe('trace');
  timers.go(MINUTE);
  expect([level(loggers, 'ROOT'), timers.pending]).toEqual(['warn', 0]);
});

test('a change without a time ends what was for a time', () => {
  const { loggers, timers } = make();
  loggers.set('a', 'debug', 10 * MINUTE);
  expect(loggers.set('a', 'error')).toEqual({ name: 'a', level: 'error' });
  timers.go(60 * MINUTE);
  expect([level(loggers, 'a'), timers.pending]).toEqual(['error', 0]);
});

test('changes for a time of a name and of the one before it do not disturb each other', () => {
  const { loggers, timers } = make();
  const log = loggers.named('orders.db');
  loggers.set('orders', 'debug', 10 * MINUTE);
  loggers.set('orders.db', 'trace', 5 * MINUTE);
  timers.go(5 * MINUTE);
  expect(log.level).toBe('debug');
  timers.go(5 * MINUTE);
  expect(log.level).toBe('info');
});

test('at the end, what is for a time ends too', () => {
  const { loggers, timers } = make();
  loggers.set('ROOT', 'trace', MINUTE);
  loggers.close();
  expect([loggers.root.level, timers.pending]).toEqual(['info', 0]);
});

let running: Running | undefined;
afterEach(() => running?.close());

test.each(STARTS)('over %s: levels are listed, changed all or none, and echoed', async (_name, start) => {
  running = await start({ guard: 'development' });
  const db = running.kit.loggers.named('orders.db');
  const post = async (json: unknown): Promise<[number, unknown]> => {
    const answer = await running!.ask('/adm/logger', { json });
    return [answer.status, await answer.json()];
  };
  expect(await (await running.ask('/adm/logger')).json()).toEqual([
    { name: 'ROOT', level: 'info' },
    { name: 'orders.db', level: 'info' },
  ]);
  expect(
    await post([
      { name: 'orders.db', level: 'DEBUG' },
      { name: 'ROOT', level: 'OFF', for: '10m' },
    ]),
  ).toEqual([
    200,
    [
      { name: 'orders.db', level: 'debug' },
      { name: 'ROOT', level: 'silent', until: expect.any(String) },
    ],
  ]);
  expect(db.level).toBe('debug');
  expect(await (await running.ask('/adm/logger/orders.db')).json()).toEqual({ name: 'orders.db', level: 'debug' });
  expect((await running.ask('/adm/logger/nobody')).status).toBe(404);
  const [status, refused] = await post([
    { name: 'orders.db', level: 'error' },
    { name: 'ROOT', level: 'loud' },
  ]);
  expect([status, refused]).toEqual([
    400,
    { status: 400, title: 'Bad Request', detail: '[1].level: one of trace, debug, info, warn, error, fatal, silent.' },
  ]);
  expect(db.level).toBe('debug');
  for (const wrong of [
    {},
    [],
    [1],
    undefined,
    [{ name: 'a' }],
    [{ level: 'info' }],
    [{ name: '', level: 'info' }],
    [{ name: 'a', level: 'info', for: 10 }],
    [{ name: 'a', level: 'info', for: '10 m' }],
    [{ name: 'a', level: 'info', for: '25h' }],
    [{ name: 'a', level: 'info', for: '1ms' }],
    [{ name: 'a', level: 'info', more: 1 }],
    Array.from({ length: 101 }, () => ({ name: 'a', level: 'info' })),
  ])
    expect([wrong, (await post(wrong ?? null))[0]]).toEqual([wrong, 400]);
});

test('an app without a log has its endpoints all the same', async () => {
  running = await startFastify({ guard: 'development' }, '127.0.0.1', { logger: false, loggerInstance: undefined! });
  expect((await running.ask('/adm/logger')).status).toBe(200);
  expect((await running.ask('/adm/logger', { json: [{ name: 'a', level: 'debug' }] })).status).toBe(200);
});
