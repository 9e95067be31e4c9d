import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { connect, type AddressInfo } from 'node:net';
import { openEdge, type Edge } from './harness.ts';

let edge: Edge;
let port: number;
beforeAll(async () => {
  edge = await openEdge({ config: { bodyMaxBytes: 1024, applyMaxBytes: 1024, readWaitMax: 10, requestTimeout: 1000 } });
  await edge.app.listen({ host: '127.0.0.1', port: 0 });
  ({ port } = edge.app.server.address() as AddressInfo);
});
afterAll(() => edge.app.close());

/** What the server answers to bytes, up to the end of the connection or the time. */
function talk(
  text: string | Buffer,
  { forMs = 500, drip }: { forMs?: number; drip?: string } = {},
): Promise<{ text: string; ended: boolean; ms: number }> {
  const started = performance.now();
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    const dripping = setInterval(() => drip !== undefined && socket.writable && socket.write(drip), 100);
    const finish = (ended: boolean): void => {
      clearInterval(dripping);
      clearTimeout(timer);
      socket.destroy();
      resolve({ text: answer, ended, ms: performance.now() - started });
    };
    const timer = setTimeout(() => {
      finish(false);
    }, forMs);
    socket.on('data', (data: Buffer) => {
      answer += data.toString();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      finish(true);
    });
  });
}

const HEAD = 'Host: localhost\r\n';

test.each<[what: string, bytes: string, status: number, type: string]>([
  ['garbage', 'hello\r\n\r\n', 400, 'malformed-request'],
  ['TLS', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003', 400, 'malformed-request'],
  ['a header without a colon', 'GET / HTTP/1.1\r\nHost: localhost\r\nx\r\n\r\n', 400, 'malformed-request'],
  [
    'a body of two lengths',
    `PUT / HTTP/1.1\r\n${HEAD}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`,
    400,
    'malformed-request',
  ],
  [
    'a body that is both chunked and counted',
    `PUT / HTTP/1.1\r\n${HEAD}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
    'malformed-request',
  ],
  ['headers of 20 kB', `GET / HTTP/1.1\r\n${HEAD}X: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'headers-too-large'],
])('%s is answered with a problem and the connection ends', async (_what, bytes, status, type) => {
  const { text, ended } = await talk(bytes);
  expect(ended).toBe(true);
  expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(JSON.parse(text.split('\r\n\r\n')[1] ?? '')).toMatchObject({ type: `/problems/${type}`, status });
});

test('SEC1 a request without a Host, or with two, is not answered', async () => {
  expect((await talk('GET /v1/regions HTTP/1.1\r\nConnection: close\r\n\r\n')).text).toMatch(/^HTTP\/1.1 40[03] /);
  expect((await talk('GET /v1/regions HTTP/1.0\r\n\r\n')).text).toMatch(/^HTTP\/1.1 403 /);
});

test('a chunked body that is too large is cut off', async () => {
  const chunk = `400\r\n${'x'.repeat(0x400)}\r\n`;
  const { text, ended } = await talk(
    `PUT /v1/regions/us HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}${chunk}`,
  );
  expect(text).toMatch(/^HTTP\/1.1 413 /);
  expect(ended).toBe(true);
});

test('a header that drips in is cut off in time, and so is a body', async () => {
  const [header, body] = await Promise.all([
    talk(`GET /v1/regions HTTP/1.1\r\n${HEAD}`, { drip: 'x: y\r\n', forMs: 8000 }),
    talk(`PUT /v1/regions/us HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n`, {
      drip: ' ',
      forMs: 8000,
    }),
  ]);
  expect(header.text).toMatch(/^HTTP\/1.1 408 /);
  expect(header.ended).toBe(true);
  expect(body.ended).toBe(true);
  expect(Math.max(header.ms, body.ms)).toBeLessThan(6000);
});

test('requests that come in one piece are answered in order', async () => {
  const one = (path: string): string => `GET ${path} HTTP/1.1\r\n${HEAD}\r\n`;
  const { text } = await talk(one('/livez') + one('/v1/regions') + one('/nope'), { forMs: 300 });
  expect([...text.matchAll(/HTTP\/1.1 ([0-9]+)/g)].map((match) => match[1])).toEqual(['200', '200', '404']);
});
