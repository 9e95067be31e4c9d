import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { loadSidecarConfig } from '../../src/sidecar/config/read.ts';
import type { Send } from '../../src/sidecar/ports.ts';
import { SdkNetwork } from '../../src/sidecar/sdk-network.ts';
import { Ends, nobody, upstream } from './egress-rig.ts';

const ends = new Ends();
afterEach(() => ends.all());

const LOG = {
  debug: () => {},
  info: () => {},
  warn: (_about: object, _message: string): void => {},
  error: () => {},
};

/** The network of a sidecar whose Signalbox is away. */
async function networkOf(env: Readonly<Record<string, string>> = {}, log: typeof LOG = LOG): Promise<SdkNetwork> {
  const loaded = loadSidecarConfig(`signalbox: {urls: ["${await nobody()}"]}`, {});
  if (!loaded.ok) throw new Error(loaded.errors.join('\n'));
  const network = new SdkNetwork(loaded.config, { log, env });
  ends.add(() => network.close());
  return network;
}

/** The status of the answer, or the code of the error. */
const ask = (send: Send, method = 'GET'): Promise<unknown> =>
  new Promise((resolve) => {
    let status = 0;
    const outgoing = {
      method,
      path: '/',
      headers: [],
      body: null,
      upgrade: undefined,
      key: undefined,
      only: undefined,
    };
    send(outgoing, {
      begun: () => {},
      upgraded: () => {},
      started: (code) => (status = code),
      data: () => {},
      ended: () => resolve(status),
      failed: (error) => resolve((error as { code?: unknown }).code),
    });
  });

test('variables that are no addresses of services are not looked at, whatever service a caller names; that is said once', async () => {
  const said: string[] = [];
  const up = await upstream(ends, (_request, response) => response.end('good'));
  const network = await networkOf(
    {
      DATABASE_URL: 'postgres://user:secret@db/x',
      LIST_URL: `${up.url},nonsense`,
      PATH_URL: 'http://x/path',
      ORDERS_URL: `${up.url}, ${up.url}`,
      EMPTY_URL: '',
    },
    { ...LOG, warn: (about: object, message: string) => void ('variable' in about && said.push(message)) },
  );
  for (const service of ['database.example.com', 'list.example.com', 'path.example.com'])
    expect([service, network.downstream({ service }).state]).toEqual([service, 'loading']);
  expect(await ask(network.downstream({ service: 'orders.example.com' }).send)).toBe(200);
  for (const service of ['database.example.com', 'empty.example.com', 'other.example.com'])
    network.downstream({ service });
  expect(said.map((message) => message.split(':')[0])).toEqual([
    'DATABASE_URL does not stand for database.example.com',
    'LIST_URL does not stand for list.example.com',
    'PATH_URL does not stand for path.example.com',
  ]);
  expect(said.join()).not.toContain('secret');
});

/** Answers the first request of each connection, and ends the connection at the second. */
async function ending(): Promise<{ url: string; connections: Socket[] }> {
  const connections: Socket[] = [];
  const server: Server = createServer((socket) => {
    connections.push(socket);
    let requests = 0;
    socket.on('error', () => {});
    socket.on('data', () => {
      requests += 1;
      if (requests > 1) socket.destroy();
      else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.add(() => {
    for (const socket of connections) socket.destroy();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, connections };
}

test('a backend that ends a kept connection while a request is on its way is asked once more, where that is safe', async () => {
  const { url, connections } = await ending();
  const { send } = (await networkOf()).address(url, { timeoutMs: 5000 });
  expect([await ask(send), await ask(send), connections.length]).toEqual([200, 200, 2]);
  expect(await ask(send, 'POST')).not.toBe(200);
  expect(connections).toHaveLength(2);
});

test('an address is called in its own time, and its unused connections are kept as long as is said', async () => {
  const hanging = await upstream(ends, () => {});
  const network = await networkOf();
  const began = performance.now();
  expect(await ask(network.address(hanging.url, { timeoutMs: 100 }).send)).toBe('timeout');
  expect(performance.now() - began).toBeLessThan(2000);
  const { url, connections } = await ending();
  const { send } = network.address(url, { timeoutMs: 5000, keepAliveMs: 100 });
  expect(await ask(send)).toBe(200);
  const [first] = connections;
  if (first !== undefined && !first.destroyed) await once(first, 'close');
  expect(performance.now() - began).toBeLessThan(2500);
});
