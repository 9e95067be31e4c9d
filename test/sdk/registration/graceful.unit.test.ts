import { afterEach, expect, test } from '@jest/globals';
import { EventEmitter, once } from 'node:events';
import { Agent, createServer, request, type IncomingMessage, type Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import Fastify from 'fastify';
import { gracefully, type GracefulOptions } from '../../../src/sdk/registration/graceful.ts';
import { portOf } from '../../../src/sdk/registration/port-of.ts';

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0)) await end();
});

/** A process that is asked to end, and notes how it did. */
class FakeProcess extends EventEmitter {
  readonly codes: number[] = [];

  exit(code: number): never {
    this.codes.push(code);
    return undefined as never;
  }
}

async function serving(answer: () => Promise<string>): Promise<{ server: Server; url: string }> {
  const server = createServer((_request, response) => void answer().then((text) => response.end(text)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  leftovers.push(
    () => server.closeAllConnections(),
    () => server.close(),
  );
  return { server, url: `http://127.0.0.1:${portOf(server)}/` };
}

function ending(options: GracefulOptions) {
  const ended = new FakeProcess();
  const order: string[] = [];
  const graceful = gracefully({
    settleMs: 20,
    client: { close: async () => void order.push('client') },
    onDrained: () => void order.push('drained'),
    process: ended as unknown as NonNullable<GracefulOptions['process']>,
    ...options,
    registrations: [{ deregister: async () => void order.push('deregistered') }],
  });
  leftovers.push(() => graceful.off());
  return { ended, order, graceful };
}

const until = async (holds: () => boolean): Promise<void> => {
  const deadline = performance.now() + 5000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`never: ${holds.toString()}`);
    await sleep(5);
  }
};

test('INS6 deregisters first, while calls are answered as ever; then drains; then closes the client; then ends', async () => {
  let answer = (): void => {};
  const { server, url } = await serving(
    () =>
      new Promise((resolve) => {
        answer = () => resolve('late');
      }),
  );
  const { ended, order } = ending({ servers: [server], settleMs: 100 });
  const underWay = fetch(url).then((response) => response.text());
  await once(server, 'request');
  ended.emit('SIGTERM', 'SIGTERM', 15);
  await until(() => order.length === 1);
  expect({ order, listening: server.listening }).toEqual({ order: ['deregistered'], listening: true });
  await until(() => !server.listening);
  await sleep(50);
  expect({ order, codes: ended.codes }).toEqual({ order: ['deregistered'], codes: [] });
  answer();
  expect(await underWay).toBe('late');
  await until(() => ended.codes.length > 0);
  expect({ order, codes: ended.codes }).toEqual({ order: ['deregistered', 'drained', 'client'], codes: [0] });
});

test('who keeps a connection is asked to leave it with the next answer', async () => {
  const { server, url } = await serving(() => Promise.resolve('ok'));
  const { order, graceful } = ending({ servers: [server], settleMs: 200 });
  const agent = new Agent({ keepAlive: true });
  leftovers.push(() => agent.destroy());
  const connection = async (): Promise<string | undefined> => {
    const sent = request(url, { agent }).end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    response.resume();
    return response.headers.connection;
  };
  expect(await connection()).toBe('keep-alive');
  const closed = graceful.close();
  await until(() => order.length === 1);
  expect(await connection()).toBe('close');
  await closed;
});

test('a connection whose last call is answered while all is closed is not waited for', async () => {
  let answer = (): void => {};
  const { server, url } = await serving(() => new Promise((resolve) => (answer = () => resolve('late'))));
  server.keepAliveTimeout = 60_000;
  const agent = new Agent({ keepAlive: true });
  leftovers.push(() => agent.destroy());
  const sent = request(url, { agent }).end();
  await once(server, 'request');
  const { graceful } = ending({ servers: [server], drainMs: 20_000 });
  const closed = graceful.close();
  const responded = once(sent, 'response') as Promise<[IncomingMessage]>;
  await until(() => !server.listening);
  answer();
  const [response] = await responded;
  response.resume();
  const startedAt = performance.now();
  await closed;
  expect(performance.now() - startedAt).toBeLessThan(5000);
});

test('a call that takes longer than it may is cut', async () => {
  const { server, url } = await serving(() => new Promise(() => {}));
  const { graceful, order } = ending({ servers: [server], drainMs: 100 });
  const underWay = fetch(url).catch(() => 'cut');
  await once(server, 'request');
  const startedAt = performance.now();
  await graceful.close();
  expect(await underWay).toBe('cut');
  expect(performance.now() - startedAt).toBeLessThan(2000);
  expect(order).toEqual(['deregistered', 'drained', 'client']);
});

test('a second signal ends it at once', async () => {
  const { server, url } = await serving(() => new Promise(() => {}));
  const { ended } = ending({ servers: [server], drainMs: 60_000 });
  fetch(url).catch(() => {});
  await once(server, 'request');
  ended.emit('SIGINT', 'SIGINT', 2);
  await sleep(50);
  expect(ended.codes).toEqual([]);
  ended.emit('SIGTERM', 'SIGTERM', 15);
  expect(ended.codes).toEqual([143]);
});

test('a step that fails keeps none of the others from being taken', async () => {
  const errors: unknown[] = [];
  const broken = { close: () => Promise.reject(new Error('no')) };
  const { graceful, order } = ending({ servers: [broken], onError: (error) => void errors.push(error) });
  await graceful.close();
  expect(order).toEqual(['deregistered', 'drained', 'client']);
  expect(errors).toHaveLength(1);
});

test('a Fastify app is closed as it wants to be, without waiting for connections that are kept', async () => {
  const app = Fastify();
  let closed = false;
  app.addHook('onClose', async () => void (closed = true));
  app.get('/', () => 'ok');
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const agent = new Agent({ keepAlive: true });
  leftovers.push(() => agent.destroy());
  const sent = request(url, { agent }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();
  const startedAt = performance.now();
  await ending({ servers: [app] }).graceful.close();
  expect(closed).toBe(true);
  expect(performance.now() - startedAt).toBeLessThan(2000);
});
