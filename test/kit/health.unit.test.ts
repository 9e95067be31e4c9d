import { afterEach, expect, test } from '@jest/globals';
import { Readiness, type ReadinessReport } from '../../src/kit/index.ts';
import { SERVICE, startFastify, STARTS, type Running } from './apps.ts';

let running: Running | undefined;
afterEach(() => running?.close());

const JSON_ASKED = { headers: { accept: 'application/json' } };

test.each(STARTS)('INS6 over %s: only its own id is answered', async (_name, start) => {
  running = await start();
  const own = await running.ask(`/health/${SERVICE}`);
  expect([own.status, await own.text()]).toEqual([200, 'OK']);
  expect(own.headers.get('content-type')).toContain('text/plain');
  const json = await running.ask(`/health/${SERVICE}`, JSON_ASKED);
  expect(await json.json()).toEqual({ result: 'OK', state: 'ready', checks: {} });
  expect((await running.ask('/health/billing.test')).status).toBe(404);
  expect((await running.ask(`/health/${SERVICE}/more`)).status).toBe(404);
  expect((await running.ask(`/health/${encodeURIComponent(SERVICE)}?x=1`)).status).toBe(200);
  expect((await running.ask(`/health/%zz`)).status).toBeGreaterThanOrEqual(400);
  const head = await running.ask(`/health/${SERVICE}`, { method: 'HEAD' });
  expect([head.status, await head.text()]).toEqual([200, '']);
});

test.each(STARTS)(
  'over %s: liveness depends on nothing, readiness on its checks, both are open',
  async (_name, start) => {
    let broken = true;
    const checks = {
      database: () => {
        if (broken) throw new Error('secret details');
      },
      cache: async () => true,
    };
    running = await start({ readiness: { checks, cacheMs: 0 } });
    expect((await running.ask('/health/liveness')).status).toBe(200);
    const not = await running.ask('/health/readiness', JSON_ASKED);
    expect([not.status, await not.json()]).toEqual([
      503,
      { result: 'ERROR', state: 'not-ready', checks: { database: 'failed', cache: 'ok' } },
    ]);
    expect(await (await running.ask('/health/readiness')).text()).toBe('ERROR');
    expect((await running.ask(`/health/${SERVICE}`)).status).toBe(503);
    broken = false;
    expect((await running.ask('/health/readiness')).status).toBe(200);
  },
);

test('text and JSON, as the Accept header has it', async () => {
  running = await startFastify();
  const type = async (accept: string): Promise<string> =>
    (await running!.ask('/health/liveness', { headers: { accept } })).headers.get('content-type') ?? '';
  expect(await type('*/*')).toContain('text/plain');
  expect(await type('text/html,*/*;q=0.8')).toContain('text/plain');
  expect(await type('application/json')).toContain('application/json');
  expect(await type('application/json;q=0.5, text/plain')).toContain('text/plain');
  expect(await type('application/*')).toContain('application/json');
});

function make(checks: Record<string, (signal: AbortSignal) => unknown>, options: object = {}) {
  let time = 0;
  const said: string[] = [];
  const log = { warn: (_: object, message: string) => void said.push(message) };
  const readiness = new Readiness({ checks, ...options }, { now: () => time, log });
  return { readiness, said, go: (ms: number) => void (time += ms) };
}

test('a result is good for a while, and who asks meanwhile waits for the same checks', async () => {
  let runs = 0;
  const { readiness, go } = make({ a: async () => void (runs += 1) }, { cacheMs: 1000 });
  await Promise.all([readiness.report(), readiness.report(), readiness.report()]);
  expect(runs).toBe(1);
  go(999);
  await readiness.report();
  expect(runs).toBe(1);
  go(1);
  await readiness.report();
  expect(runs).toBe(2);
});

test('a check that answers nothing has failed after its time, is told, and is not started again beside itself', async () => {
  let runs = 0;
  let end: () => void = () => {};
  let aborted = false;
  const hangs = (signal: AbortSignal): Promise<void> => {
    runs += 1;
    signal.addEventListener('abort', () => (aborted = true));
    return new Promise((done) => (end = done));
  };
  const { readiness, said } = make({ hangs, fine: () => true }, { timeoutMs: 20, cacheMs: 0 });
  const expected: ReadinessReport = { ready: false, state: 'not-ready', checks: { hangs: 'timeout', fine: 'ok' } };
  expect(await readiness.report()).toEqual(expected);
  expect(await readiness.report()).toEqual(expected);
  expect([runs, aborted, said]).toEqual([1, true, ['not ready: hangs did not answer within 20 ms']]);
  end();
  await new Promise((done) => setImmediate(done));
  const again = readiness.report();
  end();
  expect((await again).ready).toBe(true);
});

test('false is a failure, nothing is not', async () => {
  const { readiness } = make({ no: () => false, nothing: () => undefined, later: async () => false });
  expect((await readiness.report()).checks).toEqual({ no: 'failed', nothing: 'ok', later: 'failed' });
});

test('what closes is not ready, whatever was found just before', async () => {
  const { readiness } = make({ a: () => true });
  expect((await readiness.report()).ready).toBe(true);
  readiness.close();
  expect(await readiness.report()).toEqual({ ready: false, state: 'closing', checks: { a: 'ok' } });
});
