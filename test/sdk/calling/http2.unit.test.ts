import {
  createServer,
  createSecureServer,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { afterEach, expect, test } from '@jest/globals';
import type { CallOptions } from '../../../src/sdk/calling/options.ts';
import { SELF_SIGNED } from '../../health/certificate.ts';
import { Peer, rigOf, until, type Rig } from './peers.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

const TRUST: CallOptions = { tls: { ca: SELF_SIGNED.cert }, retries: 0, breaker: false };

type Listener = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

async function secure(listener: Listener, allowHTTP1 = true): Promise<Peer> {
  return kept(Peer.of(createSecureServer({ ...SELF_SIGNED, allowHTTP1 }, listener), 'https'));
}

async function kept(making: Promise<Peer>): Promise<Peer> {
  const peer = await making;
  ends.push(() => peer.stop());
  return peer;
}

function rig(peers: Peer[], options: CallOptions = TRUST): Rig {
  const made = rigOf(
    peers.map(({ endpoint }) => endpoint),
    options,
  );
  ends.push(() => made.calls.close({ timeoutMs: 0 }));
  return made;
}

const versioned: Listener = (request, response) => void setTimeout(() => response.end(request.httpVersion), 10);

test('many calls share one HTTP/2 connection, over TLS and with prior knowledge', async () => {
  const tls = await secure(versioned, false);
  const plain = await kept(Peer.of(createServer(versioned) as Http2Server, 'http', { http2: 'h2c' }));
  for (const peer of [tls, plain]) {
    const { text, calls } = rig([peer]);
    expect(await Promise.all(Array.from({ length: 60 }, () => text('/')))).toEqual(Array(60).fill('2.0'));
    expect(peer.sockets.length).toBe(1);
    expect(peer.endpoint.outstanding).toBe(0);
    expect(calls.statsOf(peer.endpoint)).toEqual({ open: 1, draining: 0, waiting: 0 });
  }
});

test('who does not speak it, or is not to, is spoken to with HTTP/1.1, one call at a time on a connection', async () => {
  const both = await secure(versioned);
  const only1 = await kept(
    Peer.of(
      createHttpsServer(SELF_SIGNED, (_, response) => response.end('1.1')),
      'https',
    ),
  );
  const never = rig([both], { ...TRUST, http2: 'never' });
  expect(await never.text('/')).toBe('1.1');
  const { text } = rig([only1]);
  expect(await Promise.all(Array.from({ length: 10 }, () => text('/')))).toEqual(Array(10).fill('1.1'));
  expect(only1.sockets.length).toBe(10);
});

test('a POST is alone on its HTTP/2 connection, so that nothing sends it a second time', async () => {
  let most = 0;
  const under = new Map<unknown, number>();
  const peer = await secure((request, response) => {
    const { session } = request.stream;
    under.set(session, (under.get(session) ?? 0) + 1);
    if (request.method === 'POST') most = Math.max(most, under.get(session) ?? 0);
    request.resume().on('end', () =>
      setTimeout(() => {
        under.set(session, (under.get(session) ?? 0) - 1);
        response.end('good');
      }, 10),
    );
  }, false);
  const { text } = rig([peer]);
  await Promise.all(
    Array.from({ length: 40 }, (_, n) => text('/', n % 4 === 0 ? { method: 'POST', body: 'order' } : {})),
  );
  expect(most).toBe(1);
  expect(peer.requests).toBe(40);
  expect(peer.endpoint.outcomes).toEqual(Array(40).fill('ok'));
});

test('a POST does not wait for a long answer that has an HTTP/2 connection', async () => {
  const peer = await secure((request, response) => {
    if (request.url === '/endless') response.write('first');
    else response.end('good');
  }, false);
  const { fetch, text } = rig([peer]);
  const endless = await fetch('/endless');
  expect(await text('/', { method: 'POST', body: 'order', timeoutMs: 1000 })).toBe('good');
  expect(peer.sockets.length).toBe(2);
  await endless.body?.cancel();
});

test('HTTP/2 connections are replaced as well, and long answers on them are finished', async () => {
  let sessions = 0;
  const peer = await secure((request, response) => {
    if (request.url !== '/stream') return void response.end('good');
    let left = 20;
    const timer = setInterval(() => {
      if (left-- > 0) response.write('part ');
      else {
        clearInterval(timer);
        response.end();
      }
    }, 20);
  }, false);
  peer.server.on('session', () => (sessions += 1));
  const connections = { maxRequests: 100, maxAgeMs: 150, jitter: 0.3 };
  const { text, settled } = rig([peer], { ...TRUST, connections });
  const streams = Array.from({ length: 4 }, () => text('/stream'));
  let count = 0;
  await Promise.all(
    Array.from({ length: 10 }, async () => {
      while (count < 2000) {
        count += 1;
        expect(await text('/')).toBe('good');
      }
    }),
  );
  expect(await Promise.all(streams)).toEqual(Array(4).fill('part '.repeat(20)));
  await settled();
  expect(peer.endpoint.outcomes.filter((outcome) => outcome !== 'ok')).toEqual([]);
  expect(sessions).toBeGreaterThanOrEqual(20);
  await until(() => peer.openSockets <= 1);
}, 20_000);

test('unused HTTP/2 connections are closed', async () => {
  const peer = await secure(versioned, false);
  const { text } = rig([peer], { ...TRUST, connections: { keepAliveMs: 50 } });
  expect(await text('/')).toBe('2.0');
  await until(() => peer.openSockets === 0);
});

test('an HTTP/2 answer that is given up leaves the others on its connection alone', async () => {
  const peer = await secure((request, response) => {
    if (request.url === '/endless') response.write('first');
    else setTimeout(() => response.end('good'), 40);
  }, false);
  const { fetch, text } = rig([peer]);
  await text('/');
  const [endless, good] = [await fetch('/endless'), text('/')];
  await endless.body?.cancel();
  expect(await good).toBe('good');
  await until(() => peer.endpoint.outstanding === 0);
  expect(peer.endpoint.outcomes.toSorted()).toEqual(['cancelled', 'ok', 'ok']);
  expect(peer.sockets.length).toBe(1);
});

test('a certificate of another name, or of nobody who is trusted, is refused', async () => {
  const peer = await secure(versioned);
  await expect(rig([peer], { retries: 0 }).text('/')).rejects.toMatchObject({
    code: 'call-failed',
    cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
  });
  const other = { ...TRUST, tls: { ...TRUST.tls, servername: 'payments.example.com' } };
  await expect(rig([peer], other).text('/')).rejects.toMatchObject({ cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' } });
  const named = { ...TRUST, tls: { ...TRUST.tls, servername: () => 'localhost' } };
  expect(await rig([peer], named).text('/', { headers: { host: 'payments.example.com' } })).toBe('2.0');
  expect(peer.requests).toBe(1);
});

test('an upgraded connection belongs to who asked for it, until it ends', async () => {
  const server = createHttpServer();
  server.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n');
    socket.pipe(socket);
  });
  const peer = await kept(Peer.of(server));
  const { calls } = rig([peer], { connections: { maxAgeMs: 40, keepAliveMs: 40 } });
  const attempt = calls.acquire(peer.endpoint);
  const { socket } = await attempt.upgrade({ path: '/', protocol: 'echo' });
  await new Promise((resolve) => setTimeout(resolve, 120));
  const heard = new Promise((resolve) => socket.once('data', (data: Buffer) => resolve(data.toString())));
  socket.write('hello');
  expect(await heard).toBe('hello');
  expect(peer.endpoint.outstanding).toBe(1);
  socket.destroy();
  await until(() => peer.endpoint.outstanding === 0);
  expect(peer.endpoint.outcomes).toEqual(['ok']);
});
