import { once } from 'node:events';
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import type { Readable } from 'node:stream';
import { afterEach, expect, test } from '@jest/globals';
import { SignalboxError } from '../../src/sdk/errors.ts';
import { Listener } from '../../src/sidecar/listen/listener.ts';
import { until } from '../acceptance/until.ts';
import { egressTo, Ends, nobody, upstream } from './egress-rig.ts';

const ends = new Ends();
afterEach(() => ends.all());

const text = async (stream: Readable): Promise<string> => (await stream.toArray()).join('');

test('a request goes to an instance without its prefix, with the host of the target, and its answer comes back', async () => {
  let seen: { url?: string; headers?: IncomingHttpHeaders } = {};
  const up = await upstream(ends, (request, response) => {
    seen = { url: request.url ?? '', headers: request.headers };
    response.writeHead(201, {
      'x-own': 'yes',
      'set-cookie': ['a=1', 'b=2'],
      connection: 'x-private',
      'x-private': 'no',
    });
    response.end('made');
  });
  const { url, network } = await egressTo(ends, [up.url]);
  const response = await fetch(`${url}/orders/17?full=1`, {
    headers: { traceparent: '00-1-2-01', 'service-x': 'kept', 'env-tag': 'prod' },
  });
  expect([response.status, await response.text()]).toEqual([201, 'made']);
  expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  expect(response.headers.get('x-own')).toBe('yes');
  expect(response.headers.get('x-private')).toBeNull();
  expect(seen.url).toBe('/17?full=1');
  expect(seen.headers).toMatchObject({
    host: new URL(up.url).host,
    traceparent: '00-1-2-01',
    'service-x': 'kept',
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': new URL(url).host,
    via: '1.1 test-egress',
  });
  expect(seen.headers).not.toHaveProperty('env-tag');
  expect(network.selections).toEqual([{ service: 'orders.example.com', environment: 'prod' }]);
});

test('an instance that takes no connection is passed over, also with a body, of which nothing was read', async () => {
  const up = await upstream(ends, (request, response) => void request.pipe(response));
  const dead = await nobody();
  const { url, network, ended } = await egressTo(ends, [dead, up.url]);
  const response = await fetch(`${url}/orders/1`, { method: 'POST', body: 'whole' });
  expect([response.status, await response.text()]).toEqual([200, 'whole']);
  expect(network.attempts).toEqual([dead, up.url]);
  expect(ended).toEqual(['orders.example.com retry', 'orders.example.com 200']);
});

test('what fails is said in problem+json, with what to do', async () => {
  const { url, network } = await egressTo(ends, [await nobody()]);
  const ask = async (path: string, headers: Record<string, string> = {}): Promise<[number, string | null, string]> => {
    const named = path === '/new' ? { service_id: 'new.example.com', ...headers } : headers;
    const response = await fetch(url + path, { method: 'POST', body: 'x', headers: named });
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    const { type, status } = (await response.json()) as { type: string; status: number };
    expect(status).toBe(response.status);
    return [status, response.headers.get('retry-after'), type];
  };
  expect(await ask('/nowhere')).toEqual([404, null, '/problems/sidecar/no-route']);
  expect(await ask('/orders')).toEqual([502, null, '/problems/sidecar/upstream-failed']);
  network.move('orders.example.com', []);
  expect(await ask('/orders')).toEqual([503, null, '/problems/sidecar/no-instances']);
  expect(await ask('/new')).toEqual([503, '1', '/problems/sidecar/not-ready']);
  expect(await ask('/new', { service_url: 'http://127.0.0.1:1' })).toEqual([503, '1', '/problems/sidecar/not-ready']);
});

test('an open circuit says for how long', async () => {
  const up = await upstream(ends, (_request, response) => void response.writeHead(500).end());
  const breaker = { minCalls: 2, failureRatio: 0.4, openMs: 2500 };
  const { url } = await egressTo(ends, [up.url], { calls: { breaker } });
  expect((await fetch(`${url}/orders`)).status).toBe(500);
  expect((await fetch(`${url}/orders`)).status).toBe(500);
  const refused = await fetch(`${url}/orders`);
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '3']);
  expect(await refused.json()).toMatchObject({ type: '/problems/sidecar/circuit-open' });
});

test('what is refused is counted, upgrades too', async () => {
  const { url, port, ended } = await egressTo(ends, []);
  await fetch(`${url}/nowhere`);
  const call = httpRequest({ port, path: '/nowhere', headers: { connection: 'Upgrade', upgrade: 'websocket' } }).end();
  await once(call, 'response');
  expect(ended).toEqual([' 404', ' 404']);
});

test('SEC4 service_url is taken for an instance of its service and for nothing else', async () => {
  const asked: string[] = [];
  const serve = (name: string) =>
    upstream(ends, (_request, response) => {
      asked.push(name);
      response.end(name);
    });
  const [one, two, internal, allowed] = [
    await serve('one'),
    await serve('two'),
    await serve('internal'),
    await serve('allowed'),
  ];
  const { url } = await egressTo(ends, [one.url, two.url], { allowedUrls: new Set([allowed.url]) });
  const ask = async (headers: Record<string, string>): Promise<[number, string]> => {
    const response = await fetch(`${url}/x`, { headers });
    return [response.status, await response.text()];
  };
  const service_id = 'orders.example.com';
  for (let n = 0; n < 3; n++) expect(await ask({ service_id, service_url: two.url })).toEqual([200, 'two']);
  expect(await ask({ service_url: allowed.url })).toEqual([200, 'allowed']);
  for (const headers of [
    { service_id, service_url: internal.url },
    { service_url: internal.url },
    { service_url: one.url },
    { service_id, service_url: `${two.url}@${new URL(internal.url).host}` },
    { service_id, service_url: `http://x@${new URL(two.url).host}` },
    { service_id, service_url: 'http://169.254.169.254/latest' },
    { service_id, service_url: 'file:///etc/passwd' },
  ]) {
    const [status] = await ask(headers as unknown as Record<string, string>);
    expect([400, 403]).toContain(status);
  }
  expect(asked).toEqual(['two', 'two', 'two', 'allowed']);
});

test('SEC4 a request target that is a whole URL goes nowhere', async () => {
  const up = await upstream(ends, (_request, response) => response.end());
  const { port, network } = await egressTo(ends, [up.url], {
    routes: [{ prefix: '/', service: 'orders.example.com', strip: false }],
  });
  const socket = connect(port, '127.0.0.1');
  socket.end('GET http://169.254.169.254/orders HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  expect(await text(socket)).toMatch(/^HTTP\/1.1 400 /);
  expect(network.attempts).toEqual([]);
});

test('a request that was here before goes no further', async () => {
  const up = await upstream(ends, (_request, response) => response.end());
  const { url } = await egressTo(ends, [up.url]);
  expect((await fetch(`${url}/orders`, { headers: { via: '1.1 other, 1.1 test-egress' } })).status).toBe(508);
  expect((await fetch(`${url}/orders`, { headers: { via: '1.1 test-egress-2' } })).status).toBe(200);
});

test('a caller who names what cannot be called is told so, and ends nothing for others', async () => {
  const up = await upstream(ends, (_request, response) => response.end('good'));
  const { url, port, network, ended } = await egressTo(ends, [up.url]);
  const headers = { service_id: 'database.example.com' };
  network.downstream = () => {
    throw new SignalboxError('invalid-options', 'DATABASE_URL has a user name or a password in it');
  };
  const refused = await fetch(`${url}/x`, { headers });
  expect([refused.status, await refused.json()]).toEqual([
    502,
    expect.objectContaining({ type: '/problems/sidecar/upstream-failed' }),
  ]);
  const call = httpRequest({ port, path: '/x', headers: { ...headers, connection: 'Upgrade', upgrade: 'websocket' } });
  const [answer] = (await once(call.end(), 'response')) as [IncomingMessage];
  expect(answer.statusCode).toBe(502);
  expect(ended).toEqual([' 502', ' 502']);
});

test('what a mistake of the sidecar brings about ends the request, and nothing else', async () => {
  const errors: unknown[] = [];
  const handlers = {
    request: () => {
      throw new Error('a mistake');
    },
    upgrade: () => {
      throw new Error('another one');
    },
  };
  const options = { host: '127.0.0.1', port: 0, maxHeaderBytes: 16_384, headersTimeoutMs: 5000, maxConnections: 9 };
  const listener = new Listener({ ...options, onError: (error) => errors.push(error) }, handlers);
  const port = await listener.listen();
  ends.add(() => listener.close(0));
  for (const headers of [{}, { connection: 'Upgrade', upgrade: 'websocket' }]) {
    const call = httpRequest({ port, headers }).end();
    await expect(once(call, 'response')).rejects.toThrow('hang up');
  }
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  ends.add(() => session.destroy());
  const stream = session.request({ ':path': '/' });
  stream.on('error', () => {});
  await once(stream, 'close');
  expect(errors.map((error) => (error as Error).message)).toEqual(['a mistake', 'another one', 'a mistake']);
});

test('a web page can call nothing through what listens on loopback', async () => {
  const up = await upstream(ends, (_request, response) => response.end('good'));
  const { port } = await egressTo(ends, [up.url]);
  const ask = async (to: number, headers: Record<string, string>): Promise<number | undefined> => {
    const call = httpRequest({ port: to, path: '/orders', headers }).end();
    const [answer] = (await once(call, 'response')) as [IncomingMessage];
    await text(answer);
    return answer.statusCode;
  };
  const foreign: Record<string, string>[] = [
    { host: 'evil.example.com' },
    { host: `127.0.0.1.evil.example.com:${port}` },
    { origin: 'https://evil.example.com' },
    { origin: 'null' },
    { origin: 'http://localhost.evil.example.com' },
    { 'sec-fetch-site': 'cross-site' },
  ];
  for (const headers of foreign) expect([headers, await ask(port, headers)]).toEqual([headers, 403]);
  for (const headers of [
    {},
    { host: 'localhost' },
    { host: '[::1]:4480' },
    { origin: 'http://localhost:3000', 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-origin' },
  ] as Record<string, string>[])
    expect([headers, await ask(port, headers)]).toEqual([headers, 200]);
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  ends.add(() => session.destroy());
  const stream = session.request({ ':path': '/orders', ':authority': 'evil.example.com' });
  expect((await once(stream, 'response'))[0]).toMatchObject({ ':status': 403 });
  const remote = await egressTo(ends, [up.url], { localOnly: false });
  for (const headers of foreign) expect([headers, await ask(remote.port, headers)]).toEqual([headers, 200]);
});

test('a named instance that does not answer is late as any other', async () => {
  const up = await upstream(ends, () => {});
  const { url } = await egressTo(ends, [up.url], { calls: { timeoutMs: 200 } });
  const headers = { service_id: 'orders.example.com', service_url: up.url };
  expect((await fetch(`${url}/x`, { headers })).status).toBe(504);
});

test('service_url is for that instance, also where its weight is 0, and never for another one', async () => {
  const [idle, busy] = [
    await upstream(ends, (_request, response) => response.end('idle')),
    await upstream(ends, (_request, response) => response.end('busy')),
  ];
  const { url, network } = await egressTo(ends, [idle.url, busy.url]);
  network.weights.set(idle.url, 0);
  network.move('orders.example.com', [idle.url, busy.url]);
  const ask = async (headers: Record<string, string>): Promise<string> =>
    (await fetch(`${url}/orders`, { headers })).text();
  const service_id = 'orders.example.com';
  for (let n = 0; n < 3; n++) expect(await ask({})).toBe('busy');
  for (let n = 0; n < 3; n++) expect(await ask({ service_id, service_url: idle.url })).toBe('idle');
  network.move('orders.example.com', [busy.url]);
  expect(await ask({ service_id, service_url: idle.url })).toContain('service-url-not-allowed');
});

test('calls of a service that gives way to others come to their answers, also those that wait for a connection', async () => {
  const held: (() => void)[] = [];
  const up = await upstream(ends, (_request, response) => void held.push(() => response.end('good')));
  const { url, network } = await egressTo(ends, [up.url], { calls: { connections: { max: 1 } } });
  for (const other of ['a', 'b', 'c']) network.services.set(`${other}.example.com`, []);
  network.services.set('named.example.com', [up.url]);
  const get = (service: string) => fetch(url, { headers: { service_id: service } });
  const both = [get('named.example.com'), get('named.example.com')];
  await until('one is there, and the other waits', () => network.attempts.length === 2 && held.length === 1);
  for (const other of ['a', 'b', 'c']) expect((await get(`${other}.example.com`)).status).toBe(503);
  expect(network.closed).toEqual(['named.example.com']);
  held.shift()?.();
  await until('the other one is there', () => held.length === 1);
  held.shift()?.();
  const answers = await Promise.all(both.map(async (answer) => (await answer).text()));
  expect(answers).toEqual(['good', 'good']);
  await until('it has ended', () =>
    network.called.some(({ id, state }) => id === 'named.example.com' && state === 'closed'),
  );
});
