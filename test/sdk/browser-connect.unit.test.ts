import { afterEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket } from 'ws';
import { connect } from '../../src/sdk/browser.ts';
import type { ConnectOptions } from '../../src/sdk/options.ts';
import { until } from '../acceptance/until.ts';

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

const url = 'http://127.0.0.1:1';

test.each<[string, ConnectOptions]>([
  ['a token over a WebSocket', { url, auth: { token: 't' }, carriers: ['event-stream', 'websocket'] }],
  ['a file', { url, auth: { tokenFile: '/token' } }],
])('a page that asks for %s is told at once that there is none', (_what, options) => {
  expect(() => connect(options)).toThrow(expect.objectContaining({ code: 'invalid-options' }));
});

test('a token is sent, also where no carriers are said to be undefined', async () => {
  const page = globalThis as { WebSocket?: unknown };
  page.WebSocket = WebSocket;
  leftovers.push(() => delete page.WebSocket);
  const asked: (string | undefined)[] = [];
  const server = createServer(({ headers }, response) => {
    asked.push(`${headers.accept} ${headers.authorization}`);
    response.writeHead(500).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  leftovers.push(() => (server.closeAllConnections(), server.close()));
  const options = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, auth: { token: 't' } };
  const client = connect({ ...options, carriers: undefined } as unknown as ConnectOptions);
  leftovers.push(() => client.close());
  client.watch({ kind: 'region' });
  await until('a request', () => asked.length > 0);
  expect(asked[0]).toBe('text/event-stream Bearer t');
});
