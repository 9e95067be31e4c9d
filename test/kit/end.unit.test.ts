import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, test } from '@jest/globals';
import { asker, startFastify, startHttp, type Running } from './apps.ts';
import { until } from './until.ts';

let running: Running | undefined;
let child: ChildProcess | undefined;
afterEach(async () => {
  child?.kill('SIGKILL');
  child = undefined;
  await running?.close();
  running = undefined;
});

async function startChild(): Promise<{ ask: Running['ask']; ended: Promise<unknown[]>; output: () => string }> {
  const env = { ...process.env, NODE_OPTIONS: '' };
  const execArgv = ['--import', import.meta.resolve('tsx')];
  child = fork(new URL('./chaos-child.ts', import.meta.url), {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    execArgv,
    env,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => (output += data.toString()));
  const ended = once(child, 'close');
  const [port] = (await once(child, 'message')) as [number];
  return { ask: asker(`http://127.0.0.1:${port}`), ended, output: () => output };
}

test('killapp ends the process as a crash would, and the log says what it was', async () => {
  const { ask, ended, output } = await startChild();
  const on = await ask('/adm/chaosmonkey/killapp', { json: { enabled: true, bypass: false, level: 1 } });
  expect(on.status).toBe(200);
  expect((await ask('/health/liveness')).status).toBe(200);
  await ask('/orders').catch(() => undefined);
  expect(await ended).toEqual([1, null]);
  expect(output()).toContain('chaos: killapp ends the process');
  expect(output()).not.toContain('closed gracefully');
});

test('the memory assault really fills memory, up to its fraction and not far past it', async () => {
  const { ask } = await startChild();
  const resident = async (): Promise<number> => {
    const info = (await (await ask('/adm/server/info')).json()) as {
      environment: { runtime: { residentMemory: number } };
    };
    return info.environment.runtime.residentMemory;
  };
  const target = 0.75 * 512 * 1024 * 1024;
  expect(await resident()).toBeLessThan(target / 2);
  const memory = { enabled: true, bypass: false, level: 1, memoryFillTargetFraction: 0.75 };
  const steps = { memoryFillIncrementFraction: 0.5, memoryMillisecondsWaitNextIncrease: 100 };
  await ask('/adm/chaosmonkey/memory', { json: { ...memory, ...steps } });
  expect((await ask('/orders')).status).toBe(200);
  await until(async () => (await resident()) >= target);
  // What the program itself takes meanwhile comes on top.
  expect(await resident()).toBeLessThan(1.25 * target);
});

test('shutdown answers, then closes gracefully, and the process ends by itself', async () => {
  const { ask, ended, output } = await startChild();
  const answer = await ask('/adm/shutdown', { method: 'DELETE' });
  expect(answer.status).toBe(200);
  expect(await answer.json()).toEqual({ time: expect.any(Number), serviceId: 'orders.test', tag: '' });
  expect(await ended).toEqual([0, null]);
  expect(output()).toContain('closed gracefully');
});

test('a signal closes gracefully where that was asked for', async () => {
  const { ended, output } = await startChild();
  child?.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
  expect(output()).toContain('closed gracefully');
});

test('shutdown is not there unless it was asked for', async () => {
  running = await startFastify({ guard: 'development' });
  expect((await running.ask('/adm/shutdown', { method: 'DELETE' })).status).toBe(404);
});

test('over node:http shutdown calls what the service closes with', async () => {
  running = await startHttp({ guard: 'development', shutdown: true, environment: 'prod' });
  const answer = await running.ask('/adm/shutdown', { method: 'POST' });
  expect(await answer.json()).toMatchObject({ serviceId: 'orders.test', tag: 'prod' });
  const { ask } = running;
  running = undefined;
  await until(() =>
    ask('/orders').then(
      () => false,
      () => true,
    ),
  );
});
