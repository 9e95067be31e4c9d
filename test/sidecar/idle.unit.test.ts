import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { connect, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { afterEach, expect, jest, test } from '@jest/globals';
import { until } from '../kit/until.ts';
import { Authority } from '../support/openssl.ts';
import { egressTo, Ends, upstream } from './egress-rig.ts';

const ends = new Ends();
afterEach(() => ends.all());

/** What a client of HTTP/2 says first, with empty settings. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1');

function certificate(): { cert: string; key: string } {
  const directory = mkdtempSync(join(tmpdir(), 'sidecar-'));
  ends.add(() => rmSync(directory, { recursive: true }));
  return new Authority(directory, 'own').own;
}

/** A client that never ends a connection, and does not notice when others do. */
function stubborn(port: number): Socket {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {});
  ends.add(() => void socket.destroy());
  return socket;
}

test('connections of HTTP/2 without a request are ended, whether or not their clients take part', async () => {
  const times = { headersTimeoutMs: 200 };
  const plain = await egressTo(ends, [], times);
  const secure = await egressTo(ends, [], { ...times, tls: certificate() });
  stubborn(plain.port).write(PREFACE);
  const over = { socket: stubborn(secure.port), rejectUnauthorized: false, ALPNProtocols: ['h2'] };
  const socket = connectTls(over);
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  socket.write(PREFACE);
  await until(() => plain.listener.connections === 1);
  expect(secure.listener.connections).toBe(1);
  await until(() => plain.listener.connections + secure.listener.connections === 0);
});

test('a connection of HTTP/2 is kept while it is used, and for a time after that; pings are no use', async () => {
  let answer: (() => void) | undefined;
  const up = await upstream(ends, (_request, response) => void (answer = () => response.end('late')));
  const rig = await egressTo(ends, [up.url], { headersTimeoutMs: 400, idleMs: 300 });
  const session = connectHttp2(rig.url);
  ends.add(() => session.destroy());
  const [ended, told] = [once(session, 'close'), once(session, 'goaway')];
  const stream = session.request({ ':path': '/orders/1' });
  await sleep(800);
  expect(session.closed).toBe(false);
  answer?.();
  expect((await stream.toArray()).join('')).toBe('late');
  const began = performance.now();
  const pinging = setInterval(() => session.destroyed || session.ping(() => {}), 20);
  await ended;
  clearInterval(pinging);
  // Timers of Node may be a millisecond early.
  expect(performance.now() - began).toBeGreaterThanOrEqual(295);
  expect(performance.now() - began).toBeLessThan(1500);
  expect((await told)[0]).toBe(0);
  await until(() => rig.listener.connections === 0);
});

test('the connection of an upgrade that is refused is ended, also where its client does not end it', async () => {
  const up = await upstream(ends, (_request, response) => response.writeHead(401).end('who are you?'));
  const { port, listener } = await egressTo(ends, [up.url]);
  for (const path of ['/orders/live', '/nowhere']) {
    const socket = stubborn(port);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
    await once(socket, 'data');
  }
  await until(() => listener.connections === 0);
});

test('the connection of an upgrade that is refused ends with its client', async () => {
  const { port, listener } = await egressTo(ends, []);
  const socket = stubborn(port);
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  await once(socket, 'data');
  socket.end();
  await until(() => listener.connections === 0, 500);
});

test('who vanishes without a word is found out by the system', async () => {
  const { port } = await egressTo(ends, []);
  const keepAlive = jest.spyOn(Socket.prototype, 'setKeepAlive');
  ends.add(() => keepAlive.mockRestore());
  const socket = stubborn(port);
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await once(socket, 'data');
  expect(keepAlive.mock.calls).toEqual([[true, 60_000]]);
});
