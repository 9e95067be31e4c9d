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

test('shutdown answers, then closes gracefully, and the process ends by itself', async () => {
  const { ask, ended, output } = await startChild();
  const answer = await ask('/adm/shutdown', { method: 'DELETE' });
  expect(answer.status).toBe(200);
  expect(await answer.json()).toEqual({ time: expect.any(Number), serviceId: 'orders.test', tag: '' });
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
