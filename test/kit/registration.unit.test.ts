import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import Fastify from 'fastify';
import { signalbox } from '../../src/kit/fastify.ts';
import { boundTo, Membership } from '../../src/kit/index.ts';
import { ownAddress } from '../../src/kit/node/bound-to.ts';
import { memoryLog, SERVICE, startFastify, type FastifyRunning } from './apps.ts';
import { MemoryRegistrar } from './registrar.ts';
import { until } from './until.ts';

let running: FastifyRunning | undefined;
afterEach(async () => {
  await running?.close();
  running = undefined;
});

test('it registers once it listens, with the port that the system gave it', async () => {
  const client = new MemoryRegistrar();
  running = await startFastify({
    client,
    version: 'v2',
    environment: 'prod',
    registration: { region: 'eu', metadata: { owner: 'shop' } },
    registerTimeoutMs: 1234,
  });
  const instance = await running.app.signalbox.joined();
  expect(instance?.id).toBe('i-1');
  expect(running.app.signalbox.instance).toBe(instance);
  const { port } = running.app.server.address() as AddressInfo;
  expect(port).toBeGreaterThan(0);
  expect(client.registrations).toEqual([
    {
      service: SERVICE,
      port,
      address: '127.0.0.1',
      protocol: 'http',
      version: 'v2',
      environment: 'prod',
      region: 'eu',
      metadata: { owner: 'shop' },
    },
  ]);
  expect(client.options).toMatchObject({ startOnRegistryFailure: false, timeoutMs: 1234 });
});

test('what is given outweighs the listener: behind a mapped port', async () => {
  const client = new MemoryRegistrar();
  running = await startFastify({ client, registration: { address: '203.0.113.7', port: 443, protocol: 'https' } });
  await running.app.signalbox.joined();
  expect(client.registrations[0]).toEqual({ service: SERVICE, address: '203.0.113.7', port: 443, protocol: 'https' });
});

test('it deregisters first, and answers calls until it has and its callers have heard of it; then the listener closes', async () => {
  const client = new MemoryRegistrar();
  running = await startFastify({ client, lingerMs: 1000 });
  const { app, ask } = running;
  await app.signalbox.joined();
  const { happened } = client;
  app.server.on('close', () => happened.push('listener closed'));
  const call = async (when: string): Promise<void> => {
    const { status, headers } = await ask('/orders');
    happened.push(`call ${when}: ${status}, connection: ${headers.get('connection')}`);
  };
  await call('before');
  client.onDeregister = async () => {
    await call('while deregistering');
    happened.push(`readiness: ${(await ask('/health/readiness')).status}`);
  };
  const closing = app.close();
  await until(() => happened.includes('deregistered'));
  await call('after that');
  await closing;
  expect(happened).toEqual([
    'register',
    'registered',
    'call before: 200, connection: keep-alive',
    'deregister',
    'call while deregistering: 200, connection: close',
    'readiness: 503',
    'deregistered',
    'call after that: 200, connection: close',
    'listener closed',
    'client closed',
  ]);
});

test('what Fastify turns away while it closes is said to have reached nobody, and nothing else is', async () => {
  const client = new MemoryRegistrar();
  const said: string[] = [];
  running = await startFastify({ client }, '127.0.0.1', {}, (app) => {
    app.get('/busy', (_request, reply) => reply.code(503).send('busy'));
    // Fastify is closing by then, and listens still.
    app.addHook('preClose', () => call('closing', '/busy'));
  });
  const { app, ask } = running;
  await app.signalbox.joined();
  const call = async (when: string, path: string): Promise<void> => {
    const { status, headers } = await ask(path);
    said.push(`${when}, ${path}: ${status} ${headers.get('signalbox-unsent')}`);
  };
  client.onDeregister = async () => {
    await call('leaving', '/orders');
    await call('leaving', '/busy');
  };
  await call('before', '/busy');
  await app.close();
  expect(said).toEqual([
    'before, /busy: 503 null',
    'leaving, /orders: 200 null',
    'leaving, /busy: 503 null',
    'closing, /busy: 503 true',
  ]);
});

test('a call that is under way is drained', async () => {
  const client = new MemoryRegistrar();
  let entered = false;
  let answer: (text: string) => void = () => {};
  running = await startFastify({ client }, '127.0.0.1', { forceCloseConnections: 'idle' }, (app) =>
    app.get('/slow', () => {
      entered = true;
      return new Promise<string>((done) => (answer = done));
    }),
  );
  await running.app.signalbox.joined();
  const slow = running.ask('/slow');
  await until(() => entered);
  const closed = running.close();
  await until(() => client.happened.includes('deregistered'));
  answer('done');
  expect(await (await slow).text()).toBe('done');
  // The connection is kept by its client, and would hold up the end for as long as that likes.
  await closed;
});

test('who closes while it is still being registered is not kept waiting, nothing stays registered, and nothing failed', async () => {
  const client = new MemoryRegistrar();
  client.gate = new Promise(() => {});
  let failure: unknown;
  running = await startFastify({ client, onRegistryFailure: (error) => (failure = error) });
  await until(() => client.happened.includes('register'));
  await running.close();
  expect(client.happened).toEqual(['register', 'client closed']);
  expect([await running.app.signalbox.joined(), failure]).toEqual([undefined, undefined]);
  expect(running.log.filter(({ level }) => level >= 50)).toEqual([]);
});

test('where it cannot be registered it does not start: the app is closed, and who waits is told', async () => {
  const client = new MemoryRegistrar();
  client.away = true;
  let failure: unknown;
  running = await startFastify({ client, onRegistryFailure: (error) => (failure = error) });
  await expect(running.app.signalbox.joined()).rejects.toThrow('Signalbox is not there');
  await until(() => failure !== undefined);
  expect(running.app.server.listening).toBe(false);
  const fatal = running.log.find(({ level }) => level === 60);
  expect(fatal?.msg).toBe('orders.test is not started: it cannot be registered');
});

test('a client that others need too is left open', async () => {
  const client = new MemoryRegistrar();
  running = await startFastify({ client, closeClient: false });
  await running.app.signalbox.joined();
  await running.close();
  expect(client.happened.at(-1)).toBe('deregistered');
});

test('calls that do not end are cut after their time', async () => {
  const options = { forceCloseConnections: 'idle' } as const;
  let entered = false;
  running = await startFastify({ drainMs: 100 }, '127.0.0.1', options, (app) =>
    app.get('/forever', () => {
      entered = true;
      return new Promise(() => {});
    }),
  );
  const call = running.ask('/forever').then(
    () => 'answered',
    () => 'cut',
  );
  await until(() => entered);
  await running.close();
  expect(await call).toBe('cut');
});

test('where it cannot be registered the process ends as one that has failed', async () => {
  const env = { ...process.env, NODE_OPTIONS: '' };
  const execArgv = ['--import', import.meta.resolve('tsx')];
  const stdio = ['ignore', 'pipe', 'inherit', 'ipc'] as const;
  const child = fork(new URL('./registration-child.ts', import.meta.url), { stdio: [...stdio], execArgv, env });
  let output = '';
  child.stdout?.on('data', (data: Buffer) => (output += data.toString()));
  expect(await once(child, 'close')).toEqual([1, null]);
  expect(output).toContain('orders.test is not started');
});

test('with startOnRegistryFailure it starts all the same', async () => {
  const client = new MemoryRegistrar();
  client.away = true;
  running = await startFastify({ client, startOnRegistryFailure: true, lingerMs: 60_000 });
  expect((await running.app.signalbox.joined())?.state).toBe('trying');
  expect((await running.ask('/orders')).status).toBe(200);
  // Nobody calls what was never there: nothing to wait for at the end.
  const began = performance.now();
  await running.close();
  expect(performance.now() - began).toBeLessThan(10_000);
  expect(client.happened).toEqual(['register', 'deregister', 'deregistered', 'client closed']);
});

test('without a client it is not registered, and has its endpoints', async () => {
  running = await startFastify();
  expect(await running.app.signalbox.joined()).toBeUndefined();
  expect((await running.ask('/health/liveness')).status).toBe(200);
});

test('an app that never listens registers nothing', async () => {
  const client = new MemoryRegistrar();
  const app = Fastify();
  await app.register(signalbox, { serviceId: SERVICE, client });
  const answer = await app.inject('/health/liveness');
  expect(answer.statusCode).toBe(200);
  await app.close();
  expect([client.happened, await app.signalbox.joined()]).toEqual([['client closed'], undefined]);
});

describe('over node:http', () => {
  test('the same membership, by hand', async () => {
    const registrar = new MemoryRegistrar();
    const server = createServer();
    server.listen(0, '0.0.0.0');
    await once(server, 'listening');
    const slept: number[] = [];
    const membership = new Membership({
      serviceId: SERVICE,
      registrar,
      options: {},
      log: memoryLog().log,
      env: {},
      sleep: async (ms) => slept.push(ms),
    });
    await membership.join(boundTo(server));
    const { port } = server.address() as AddressInfo;
    // It listens on all addresses: the SDK finds out which one others reach.
    expect(registrar.registrations).toEqual([{ service: SERVICE, port, protocol: 'http' }]);
    await Promise.all([membership.leave(), membership.leave()]);
    expect([registrar.happened.slice(2), slept]).toEqual([['deregister', 'deregistered'], [1000]]);
    server.close();
  });

  test('a listener without a port, and none given', async () => {
    const deps = { serviceId: SERVICE, registrar: new MemoryRegistrar(), log: memoryLog().log, env: {} };
    await expect(new Membership({ ...deps, options: {} }).join(undefined)).rejects.toThrow('registration.port');
  });
});

test.each<[address: string, env: Record<string, string>, registered: string | undefined]>([
  ['0.0.0.0', {}, undefined],
  ['::', {}, undefined],
  ['127.0.0.1', {}, '127.0.0.1'],
  ['127.0.0.1', { POD_IP: '10.1.2.3' }, undefined],
  ['::1', { STATUS_HOST_IP: '10.1.2.3' }, undefined],
  ['10.1.2.4', { POD_IP: '10.1.2.3' }, '10.1.2.4'],
  ['::ffff:10.1.2.4', {}, '10.1.2.4'],
])('a listener at %s with %p registers as %p', (address, env, registered) => {
  expect(ownAddress({ address }, env)).toBe(registered);
});
