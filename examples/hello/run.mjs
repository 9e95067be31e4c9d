/**
 * Starts the three services, `names` twice, watches them through the feed, kills one and says when that was told.
 * With --once it ends then, with exit code 0 if everything was told in time; otherwise it goes on until Ctrl-C.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Discovery, SIGNALBOX } from './discovery.mjs';

const ONCE = process.argv.includes('--once');
const HELLO = fileURLToPath(new URL('hello.mjs', import.meta.url));
const ROLES = ['names', 'names', 'clock', 'greeter'];
const SERVICES = ['names.hello.example', 'clock.hello.example', 'greeter.hello.example'];
const STARTED_WITHIN_MS = 8000;
const TOLD_WITHIN_MS = 8000;
const KILL_EVERY_MS = 20_000;
const GREET_EVERY_MS = 2000;
const DEADLINE_MS = 20_000;

const startedAt = performance.now();
const say = (text) => console.log(`${((performance.now() - startedAt) / 1000).toFixed(2).padStart(6)} s  ${text}`);
const placeOf = ({ service, address, port }) => `${service} at ${address}:${port}`;

/** Who can be called, as the feed has told it. */
const callable = new Map();
const waiting = new Set();
const watcher = new Discovery(SERVICES, (op, instance) => {
  if (op === 'put') callable.set(instance.name, instance);
  else callable.delete(instance.name);
  say(`feed: ${placeOf(instance)} ${op === 'put' ? 'can be called' : 'is gone, or can no longer be called'}`);
  for (const check of waiting) check();
});

/** Resolves once the condition holds, which only the feed can change. */
function told(holds, withinMs, what) {
  return new Promise((resolve, reject) => {
    const check = () => {
      if (!holds()) return;
      end();
      resolve();
    };
    const end = () => {
      waiting.delete(check);
      clearTimeout(timer);
    };
    const timer = setTimeout(() => {
      end();
      reject(new Error(`${what} was not told within ${withinMs / 1000} s`));
    }, withinMs);
    waiting.add(check);
    check();
  });
}

const children = new Set();
function start(role) {
  const child = spawn(process.execPath, [HELLO, role], { stdio: ['ignore', 'ignore', 'inherit'] });
  children.add(child);
  child.once('exit', () => children.delete(child));
}

const of = (role) => [...callable.values()].filter(({ service }) => service === `${role}.hello.example`);

async function greet() {
  const [greeter] = of('greeter');
  if (greeter === undefined) return;
  try {
    const response = await fetch(`http://${greeter.address}:${greeter.port}/`, { signal: AbortSignal.timeout(5000) });
    say(`greeter: ${(await response.text()).trim()}`);
  } catch (error) {
    say(`greeter: ${error.message}`);
  }
}

/** `10.6s`, `3600ms`: what an instance publishes as its bound. */
function milliseconds(duration) {
  const [, digits, unit] = /^(\d+)(ms|s|m|h)$/.exec(duration) ?? [];
  return Number(digits) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit];
}

/** As the kernel does it: no goodbye. */
async function kill(victim) {
  say(`now ${placeOf(victim)} dies; its callers are to be told within ${victim.detectionBound}`);
  const killedAt = performance.now();
  await fetch(`http://${victim.address}:${victim.port}/die`).catch(() => {});
  await told(() => !callable.has(victim.name), TOLD_WITHIN_MS, 'the death');
  const took = performance.now() - killedAt;
  const within = took <= milliseconds(victim.detectionBound);
  say(`told after ${took.toFixed(0)} ms, ${within ? 'within' : 'BEYOND'} the published ${victim.detectionBound}`);
  return within;
}

async function endAll() {
  for (const child of children) child.kill('SIGTERM');
  await Promise.all([...children].map((child) => once(child, 'exit')));
  watcher.stop();
}

async function round() {
  for (const role of ROLES) start(role);
  const allThere = () => ROLES.every((role) => of(role).length >= ROLES.filter((one) => one === role).length);
  await told(allThere, STARTED_WITHIN_MS, 'that all can be called');
  await greet();
  await greet();
  const within = await kill(of('names')[0]);
  await greet();
  await greet();
  return within;
}

async function forever() {
  say('going on until Ctrl-C; every 20 s one of names dies, and another one is started');
  const interrupted = once(process, 'SIGINT').then(() => 'over');
  for (;;) {
    const next = performance.now() + KILL_EVERY_MS;
    start('names');
    while (performance.now() < next) {
      const pause = new Promise((resolve) => setTimeout(resolve, GREET_EVERY_MS));
      if ((await Promise.race([interrupted, pause])) === 'over') return;
      await greet();
    }
    if (of('names').length > 1) await kill(of('names')[0]);
  }
}

async function main() {
  const ready = await fetch(`${SIGNALBOX}/readyz`).catch(() => undefined);
  if (ready?.ok !== true) {
    throw new Error(`Signalbox does not answer at ${SIGNALBOX}: start it with \`npm start\`, or set SIGNALBOX_URL`);
  }
  void watcher.start();
  const within = await round();
  if (!ONCE) await forever();
  say('now all of them end, and say so');
  await endAll();
  return within;
}

const deadline = setTimeout(() => {
  if (!ONCE) return;
  console.error('run.mjs did not come to its end in time');
  for (const child of children) child.kill('SIGKILL');
  process.exit(1);
}, DEADLINE_MS);

try {
  process.exitCode = (await main()) ? 0 : 1;
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
  for (const child of children) child.kill('SIGKILL');
  watcher.stop();
}
clearTimeout(deadline);
