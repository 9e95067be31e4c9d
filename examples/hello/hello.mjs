/**
 * One of three small services: `node hello.mjs names`, `node hello.mjs clock`, `node hello.mjs greeter`.
 * It registers itself, is checked over HTTP, and deregisters when it is asked to end.
 *
 *   --port PORT          where to listen; by default whatever is free
 *   --dies-after SECONDS ends without a word, as a process does that crashes
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { Discovery, SIGNALBOX } from './discovery.mjs';

const NAMES = ['Ada', 'Alan', 'Barbara', 'Edsger', 'Grace', 'Leslie', 'Radia'];
const NAMES_ID = 'names.hello.example';
const CLOCK_ID = 'clock.hello.example';
const REGION = process.env.HELLO_REGION;
const AGAIN_MS = 5000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { port: { type: 'string', default: '0' }, 'dies-after': { type: 'string' } },
});

const WORK = {
  names: () => NAMES[Math.floor(Math.random() * NAMES.length)],
  clock: () => new Date().toTimeString().slice(0, 8),
  greeter: async () => {
    const [name, time] = await Promise.all([call(NAMES_ID), call(CLOCK_ID)]);
    return `Hello ${name.said}, it is ${time.said} (names at ${name.from}, clock at ${time.from})`;
  },
};

const [role] = positionals;
if (!Object.hasOwn(WORK, role ?? '')) {
  console.error(`usage: node hello.mjs ${Object.keys(WORK).join('|')} [--port PORT] [--dies-after SECONDS]`);
  process.exit(2);
}
const service = `${role}.hello.example`;
const discovery = role === 'greeter' ? new Discovery([NAMES_ID, CLOCK_ID]) : undefined;

/** Whoever has died is still listed for a moment, so that a call that fails goes to another one. */
async function call(id) {
  const failed = new Set();
  for (let tries = 0; tries < 3; tries++) {
    const instance = await discovery.pick(id, failed);
    if (instance === undefined) break;
    const from = `${instance.address}:${instance.port}`;
    try {
      const response = await fetch(`${instance.protocol}://${from}/`, { signal: AbortSignal.timeout(1000) });
      if (response.ok) return { said: (await response.text()).trim(), from };
    } catch {
      // Refused or too slow; the feed says so within the detection bound.
    }
    failed.add(instance.name);
  }
  return { said: '(nobody)', from: `no ${id}` };
}

const server = createServer((request, response) => {
  const answer = (status, text) => response.writeHead(status, { 'content-type': 'text/plain' }).end(`${text}\n`);
  // The id in the path says whom the check means: a stranger that got this address later does not answer for us.
  if (request.url?.startsWith('/health/')) {
    return request.url === `/health/${service}` ? answer(200, 'ok') : answer(404, `this is ${service}`);
  }
  if (request.url === '/die') process.kill(process.pid, 'SIGKILL');
  Promise.resolve(WORK[role]()).then(
    (text) => answer(200, text),
    (error) => answer(503, String(error)),
  );
});

/** What is already registered so makes no revision; what Signalbox has lost is registered again. */
async function register(port) {
  const response = await fetch(`${SIGNALBOX}/v1/instances`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    signal: AbortSignal.timeout(2000),
    body: JSON.stringify({
      service,
      protocol: 'http',
      address: '127.0.0.1',
      port,
      ...(REGION !== undefined && { region: REGION }),
      version: 'v1',
      tags: { example: 'hello' },
      check: {
        type: 'http',
        path: '/health/{serviceId}',
        interval: '1s',
        timeout: '500ms',
        unhealthyAfter: 2,
        deregisterAfter: '1m',
      },
    }),
  });
  if (!response.ok) throw new Error(`the registration was answered with ${response.status}: ${await response.text()}`);
  return response.json();
}

server.listen(Number(values.port), '127.0.0.1');
await once(server, 'listening');
const { port } = server.address();
let registered;
let told = false;

async function keep() {
  try {
    const answer = await register(port);
    if (registered?.generation !== answer.generation) {
      console.log(`${service} listens on ${port} and is ${answer.name}; detection bound ${answer.detectionBound}`);
    }
    registered = answer;
    told = false;
  } catch (error) {
    if (!told) console.error(`${service}: ${error.message}; trying again`);
    told = true;
  }
}

let underWay = keep();
const timer = setInterval(() => {
  underWay = keep();
}, AGAIN_MS);
let ending = false;

/** Callers are told before the last call is answered. */
async function end() {
  if (ending) return;
  ending = true;
  clearInterval(timer);
  await underWay;
  if (registered !== undefined) {
    const url = `${SIGNALBOX}/v1/instances/${registered.id}?generation=${registered.generation}`;
    await fetch(url, { method: 'DELETE', signal: AbortSignal.timeout(2000) }).catch(() => {});
  }
  discovery?.stop();
  server.close(() => process.exit(0));
  server.closeIdleConnections();
}

process.on('SIGTERM', () => void end());
process.on('SIGINT', () => void end());

void discovery?.start();

if (values['dies-after'] !== undefined) {
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), Number(values['dies-after']) * 1000);
}
