import { once } from 'node:events';
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { connect as connectHttp2, constants, createSecureServer } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { afterEach, expect, test } from '@jest/globals';
import { WebSocket, WebSocketServer } from 'ws';
import { Authority } from '../support/openssl.ts';
import { SignalboxError } from '../../src/sdk/errors.ts';
import { sendThrough } from '../../src/sidecar/proxy/send-through.ts';
import { Listener } from '../../src/sidecar/listen/listener.ts';
import { egressTo, Ends, nobody, upstream } from './egress-rig.ts';

const ends = new Ends();
afterEach(() => ends.all());

const text = async (stream: Readable): Promise<string> => (await stream.toArray()).join('');

/** Until what is expected is so; the test's own time limit ends it. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(5);
}

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

test('bodies pass both ways as they come: the first byte is there before the last one is sent', async () => {
  const up = await upstream(ends, (request, response) => void request.pipe(response));
  const { port } = await egressTo(ends, [up.url]);
  const call = httpRequest({ port, path: '/orders/echo', method: 'POST' });
  call.write('first');
  const [answer] = (await once(call, 'response')) as [IncomingMessage];
  const [chunk] = (await once(answer, 'data')) as [Buffer];
  expect(String(chunk)).toBe('first');
  call.end('last');
  expect(await text(answer)).toBe('last');
});

test('a slow reader holds the service up: a large answer passes with bounded memory', async () => {
  const CHUNK = Buffer.alloc(1 << 20);
  const CHUNKS = 50;
  let sent = 0;
  const up = await upstream(ends, (_request, response) => {
    const source = new Readable({
      read() {
        sent += 1;
        this.push(sent > CHUNKS ? null : CHUNK);
      },
    });
    source.pipe(response);
  });
  const { port } = await egressTo(ends, [up.url]);
  const call = httpRequest({ port, path: '/orders/large' });
  call.end();
  const [answer] = (await once(call, 'response')) as [IncomingMessage];
  await sleep(300);
  // What sockets and their buffers hold; without back-pressure all of it would be here.
  expect(sent).toBeLessThan(30);
  let bytes = 0;
  for await (const chunk of answer) bytes += (chunk as Buffer).length;
  expect(bytes).toBe(CHUNKS * CHUNK.length);
});

test('a slow service holds the caller up, too', async () => {
  let take: (() => void) | undefined;
  const up = await upstream(ends, (request, response) => {
    take = () => {
      let bytes = 0;
      request.on('data', (chunk: Buffer) => (bytes += chunk.length));
      request.on('end', () => response.end(String(bytes)));
    };
  });
  const { port } = await egressTo(ends, [up.url]);
  const call = httpRequest({ port, path: '/orders/large', method: 'PUT' });
  const CHUNK = Buffer.alloc(1 << 20);
  let taken = 0;
  Readable.from(
    (function* () {
      for (; taken < 50; taken++) yield CHUNK;
    })(),
  ).pipe(call);
  await until(() => take !== undefined);
  await sleep(300);
  expect(taken).toBeLessThan(30);
  take?.();
  const [answer] = (await once(call, 'response')) as [IncomingMessage];
  expect(await text(answer)).toBe(String(50 * CHUNK.length));
});

test('every byte of a body comes as it is, whether it comes in one piece or in several', async () => {
  const bytes = Buffer.from(Array.from({ length: 4096 }, (_, n) => n % 256));
  const up = await upstream(ends, (request, response) => {
    response.writeHead(200, { 'content-length': bytes.length });
    if (request.url === '/one') return void response.end(bytes);
    response.write(bytes.subarray(0, 1000));
    setTimeout(() => response.end(bytes.subarray(1000)), 20);
  });
  const { url, ended } = await egressTo(ends, [up.url]);
  for (const path of ['one', 'two']) {
    const answer = await fetch(`${url}/orders/${path}`);
    expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true);
  }
  expect((await fetch(`${url}/orders/one`, { method: 'HEAD' })).headers.get('content-length')).toBe('4096');
  expect(ended).toHaveLength(3);
});

test('a WebSocket goes through', async () => {
  const up = await upstream(ends, (_request, response) => response.end());
  const sockets = new WebSocketServer({ server: up.server });
  sockets.on('connection', (socket, request) => {
    socket.on('message', (message) => socket.send(`${request.url} ${String(message as Buffer)}`));
  });
  const { port, ended } = await egressTo(ends, [up.url]);
  const client = new WebSocket(`ws://127.0.0.1:${port}/orders/live?x=1`);
  await once(client, 'open');
  client.send('hello');
  const [message] = (await once(client, 'message')) as [Buffer];
  expect(String(message)).toBe('/live?x=1 hello');
  client.close(1000);
  const [code] = (await once(client, 'close')) as [number];
  expect(code).toBe(1000);
  expect(ended).toEqual(['orders.example.com 101']);
});

test('an upgrade that is turned down, or has nowhere to go, is answered as any request', async () => {
  const up = await upstream(ends, (_request, response) => response.writeHead(401).end('who are you?'));
  const { port } = await egressTo(ends, [up.url]);
  const ask = async (path: string): Promise<[number, string]> => {
    const call = httpRequest({ port, path, headers: { connection: 'Upgrade', upgrade: 'websocket' } }).end();
    const [answer] = (await once(call, 'response')) as [IncomingMessage];
    return [answer.statusCode ?? 0, await text(answer)];
  };
  expect(await ask('/orders/live')).toEqual([401, 'who are you?']);
  expect((await ask('/nowhere'))[0]).toBe(404);
});

test('HTTP/2 without TLS is spoken on the same port', async () => {
  const up = await upstream(ends, (request, response) => {
    response.writeHead(200, { 'x-method': request.method, trailer: 'x-sum' });
    request.on('data', (chunk) => response.write(chunk));
    request.on('end', () => {
      response.addTrailers({ 'x-sum': '3' });
      response.end();
    });
  });
  const { url } = await egressTo(ends, [up.url]);
  const session = connectHttp2(url);
  ends.add(() => session.destroy());
  const streams = [1, 2, 3].map((n) => {
    const stream = session.request({ ':path': `/orders/${n}`, ':method': 'POST', te: 'trailers' });
    stream.end(`body ${n}`);
    return stream;
  });
  for (const [n, stream] of streams.entries()) {
    const [headers] = await once(stream, 'response');
    const trailers = once(stream, 'trailers');
    expect(headers).toMatchObject({ ':status': 200, 'x-method': 'POST' });
    expect(await text(stream)).toBe(`body ${n + 1}`);
    expect((await trailers)[0]).toMatchObject({ 'x-sum': '3' });
  }
  expect((await fetch(`${url}/orders/1`)).status).toBe(200);
});

test('a service that breaks off half way gives an answer that is cut, and no end that looks like one', async () => {
  const up = await upstream(ends, (request, response) => {
    response.write('half');
    setTimeout(() => request.socket.destroy(), 50);
  });
  const { port, url, ended } = await egressTo(ends, [up.url]);
  const call = httpRequest({ port, path: '/orders/1' }).end();
  const [answer] = (await once(call, 'response')) as [IncomingMessage];
  await expect(text(answer)).rejects.toThrow('aborted');
  expect(answer.complete).toBe(false);
  const session = connectHttp2(url);
  ends.add(() => session.destroy());
  const stream = session.request({ ':path': '/orders/1' });
  stream.resume();
  await once(stream, 'error');
  expect(stream.rstCode).toBe(constants.NGHTTP2_INTERNAL_ERROR);
  expect(ended).toEqual(['orders.example.com cut', 'orders.example.com cut']);
});

test('a caller who gives up ends the call', async () => {
  let [seen, gone] = [0, 0];
  const up = await upstream(ends, (request, response) => {
    seen += 1;
    response.on('close', () => (gone += 1));
    if (request.url === '/begun') response.write('x');
  });
  const { port, ended } = await egressTo(ends, [up.url]);
  for (const path of ['/orders/waiting', '/orders/begun']) {
    const call = httpRequest({ port, path, method: 'GET' }).end();
    call.on('error', () => {});
    await (path.endsWith('begun') ? once(call, 'response') : until(() => seen === 1));
    call.destroy();
  }
  await until(() => gone === 2);
  await until(() => ended.length === 2);
  expect(ended).toEqual(['orders.example.com cancelled', 'orders.example.com cancelled']);
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

test('a long upload takes as long as it moves: the time begins when it ends', async () => {
  const up = await upstream(ends, (request, response) => {
    let bytes = 0;
    request.on('data', (chunk: Buffer) => (bytes += chunk.length));
    request.on('end', () => {
      if (request.url !== '/never') response.end(String(bytes));
    });
  });
  const { port, ended } = await egressTo(ends, [up.url], { calls: { timeoutMs: 200, retries: 0 } });
  const upload = async (path: string): Promise<[number, string]> => {
    const call = httpRequest({ port, path, method: 'POST' });
    for (let n = 0; n < 8; n++) {
      call.write('ten bytes.');
      await sleep(80);
    }
    call.end();
    const [answer] = (await once(call, 'response')) as [IncomingMessage];
    return [answer.statusCode ?? 0, await text(answer)];
  };
  expect(await upload('/orders/ends')).toEqual([200, '80']);
  const [status, problem] = await upload('/orders/never');
  expect([status, problem]).toEqual([504, expect.stringContaining('upstream-timeout')]);
  expect(ended).toEqual(['orders.example.com 200', 'orders.example.com 504']);
});

test('a body that stops coming is told to its caller, and is no fault of the instance', async () => {
  const up = await upstream(ends, (request, response) => void request.on('end', () => response.end('whole')).resume());
  const { port, url, network } = await egressTo(ends, [up.url], {
    calls: { timeoutMs: 150, breaker: { minCalls: 1, failureRatio: 0 } },
  });
  for (let n = 0; n < 7; n++) {
    const call = httpRequest({ port, path: '/orders/1', method: 'PUT' });
    call.on('error', () => {});
    call.write('some, and never the rest');
    const [answer] = (await once(call, 'response')) as [IncomingMessage];
    expect([answer.statusCode, await text(answer)]).toEqual([408, expect.stringContaining('request-timeout')]);
  }
  // Neither left out nor behind an open circuit.
  expect(await (await fetch(`${url}/orders/1`, { method: 'PUT', body: 'all of it' })).text()).toBe('whole');
  expect(network.called.map(({ ejections }) => ejections)).toEqual([0]);
});

test('a service that takes nothing of a body is late, not its caller', async () => {
  const up = await upstream(ends, () => {});
  const { port } = await egressTo(ends, [up.url], { calls: { timeoutMs: 300, retries: 0 } });
  const call = httpRequest({ port, path: '/orders/1', method: 'PUT' });
  call.on('error', () => {});
  Readable.from(
    (function* () {
      for (;;) yield Buffer.alloc(1 << 20);
    })(),
  ).pipe(call);
  const [answer] = (await once(call, 'response')) as [IncomingMessage];
  expect(answer.statusCode).toBe(504);
  call.destroy();
});

test('the header of an answer does not wait for its body', async () => {
  const up = await upstream(ends, (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
  });
  const { port } = await egressTo(ends, [up.url]);
  const call = httpRequest({ port, path: '/orders/events' }).end();
  const [answer] = (await once(call, 'response')) as [IncomingMessage];
  expect(answer.headers['content-type']).toBe('text/event-stream');
  answer.destroy();
});

test('an answer of the sidecar does not wait for the rest of the request', async () => {
  const { port } = await egressTo(ends, [await nobody()]);
  const call = httpRequest({ port, path: '/orders/1', method: 'POST' });
  call.on('error', () => {});
  call.write('some, and never the rest');
  const [answer] = (await once(call, 'response')) as [IncomingMessage];
  expect(answer.statusCode).toBe(502);
  expect(answer.headers.connection).toBe('close');
  await text(answer);
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

test('a header that does not arrive in time, or is too long, ends its connection', async () => {
  const { port } = await egressTo(ends, [], { headersTimeoutMs: 200, maxHeaderBytes: 4096 });
  const began = performance.now();
  const slow = ['', 'PRI', 'GET /orders HTTP/1.1\r\nX-Slow: '].map(async (bytes) => {
    const socket = connect(port, '127.0.0.1');
    socket.write(bytes);
    return text(socket).catch(() => 'cut');
  });
  const [silent, preface, header] = await Promise.all(slow);
  expect([silent, preface]).toEqual(['', '']);
  expect(header).toMatch(/^HTTP\/1.1 408 /);
  expect(performance.now() - began).toBeLessThan(2000);
  const long = connect(port, '127.0.0.1');
  long.write(`GET /orders HTTP/1.1\r\nX-Long: ${'x'.repeat(5000)}\r\n\r\n`);
  expect(await text(long)).toMatch(/^HTTP\/1.1 431 /);
});

test('HTTP/2 is spoken to instances that speak it, and over TLS to callers', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sidecar-'));
  ends.add(() => rmSync(directory, { recursive: true }));
  const { cert, key } = new Authority(directory, 'own').own;
  const server = createSecureServer({ cert, key });
  server.on('request', (request, response) => {
    response.end(`${request.httpVersion} ${request.url}`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  ends.add(() => void server.close());
  const { port } = await egressTo(ends, [`https://127.0.0.1:${(server.address() as AddressInfo).port}`], {
    tls: { cert, key },
  });
  const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  ends.add(() => session.destroy());
  const stream = session.request({ ':path': '/orders/1' });
  expect(await text(stream)).toBe('2.0 /1');
  const call = httpsRequest({ port, path: '/orders/2', rejectUnauthorized: false }).end();
  const [answer] = (await once(call, 'response')) as [IncomingMessage];
  expect([answer.httpVersion, await text(answer)]).toEqual(['1.1', '2.0 /2']);
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

test('over TLS, HTTP/1.1 has the same limits, and an upgrade to HTTP/2 is none', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sidecar-'));
  ends.add(() => rmSync(directory, { recursive: true }));
  const { cert, key } = new Authority(directory, 'own').own;
  const up = await upstream(ends, (request, response) => response.end(`plain ${request.headers.upgrade}`));
  const { port } = await egressTo(ends, [up.url], {
    tls: { cert, key },
    headersTimeoutMs: 200,
    maxHeaderBytes: 4096,
  });
  const send = async (bytes: string): Promise<string> => {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
    await once(socket, 'secureConnect');
    socket.write(bytes);
    return text(socket);
  };
  const began = performance.now();
  expect(await send('GET /orders HTTP/1.1\r\nX-Slow: ')).toMatch(/^HTTP\/1.1 408 /);
  const silent = connect(port, '127.0.0.1');
  expect(await text(silent)).toBe('');
  expect(performance.now() - began).toBeLessThan(2000);
  expect(await send(`GET /orders HTTP/1.1\r\nX-Long: ${'x'.repeat(5000)}\r\n\r\n`)).toMatch(/^HTTP\/1.1 431 /);
  const upgrade = 'Connection: close, Upgrade\r\nUpgrade: h2c\r\n\r\n';
  expect(await send(`GET /orders HTTP/1.1\r\nHost: localhost\r\n${upgrade}`)).toMatch(
    /^HTTP\/1.1 200 [\s\S]*plain undefined/,
  );
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

test('a caller of one instance who has gone before its turn came is not called for, and holds no connection', async () => {
  const seen: string[] = [];
  let release: (() => void) | undefined;
  const up = await upstream(ends, (request, response) => {
    seen.push(request.url ?? '');
    if (request.url === '/first') release = () => response.end('first');
    else response.end('good');
  });
  const { port, url, ended } = await egressTo(ends, [up.url], { calls: { connections: { max: 1 } } });
  const headers = { service_id: 'orders.example.com', service_url: up.url };
  const first = fetch(`${url}/first`, { headers });
  await until(() => release !== undefined);
  for (let n = 0; n < 5; n++) {
    const gone = httpRequest({ port, path: '/gone', headers }).end();
    gone.on('error', () => {});
    await sleep(20);
    gone.destroy();
  }
  await until(() => ended.length === 5);
  release?.();
  expect(await (await first).text()).toBe('first');
  expect(await (await fetch(`${url}/last`, { headers })).text()).toBe('good');
  expect(seen).toEqual(['/first', '/last']);
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

test('what a caller has given up by the time of an attempt is not sent', async () => {
  let dispatched = 0;
  const attempt = { dispatch: () => (dispatched += 1) };
  const send = sendThrough({ call: (_request, sendOne) => sendOne(attempt) });
  const outgoing = {
    method: 'GET',
    path: '/',
    headers: [],
    body: null,
    upgrade: undefined,
    key: undefined,
    only: undefined,
  };
  const gone = new Error('the caller went away');
  const failed = await new Promise<unknown>((resolve) => {
    const incoming = { upgraded: () => {}, started: () => {}, data: () => {}, ended: () => {}, failed: resolve };
    send(outgoing, { ...incoming, begun: (control) => control.abort(gone) });
  });
  expect([failed, dispatched]).toEqual([gone, 0]);
});
