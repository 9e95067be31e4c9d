import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Client } from '../../src/sdk/api.ts';
import { connect } from '../../src/sdk/index.ts';
import type { ConnectOptions } from '../../src/sdk/options.ts';

const DOCUMENT = { openapi: '3.1.0', info: { title: 'Orders', version: '1' } };
const TEXT = JSON.stringify(DOCUMENT);
const sha256Of = (text: string): string => createHash('sha256').update(text).digest('hex');
const V1 = '/v1/services/orders.test/versions/v1';

interface Reply {
  readonly status: number;
  readonly body?: object | string;
  readonly headers?: Readonly<Record<string, string>>;
}

let server: Server;
let url: string;
let clients: Client[];
let asked: { readonly what: string; readonly token: string; readonly type: string; readonly body: string }[];
/** What requests are answered with; undefined: never. */
let answer: (what: string, token: string) => Reply | undefined;

beforeEach(async () => {
  clients = [];
  asked = [];
  answer = (what) => (what.startsWith('GET') ? { status: 200, body: { name: 'v1' } } : { status: 201, body: {} });
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (data: Buffer) => (body += data.toString()));
    request.on('end', () => {
      const { authorization = '', 'content-type': type = '' } = request.headers;
      const what = `${request.method} ${request.url}`;
      asked.push({ what, token: authorization, type, body });
      const reply = answer(what, authorization);
      if (reply === undefined) return;
      const isProblem = reply.status >= 400 && typeof reply.body === 'object';
      response.writeHead(reply.status, {
        'content-type': isProblem ? 'application/problem+json' : 'application/json',
        ...reply.headers,
      });
      response.end(typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body ?? {}));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await Promise.all(clients.map((each) => each.close()));
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
});

function client(options: ConnectOptions = {}): Client {
  const made = connect({ url, ...options });
  clients.push(made);
  return made;
}

const publish = (document: object | string = DOCUMENT, options: ConnectOptions = {}, timeoutMs?: number) =>
  client(options).publishDocument('orders.test', 'v1', document, timeoutMs === undefined ? {} : { timeoutMs });

test('what the version has is asked for first, and the document sent where it is another one', async () => {
  expect(await publish(DOCUMENT, { auth: { token: 't1' } })).toEqual({ sha256: sha256Of(TEXT), changed: true });
  expect(asked).toEqual([
    { what: `GET ${V1}`, token: 'Bearer t1', type: '', body: '' },
    { what: `PUT ${V1}/document`, token: 'Bearer t1', type: 'application/json', body: TEXT },
  ]);
  answer = () => ({ status: 200, body: { document: { sha256: sha256Of(TEXT) } } });
  expect(await publish()).toEqual({ sha256: sha256Of(TEXT), changed: false });
  expect(asked).toHaveLength(3);
});

test.each([
  [' {"openapi":"3.1.0"}', 'application/json'],
  ['openapi: 3.1.0 # ü\n', 'application/yaml'],
])('a text is sent as it is: %j', async (text, type) => {
  expect((await publish(text)).sha256).toBe(sha256Of(text));
  expect(asked[1]).toMatchObject({ type, body: text });
});

test('a token that is not taken is asked for anew, once', async () => {
  let given = 0;
  answer = (_what, token) =>
    token !== 'Bearer t1' && token !== 'Bearer bad' ? { status: 200, body: {} } : { status: 401, body: problem('old') };
  await publish(DOCUMENT, { auth: { token: () => `t${++given}` } });
  expect(asked.map(({ token }) => token).slice(0, 2)).toEqual(['Bearer t1', 'Bearer t2']);
  asked.length = 0;
  await expect(publish(DOCUMENT, { auth: { token: () => 'bad' } })).rejects.toMatchObject({ code: 'unauthorized' });
  expect(asked).toHaveLength(2);
});

/** As Signalbox tells of it; what is of another type is somebody else's answer. */
function problem(detail: string, more: object = {}): object {
  return { type: '/problems/some', detail, ...more };
}

test.each<[what: string, reply: Reply, expected: object]>([
  [
    'a version that is not there',
    { status: 404, body: problem('There is none.', { status: 404 }) },
    { code: 'refused', message: expect.stringContaining('signalbox apply -f -'), problem: { status: 404 } },
  ],
  ['no right', { status: 403, body: problem('not yours') }, { code: 'refused', message: 'not yours' }],
  ['no token', { status: 401, body: problem('who?') }, { code: 'unauthorized' }],
  [
    'a server that is busy',
    { status: 503, body: problem('busy', { retryAfter: 7 }) },
    { code: 'unreachable', message: 'busy', retryAfterMs: 7000 },
  ],
  [
    'another server',
    { status: 404, body: '<html>' },
    { code: 'unreachable', message: expect.stringContaining('address') },
  ],
  ['a redirect', { status: 302, headers: { location: '/x' } }, { code: 'unreachable' }],
  ['what is no JSON', { status: 200, body: '<html>' }, { code: 'unreachable' }],
])('%s is an error that says so', async (_what, reply, expected) => {
  answer = () => reply;
  await expect(publish()).rejects.toMatchObject(expected);
});

test('what hangs is given up: a server, a token, and at a signal', async () => {
  await expect(publish(DOCUMENT, { auth: { token: () => new Promise(() => {}) } }, 50)).rejects.toMatchObject({
    code: 'timeout',
  });
  answer = () => undefined;
  await expect(publish(DOCUMENT, {}, 50)).rejects.toMatchObject({ code: 'timeout' });
  const stop = new AbortController();
  const given = client().publishDocument('orders.test', 'v1', DOCUMENT, { signal: stop.signal });
  stop.abort();
  await expect(given).rejects.toMatchObject({ code: 'stopped' });
});

test('where nobody listens, and with a client that is closed', async () => {
  const away = client({ url: 'http://127.0.0.1:1' });
  await expect(away.publishDocument('orders.test', 'v1', DOCUMENT)).rejects.toMatchObject({ code: 'unreachable' });
  await away.close();
  await expect(away.publishDocument('orders.test', 'v1', DOCUMENT)).rejects.toMatchObject({ code: 'stopped' });
  const tokenless = publish(DOCUMENT, { auth: { token: () => Promise.reject(new Error('no file')) } });
  await expect(tokenless).rejects.toMatchObject({ code: 'unauthorized', message: expect.stringContaining('no file') });
});
