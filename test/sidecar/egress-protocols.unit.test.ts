import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect as connectHttp2, createSecureServer } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { afterEach, expect, test } from '@jest/globals';
import { WebSocket, WebSocketServer } from 'ws';
import { Authority } from '../support/openssl.ts';
import { egressTo, Ends, upstream } from './egress-rig.ts';

const ends = new Ends();
afterEach(() => ends.all());

const text = async (stream: Readable): Promise<string> => (await stream.toArray()).join('');

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
