import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RegisteredInstance } from '../../../src/sdk/api.ts';
import type { Registration } from '../../../src/sdk/registration/options.ts';
import { nodeRegistrar } from '../../../src/sdk/registration/node-registrar.ts';
import type { Registrar } from '../../../src/sdk/registration/registrar.ts';
import { realTime } from '../../../src/sdk/time.ts';
import { embeddedHome, type Home } from '../../acceptance/homes.ts';
import { instancesOf, passingOf, read } from '../../acceptance/instance-api.ts';
import { Witness } from '../../acceptance/instance-witness.ts';
import { startNode } from '../../acceptance/nodes.ts';
import { until } from '../../acceptance/until.ts';
import { call, type Signalbox } from '../../support/signalbox.ts';
import { PlainSocket } from './plain-socket.ts';

const TTL_MS = 3000;
const ENV = { WATCH_HEARTBEAT: '500ms', EVICTION_GUARD_SHARE: '100' };

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

let home: Home;
let node: Signalbox;
beforeAll(async () => {
  home = await embeddedHome();
  node = await startNode({ ...home.env, ...ENV });
}, 180_000);
afterAll(async () => {
  await node.stop('SIGKILL');
  await home.drop();
});

/** On the same address and database. */
async function restart(): Promise<void> {
  await node.stop('SIGKILL');
  node = await startNode({ ...home.env, ...ENV }, { port: node.port });
}

function registrar(by: 'HTTP' | 'socket'): { registrar: Registrar; socket: PlainSocket | undefined } {
  const socket = by === 'socket' ? new PlainSocket(node.url) : undefined;
  const made = nodeRegistrar({
    requests: socket ?? { send: () => Promise.reject(new Error('no socket')) },
    attachment: socket ?? { socket: undefined, onChange: () => () => {} },
    hold: () => () => {},
    url: () => node.url,
    urls: [],
    tokens: { get: () => Promise.resolve(undefined) },
    options: {},
    env: {},
    time: realTime,
    random: Math.random,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    onError: () => {},
  });
  leftovers.push(
    () => socket?.close(),
    () => made.close(),
  );
  return { registrar: made, socket };
}

const registration = (service: string, ttl = `${TTL_MS}ms`): Registration => ({
  service,
  port: 8080,
  check: { type: 'ttl', ttl },
});

const states = (instance: RegisteredInstance): string[] => {
  const seen: string[] = [];
  instance.on('state', (state) => void seen.push(state));
  return seen;
};

const id = (instance: RegisteredInstance): string => instance.id ?? '';

describe.each(['HTTP', 'socket'] as const)('kept by %s', (by) => {
  async function registered(service: string, ttl?: string) {
    const made = registrar(by);
    if (made.socket !== undefined) await until('the socket', () => made.socket?.socket !== undefined);
    return { ...made, instance: await made.registrar.register(registration(service, ttl)) };
  }

  test('INS1 it is where others reach it, for longer than its lease, until it deregisters', async () => {
    const service = `kept-${by.toLowerCase()}.example.com`;
    const { instance } = await registered(service);
    expect(instance).toMatchObject({ state: 'registered', address: '127.0.0.1', port: 8080 });
    await sleep(TTL_MS + 1500);
    const [one] = await passingOf(node.url, service);
    expect(one).toMatchObject({ address: '127.0.0.1', port: 8080, generation: instance.generation, status: 'passing' });
    const { report } = await read(node.url, id(instance));
    expect(report.lease.attached).toBe(by === 'socket');
    await instance.deregister();
    expect(await instancesOf(node.url, service)).toEqual([]);
    expect(instance.state).toBe('gone');
  });

  test('INS3 a server that is killed and comes back has it still, and hears of it in time', async () => {
    const service = `restarted-${by.toLowerCase()}.example.com`;
    const { instance, socket } = await registered(service);
    const { generation } = instance;
    const before = socket?.socket;
    await restart();
    await sleep(TTL_MS + 2000);
    const [one] = await passingOf(node.url, service);
    expect(one).toMatchObject({ generation });
    expect(instance.state).toBe('registered');
    if (socket === undefined) return;
    expect(socket.socket).toBeGreaterThan(before ?? 0);
    const { report } = await read(node.url, id(instance));
    expect(report.lease.attached).toBe(true);
  }, 60_000);

  test('INS6 what somebody has removed is registered again, as another generation', async () => {
    const service = `evicted-${by.toLowerCase()}.example.com`;
    // Of less than five heartbeats, so that it is renewed over the socket too.
    const { instance } = await registered(service, '2s');
    const before = instance.generation ?? 0;
    const seen = states(instance);
    expect((await call(node.url, 'DELETE', `/v1/instances/${id(instance)}`)).status).toBe(200);
    await until('another generation', () => (instance.generation ?? 0) > before);
    await until('the states', () => seen.length >= 2);
    expect(seen).toEqual(['trying', 'registered']);
    expect(await passingOf(node.url, service)).toMatchObject([{ generation: instance.generation }]);
  });
});

test('INS6 a server that has lost everything has it again', async () => {
  const service = 'forgotten.example.com';
  const { registrar: made } = registrar('HTTP');
  const instance = await made.register(registration(service));
  const seen = states(instance);
  await node.stop('SIGKILL');
  await home.drop();
  home = await embeddedHome();
  node = await startNode({ ...home.env, ...ENV }, { port: node.port });
  await until('it is back', async () => (await passingOf(node.url, service)).length === 1);
  await until('it knows', () => instance.state === 'registered');
  expect(seen.at(-1)).toBe('registered');
}, 60_000);

test('a service that Signalbox does not take does not start, and is told why', async () => {
  const { registrar: made } = registrar('HTTP');
  await expect(made.register({ service: 'not a name', port: 1 })).rejects.toMatchObject({
    code: 'refused',
    message: expect.stringContaining('/service'),
  });
});

const SERVICE = `
  import { createServer } from 'node:http';
  const sdk = process.argv[1];
  const { HttpDesk } = await import(sdk + '/http-desk.js');
  const { createRegistrar } = await import(sdk + '/registrar.js');
  const { gracefully } = await import(sdk + '/graceful.js');
  const { portOf } = await import(sdk + '/port-of.js');
  const server = createServer((q, s) => s.end('ok'));
  server.listen(0, '127.0.0.1', async () => {
    const registrar = createRegistrar({
      desk: new HttpDesk({ urls: [process.argv[2]], token: () => undefined }),
      attachment: { socket: undefined, heartbeatMs: undefined, onChange: () => () => {} },
      ownAddress: async () => '127.0.0.1',
    });
    await registrar.register({ service: 'ended.example.com', port: portOf(server) });
    gracefully({ registrations: () => registrar.instances, servers: [server], settleMs: 3000 });
    console.log(portOf(server));
  });
`;

test('INS6 on SIGTERM a service is deregistered, and its watchers are told, before its port closes', async () => {
  const witness = await Witness.open(node.url, { kind: 'instance', services: ['ended.example.com'] });
  leftovers.push(() => witness.stop());
  const sdk = resolve('dist/sdk/registration');
  const child = spawn(process.execPath, ['--input-type=module', '-e', SERVICE, sdk, node.url], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  leftovers.push(() => child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const url = `http://127.0.0.1:${line.toString().trim()}/`;
  expect((await fetch(url)).ok).toBe(true);
  child.kill('SIGTERM');
  await until('watchers are told', () => witness.told.some(({ op }) => op === 'delete'));
  // A caller that has not heard yet.
  expect((await fetch(url)).ok).toBe(true);
  expect(await exited).toEqual([0, null]);
  await expect(fetch(url)).rejects.toThrow();
}, 30_000);
