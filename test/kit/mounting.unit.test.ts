import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import swagger from '@fastify/swagger';
import express from 'express';
import Fastify from 'fastify';
import { DEFAULTS } from '../../src/kit/chaos/assaults.ts';
import { signalbox } from '../../src/kit/fastify.ts';
import { createKit, nodeHandler } from '../../src/kit/index.ts';
import { asker, memoryLog, SERVICE, startFastify, startHttp, type Running } from './apps.ts';
import { until } from './until.ts';

let running: Running | undefined;
afterEach(() => running?.close());

test('the app reads its own bodies as before, and its hooks can tell the endpoints of the kit', async () => {
  running = await startFastify({ guard: 'development' }, '127.0.0.1', {}, (app) => {
    app.addHook('onRequest', async (request, reply) => {
      if (request.routeOptions.config.signalbox === true) return;
      if (request.headers['x-mine'] === undefined) await reply.code(401).send('mine');
    });
    app.post('/orders', (request, reply) => reply.send(request.body));
    app.register(async (own) => {
      own.post('/own', (request, reply) => reply.send(request.body));
    });
  });
  for (const path of ['/orders', '/own']) {
    expect((await running.ask(path, { json: { a: 1 } })).status).toBe(401);
    expect(await (await running.ask(path, { json: { a: 1 }, headers: { 'x-mine': '1' } })).json()).toEqual({ a: 1 });
  }
  expect((await running.ask('/health/liveness')).status).toBe(200);
  expect((await running.ask('/adm/logger')).status).toBe(200);
});

test('the endpoints are not in the OpenAPI document of the app', async () => {
  const app = Fastify();
  await app.register(swagger, { openapi: { info: { title: 'x', version: '1' } } });
  await app.register(signalbox, { serviceId: SERVICE });
  app.get('/orders', async () => ({}));
  await app.ready();
  expect(Object.keys(app.swagger().paths ?? {})).toEqual(['/orders']);
  await app.close();
});

test('in Express after a body parser, what that has read is taken', async () => {
  const { log } = memoryLog();
  const kit = createKit({ serviceId: SERVICE, guard: 'development' }, { log, framework: 'express', close: () => {} });
  const app = express();
  app.use(express.json());
  app.use(nodeHandler(kit));
  const server = createServer(app);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const ask = asker(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  };
  running = { url: '', log: [], kit, ask, close };
  const answer = await ask('/adm/logger', { json: [{ name: 'ROOT', level: 'warn' }] });
  expect([answer.status, log.level]).toEqual([200, 'warn']);
  expect((await ask('/orders')).status).toBe(404);
});

test('who was answered by something else meanwhile ends no process, and what was asked for is done', async () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', note);
  const { log } = memoryLog();
  const closed: string[] = [];
  let tokens = 0;
  let known: (claims: Record<string, unknown>) => void = () => {};
  const verify = (): Promise<Record<string, unknown>> =>
    new Promise((done) => {
      tokens += 1;
      known = done;
    });
  const options = { serviceId: SERVICE, guard: { verify }, shutdown: true };
  const kit = createKit(options, { log, framework: 'express', close: () => closed.push('closed') });
  const app = express();
  // A time limit, while the issuer hangs.
  app.use((_request, response, next) => {
    setTimeout(() => response.status(504).end('late'), 20);
    next();
  });
  app.use(nodeHandler(kit));
  app.get('/orders', (_request, response) => {
    closed.push('called');
    response.end();
  });
  const server = createServer(app);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const ask = asker(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const latency = { ...DEFAULTS.latency, enabled: true, bypass: false, level: 1 };
  kit.chaos.set('latency', { config: { ...latency, latencyRangeStart: 60, latencyRangeEnd: 60 }, forMs: undefined });
  expect((await ask('/orders')).status).toBe(504);
  const answer = await ask('/adm/shutdown', { method: 'DELETE', token: 'x' });
  expect([answer.status, tokens, await answer.text()]).toEqual([504, 1, 'late']);
  known({ sub: 'ann', scope: 'admin' });
  await until(() => closed.length > 0);
  await new Promise((done) => setTimeout(done, 80));
  process.off('unhandledRejection', note);
  expect([unhandled, closed]).toEqual([[], ['closed']]);
  kit.close();
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
});

test('over node:http without anything behind it, everything else is not found', async () => {
  const { log } = memoryLog();
  const kit = createKit({ serviceId: SERVICE }, { log, framework: 'node', close: () => {} });
  const server = createServer(nodeHandler(kit));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const ask = asker(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const answer = await ask('/orders');
  expect([answer.status, answer.headers.get('content-type')]).toEqual([404, 'application/problem+json']);
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
});

test('a body that is no JSON, of another type, or too long', async () => {
  running = await startHttp({ guard: 'development' });
  const post = async (body: string, type = 'application/json'): Promise<number> =>
    (await running!.ask('/adm/logger', { method: 'POST', body, headers: { 'content-type': type } })).status;
  expect(await post('{')).toBe(400);
  expect(await post('[]', 'text/plain')).toBe(415);
  expect(await post(' '.repeat(70_000))).toBe(413);
});

test('an id that is missing is said at the start', () => {
  const deps = { log: memoryLog().log, framework: 'node', close: () => {} };
  expect(() => createKit({ serviceId: '' }, deps)).toThrow('serviceId');
  // It would make `.admin` a scope of it.
  expect(() => createKit({ serviceId: SERVICE, apiId: '' }, deps)).toThrow('apiId');
});
