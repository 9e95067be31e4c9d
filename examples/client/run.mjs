/**
 * Starts the services, `names` twice, kills one of them, and says what its callers were told and when. With --once it ends then, with
 * exit code 0 if that was within the published bound and no greeting failed; otherwise it goes on until Ctrl-C.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'signalbox/client';

const PROGRAMS = { names: ['service.mjs', 'names'], clock: ['service.mjs', 'clock'], greeter: ['greeter.mjs'] };
const STARTED_WITHIN_MS = 20_000;
const startedAt = performance.now();
const say = (text) => console.log(`${((performance.now() - startedAt) / 1000).toFixed(2).padStart(6)} s  ${text}`);

const client = connect();
const [names, clock, greeter] = Object.keys(PROGRAMS).map((role) => client.service(`${role}.hello.example`));
for (const service of [names, clock, greeter]) {
  service.on('change', ({ added, removed }) => {
    for (const { port } of added) say(`${service.id} at ${port} can be called`);
    for (const { port } of removed) say(`${service.id} at ${port} is gone, or can no longer be called`);
  });
}

const children = new Set();
function start(role) {
  const [file, ...args] = PROGRAMS[role];
  const program = new URL(file, import.meta.url).pathname;
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

/** Resolves once there are so many instances, which only a change can bring about. */
async function until(service, count) {
  await service.ready();
  const signal = AbortSignal.timeout(STARTED_WITHIN_MS);
  while (service.instances().length !== count) {
    await new Promise((resolve, reject) => {
      const stop = service.on('change', () => (stop(), resolve()));
      signal.addEventListener('abort', () =>
        reject(new Error(`there are not ${count} of ${service.id}, after ${STARTED_WITHIN_MS} ms`)),
      );
    });
  }
}

async function greet() {
  const response = await greeter.fetch('/');
  const text = await response.text();
  if (!response.ok) throw new Error(`the greeter answered ${response.status}: ${text}`);
  say(text);
}

async function kill(victim) {
  const { detectionBound } = names.instances()[0];
  say(`now one of names is killed; its callers are to be told within ${detectionBound}`);
  const killedAt = performance.now();
  victim.kill('SIGKILL');
  for (let n = 0; n < 10; n++) await greet();
  await until(names, 1);
  const took = performance.now() - killedAt;
  say(`told after ${took.toFixed(0)} ms; no greeting failed`);
  return took <= Number.parseFloat(detectionBound) * (detectionBound.endsWith('ms') ? 1 : 1000);
}

try {
  const victim = start('names');
  for (const role of Object.keys(PROGRAMS)) start(role);
  await Promise.all([until(names, 2), until(clock, 1), until(greeter, 1)]);
  process.exitCode = (await kill(victim)) ? 0 : 1;
  if (!process.argv.includes('--once')) {
    say('going on until Ctrl-C');
    const over = new AbortController();
    process.once('SIGINT', () => over.abort());
    for (; !over.signal.aborted; await sleep(2000)) await greet();
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
for (const child of children) child.kill('SIGTERM');
await Promise.all([...children].map((child) => once(child, 'exit')));
await client.close();
