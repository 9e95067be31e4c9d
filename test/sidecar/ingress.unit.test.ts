import { once } from 'node:events';
import {
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { connect } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import type { AdminGuard } from '../../src/sidecar/ingress/admin-port.ts';
import { Ingress, type IngressOptions } from '../../src/sidecar/ingress/ingress.ts';
import { problem } from '../../src/sidecar/ingress/loggers.ts';
import { Listener } from '../../src/sidecar/listen/listener.ts';
import { FakeEndpoint, rigOf } from '../sdk/calling/peers.ts';
import { EngineNetwork } from './engine-network.ts';
import { Ends, nobody, unexpected, upstream } from './egress-rig.ts';

const ends = new Ends();
afterEach(() => ends.all());

const LOG = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const SERVICE = 'orders.example.com';

/** Lets in who has the token `good`; the kit's guard, which verifies tokens, has tests of its own. */
const guard: AdminGuard = {
  check: ({ headers }) =>
    Promise.resolve(
      headers.authorization === 'Bearer good'
        ? { type: 'allowed', subject: 'ada' }
        : { type: 'refused', subject: 'anonymous', why: 'no token', answer: problem(401, 'Send an access token.') },
    ),
};

interface Seen {
  readonly url: string;
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Rig {
  readonly url: string;
  readonly port: number;
  readonly backend: string;
  readonly server: Server;
  readonly seen: Seen[];
  readonly counted: unknown[];
  readonly get: (
    path: string,
    headers?: Record<string, string>,
    method?: string,
    body?: string,
  ) => Promise<[number, unknown]>;
}

const ADMIN = { authorization: 'Bearer good' };

async function ingress(
  options: Partial<IngressOptions> = {},
  answers: Readonly<Record<string, unknown>> = {},
): Promise<Rig> {
  const seen: Seen[] = [];
  const counted: unknown[] = [];
  const up = await upstream(ends, (request, response) => void respond(request, response));
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = (await request.toArray()).join('');
    seen.push({ url: request.url ?? '', method: request.method ?? '', headers: request.headers, body });
    const told = answers[`${request.method} ${request.url}`];
    if (typeof told === 'number') return void response.writeHead(told).end();
    response.end(JSON.stringify(told ?? { backend: request.url }));
  };
  const backend = options.backend ?? up.url;
  const network = new EngineNetwork();
  const handlers = new Ingress({
    service: SERVICE,
    backend,
    send: network.address(backend, { timeoutMs: 60_000 }).send,
    own: {
      serverInfo: () => ({ status: 200, body: { runtime: 'node' } }),
      listLoggers: () => ({ status: 200, body: [{ name: 'ROOT', level: 'info' }] }),
      setLoggers: async ({ body }) => ({ status: 200, body: await body() }),
    },
    backendIsHealthy: () => true,
    passThrough: true,
    actuator: false,
    guard,
    guarded: ['/adm', '/actuator'],
    healthIsOpen: false,
    forwardToken: false,
    pseudonym: 'test-ingress',
    trusts: () => false,
    listener: () => '127.0.0.1',
    tally: { ended: (how) => counted.push(how), retried: () => {} },
    log: LOG,
    ...options,
  });
  const listener = new Listener(
    {
      host: '127.0.0.1',
      port: 0,
      maxHeaderBytes: 16_384,
      headersTimeoutMs: 5000,
      maxConnections: 100,
      onError: unexpected,
    },
    handlers,
  );
  const port = await listener.listen();
  ends.add(() => network.close());
  ends.add(() => listener.close(50));
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    port,
    backend,
    server: up.server,
    seen,
    counted,
    get: async (path, headers = {}, method = 'GET', body) => {
      // `fetch` would make paths plain.
      const call = httpRequest({ port, path, method, headers });
      call.end(body);
      const [answer] = (await once(call, 'response')) as [IncomingMessage];
      const text = (await answer.toArray()).join('');
      try {
        return [answer.statusCode ?? 0, JSON.parse(text) as unknown];
      } catch {
        return [answer.statusCode ?? 0, text];
      }
    },
  };
}

test('everything goes to the backend, but the health of the sidecar itself', async () => {
  const { get, seen } = await ingress();
  expect(await get('/health')).toEqual([200, 'OK']);
  expect(await get('/orders/17?x=1', { authorization: 'Bearer of-a-customer' })).toEqual([
    200,
    { backend: '/orders/17?x=1' },
  ]);
  expect(seen).toHaveLength(1);
  expect(seen[0]?.headers).toMatchObject({ authorization: 'Bearer of-a-customer', via: '1.1 test-ingress' });
});

test('every request is counted, whoever answers it', async () => {
  const { get, counted } = await ingress();
  await get('/health');
  await get('/adm/server/info');
  await get('/adm/server/info', ADMIN);
  await get('/%61dm');
  await get('/orders/17');
  await get('/adm/own', ADMIN);
  await get('/', { via: '1.1 test-ingress' });
  await get('/adm/live', { connection: 'Upgrade', upgrade: 'websocket' });
  await get('/x/../adm', { connection: 'Upgrade', upgrade: 'websocket' });
  expect(counted).toEqual([200, 401, 200, 400, 200, 200, 508, 401, 400]);
});

test('SEC1 nobody without a good token reaches what is guarded, however it is written', async () => {
  const { get, seen } = await ingress();
  for (const path of [
    '/adm/server/info',
    '/adm/logger',
    '/adm/chaosmonkey',
    '/adm/shutdown',
    '/adm',
    '/actuator/loggers',
    '/actuator/heapdump',
    `/health/${SERVICE}`,
    `/health/liveness/${SERVICE}`,
    `/health/readiness/${SERVICE}`,
    '/health/liveness',
    `/adm/health/${SERVICE}`,
  ]) {
    for (const headers of [{}, { authorization: 'Bearer bad' }, { authorization: 'good' }]) {
      for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS']) {
        expect([path, (await get(path, headers as Record<string, string>, method))[0]]).toEqual([path, 401]);
      }
    }
  }
  for (const path of [
    '//adm/logger',
    '/x/../adm/logger',
    '/%61dm/logger',
    '/ADM/logger',
    '/adm;x/logger',
    '/x/..%2factuator',
  ]) {
    expect([path, (await get(path))[0]]).toEqual([path, 400]);
    expect([path, (await get(path, ADMIN))[0]]).toEqual([path, 400]);
  }
  expect(seen).toEqual([]);
});

test('SEC1 an upgrade of a guarded path is refused as well', async () => {
  const { get, seen } = await ingress();
  const upgrade = { connection: 'Upgrade', upgrade: 'websocket' };
  expect((await get('/adm/live', upgrade))[0]).toBe(401);
  expect((await get('/x/../adm/live', upgrade))[0]).toBe(400);
  expect(seen).toEqual([]);
});

test('what is let in goes to the backend without the token', async () => {
  const { get, seen } = await ingress();
  expect(await get('/adm/chaosmonkey/x?y=1', ADMIN, 'POST', '{}')).toEqual([
    200,
    { backend: '/adm/chaosmonkey/x?y=1' },
  ]);
  expect(seen[0]).toMatchObject({ method: 'POST', body: '{}' });
  expect(seen[0]?.headers).not.toHaveProperty('authorization');
  const { get: open, seen: seenToo } = await ingress({ forwardToken: true });
  await open('/adm/chaosmonkey', ADMIN);
  await open('/adm/server/info', ADMIN);
  expect(seenToo.map(({ headers }) => headers.authorization)).toEqual(['Bearer good', 'Bearer good']);
});

test('liveness and readiness of this service are those of the backend', async () => {
  const { get, seen } = await ingress({}, { 'GET /health/readiness': 503 });
  expect(await get(`/health/liveness/${SERVICE}`, ADMIN)).toEqual([200, { backend: '/health/liveness' }]);
  expect((await get(`/health/readiness/${SERVICE}`, ADMIN))[0]).toBe(503);
  expect((await get('/health/liveness/other.example.com', ADMIN))[0]).toBe(404);
  expect((await get('/health/liveness', ADMIN))[0]).toBe(404);
  expect(seen.map(({ url }) => url)).toEqual(['/health/liveness', '/health/readiness']);
});

test('INS6 the health of the service is that of the backend, and of no other service', async () => {
  let healthy = true;
  const { get } = await ingress({ healthIsOpen: true, backendIsHealthy: () => healthy });
  expect(await get(`/health/${SERVICE}`)).toEqual([200, 'OK']);
  expect(await get(`/adm/health/${SERVICE}`, ADMIN)).toEqual([200, 'OK']);
  expect((await get('/health/other.example.com'))[0]).toBe(401);
  expect((await get('/health/other.example.com', ADMIN))[0]).toBe(404);
  healthy = false;
  expect((await get(`/health/${SERVICE}`))[0]).toBe(503);
});

test('server info is that of both', async () => {
  const { get, backend } = await ingress({}, { 'GET /adm/server/info': { environment: 'java' } });
  const proxy_info = { runtime: 'node' };
  expect(await get('/adm/server/info', ADMIN)).toEqual([200, { proxy_info, [backend]: { environment: 'java' } }]);
  const failing = await ingress({}, { 'GET /adm/server/info': 500 });
  expect(await failing.get('/adm/server/info', ADMIN)).toEqual([200, { proxy_info, [failing.backend]: null }]);
  const gone = await ingress({ backend: await nobody() });
  expect(await gone.get('/adm/server/info', ADMIN)).toEqual([200, { proxy_info, [gone.backend]: null }]);
});

const PASS = { ...ADMIN, 'x-adm-passthrough': 'true' };

test('loggers are those of the sidecar, or of the backend where that is asked for', async () => {
  const { get, seen } = await ingress();
  const loggers = [{ name: 'ROOT', level: 'debug' }];
  expect(await get('/adm/logger', ADMIN)).toEqual([200, [{ name: 'ROOT', level: 'info' }]]);
  expect(await get('/adm/logger', ADMIN, 'POST', JSON.stringify(loggers))).toEqual([200, loggers]);
  expect((await get('/adm/logger', ADMIN, 'POST', '{'))[0]).toBe(400);
  expect(seen).toEqual([]);
  expect(await get('/adm/logger', PASS)).toEqual([200, { backend: '/adm/logger' }]);
  await get('/adm/logger', PASS, 'POST', JSON.stringify(loggers));
  expect(seen.map(({ method, url, body }) => [method, url, body])).toEqual([
    ['GET', '/adm/logger', ''],
    ['POST', '/adm/logger', JSON.stringify(loggers)],
  ]);
});

test('loggers of Spring Boot are read by their effective levels, and set one by one', async () => {
  const loggers = {
    ROOT: { configuredLevel: 'INFO', effectiveLevel: 'INFO' },
    'com.example': { effectiveLevel: 'WARN' },
  };
  const { get, seen } = await ingress(
    { actuator: true },
    {
      'GET /actuator/loggers': { levels: [], loggers },
      'POST /actuator/loggers/com.example': 204,
      'POST /actuator/loggers/none': 404,
    },
  );
  expect(await get('/adm/logger', PASS)).toEqual([
    200,
    [
      { name: 'ROOT', level: 'INFO' },
      { name: 'com.example', level: 'WARN' },
    ],
  ]);
  const set = (name: string, level: string) => get('/adm/logger', PASS, 'POST', JSON.stringify([{ name, level }]));
  expect(await set('com.example', 'debug')).toEqual([200, [{ name: 'com.example', level: 'DEBUG' }]]);
  expect(seen.at(-1)).toMatchObject({ url: '/actuator/loggers/com.example', body: '{"configuredLevel":"DEBUG"}' });
  expect(await set('none', 'info')).toEqual([
    502,
    expect.objectContaining({ detail: expect.stringContaining('answered 404') }),
  ]);
  const before = seen.length;
  expect((await set('a', 'loud'))[0]).toBe(400);
  expect((await set('a/../../shutdown', 'info'))[0]).toBe(400);
  expect(seen).toHaveLength(before);
});

test('a backend that does not answer, or is not to be asked, is said to be so', async () => {
  const backend = await nobody();
  for (const actuator of [false, true]) {
    const { get } = await ingress({ backend, actuator });
    expect(await get('/adm/logger', PASS)).toEqual([502, expect.objectContaining({ status: 502 })]);
  }
  const off = await ingress({ passThrough: false });
  expect(await off.get('/adm/logger', PASS)).toEqual([
    403,
    expect.objectContaining({ detail: expect.stringContaining('admin.passThrough') }),
  ]);
  expect(off.seen).toEqual([]);
});

test('a POST whose backend takes no connection is done by the next instance, and only then', async () => {
  const dead = await ingress({ backend: await nobody() });
  const cutting = await ingress();
  cutting.server.prependListener('request', (request) => request.socket.destroy());
  const live = await ingress();
  const post = async (urls: readonly string[]): Promise<number> => {
    const { calls, fetch } = rigOf(urls.map((url) => new FakeEndpoint(url)));
    ends.add(() => calls.close({ timeoutMs: 0 }));
    const { status } = await fetch('/orders', { method: 'POST', body: 'one order' });
    return status;
  };
  expect(await post([dead.url, live.url])).toBe(200);
  expect(await post([cutting.url, live.url])).toBe(502);
  expect(live.seen).toEqual([expect.objectContaining({ method: 'POST', body: 'one order' })]);
  expect(await post([dead.url])).toBe(502);
  expect(await dead.get('/orders', {}, 'POST', 'one order')).toEqual([
    502,
    expect.objectContaining({ detail: expect.stringContaining('Nothing of the request has reached it') }),
  ]);
});

test('that nothing was sent is said of the sidecar alone, never passed on for a backend', async () => {
  const up = await upstream(
    ends,
    (_request, response) => void response.writeHead(503, { 'Signalbox-Unsent': 'true' }).end(),
  );
  const { url } = await ingress({ backend: up.url });
  const response = await fetch(`${url}/x`);
  expect([response.status, response.headers.get('signalbox-unsent')]).toEqual([503, null]);
});

test('a request that was here before goes no further', async () => {
  const { get } = await ingress();
  expect((await get('/x', { via: '1.1 test-ingress' }))[0]).toBe(508);
});

/** What comes back over a socket when these bytes are sent, up to its end. */
async function raw(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(bytes);
  return (await socket.toArray()).join('');
}

test('SEC1 an upgrade to anything but a WebSocket makes no tunnel: it is a request like others', async () => {
  const { port, seen, server } = await ingress();
  const tunnels: string[] = [];
  server.on('upgrade', (request, socket) => {
    tunnels.push(String(request.headers.upgrade));
    socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
  });
  for (const upgrade of ['h2c', 'h2c, websocket', 'websocket, h2c', 'TLS/1.0', 'websocket/13']) {
    const first = `POST /up HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: ${upgrade}\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nX-Own: yes\r\nContent-Length: 4\r\n\r\nbody`;
    const guarded = first.replace('/up', '/actuator/env');
    const last = 'GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
    const statuses = (await raw(port, first + guarded + last)).match(/HTTP\/1.1 \d+/g);
    expect([upgrade, statuses]).toEqual([upgrade, ['HTTP/1.1 200', 'HTTP/1.1 401', 'HTTP/1.1 200']]);
  }
  expect(tunnels).toEqual([]);
  expect(new Set(seen.map(({ url }) => url))).not.toContain('/actuator/env');
  expect(seen[0]).toMatchObject({ url: '/up', body: 'body', headers: { 'x-own': 'yes' } });
  for (const name of ['upgrade', 'http2-settings']) expect(seen[0]?.headers).not.toHaveProperty(name);
});

test('SEC1 what some would cut off at a fragment goes nowhere, nor what names its path a second time', async () => {
  const { port, get, seen } = await ingress();
  for (const path of ['/x#/../actuator/env', '/x?#', '/\u00e4']) {
    const answer = await raw(port, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect([path, answer.slice(0, 12)]).toEqual([path, 'HTTP/1.1 400']);
  }
  await get('/x', { 'X-Original-URL': '/adm', 'X-Rewrite-URL': '/adm' });
  expect(seen).toHaveLength(1);
  for (const name of ['x-original-url', 'x-rewrite-url']) expect(seen[0]?.headers).not.toHaveProperty(name);
});
