import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { until } from '../kit/until.ts';
import { egressTo, Ends, upstream, type Rig } from './egress-rig.ts';

const ends = new Ends();
afterEach(() => ends.all());

/** More than sockets and streams keep. */
const REST = 'x'.repeat(20_000_000);
const PATHS = ['/nowhere', '/orders/unread', '/orders/read'];

/** An egress to an instance that answers before the body has come. */
async function answeredEarly(): Promise<Rig> {
  const up = await upstream(ends, (request, response) => {
    if (request.url !== '/unread') request.resume();
    if (request.url !== '/large') return void response.end('early');
    response.writeHead(200, { trailer: 'x-sum' }).write(REST);
    response.addTrailers({ 'x-sum': '1' });
    response.end();
  });
  return egressTo(ends, [up.url]);
}

test('over HTTP/2, a caller whose answer is whole has some time for the rest of its body', async () => {
  const rig = await answeredEarly();
  const session = connectHttp2(rig.url);
  ends.add(() => session.destroy());
  const streams = PATHS.map((path) => session.request({ ':path': path, ':method': 'POST' }));
  const began = performance.now();
  const closed = streams.map((stream) => once(stream, 'close'));
  for (const stream of streams) stream.write('x');
  for (const stream of streams) expect((await stream.toArray()).join('')).toMatch(/no-route|^early$/);
  const sent = session.request({ ':path': '/orders/unread', ':method': 'POST' });
  sent.write('x');
  await once(sent, 'response');
  sent.end(REST);
  await sent.toArray();
  await Promise.all(closed);
  expect(performance.now() - began).toBeLessThan(10_000);
  expect([...streams, sent].map(({ rstCode }) => rstCode)).toEqual([0, 0, 0, 0]);
});

test('over HTTP/2, a large answer is whole also where its body is not', async () => {
  const rig = await answeredEarly();
  const session = connectHttp2(rig.url);
  ends.add(() => session.destroy());
  for (let n = 0; n < 3; n++) {
    const stream = session.request({ ':path': '/orders/large', ':method': 'POST', te: 'trailers' });
    stream.write('x');
    const trailers = once(stream, 'trailers');
    let bytes = 0;
    for await (const chunk of stream) {
      bytes += (chunk as Buffer).length;
      if (n === 0) await new Promise((done) => setImmediate(done));
    }
    expect([bytes, (await trailers)[0]]).toEqual([REST.length, expect.objectContaining({ 'x-sum': '1' })]);
    stream.destroy();
  }
});

test('over HTTP/1.1, a caller whose answer is whole has some time for the rest of its body, and may ask again after it', async () => {
  const rig = await answeredEarly();
  const sockets = PATHS.slice(1).map((path) => {
    const socket = connect({ port: rig.port, host: '127.0.0.1', allowHalfOpen: true });
    ends.add(() => void socket.destroy());
    socket.on('error', () => {});
    const heard: string[] = [];
    socket.on('data', (data) => void heard.push(data.toString()));
    socket.write(`POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${REST.length + 1}\r\n\r\nx`);
    return { socket, answers: () => heard.join('').split('early').length - 1 };
  });
  await until(() => sockets.every(({ answers }) => answers() === 1));
  for (const { socket } of sockets)
    socket.write(REST + 'POST /orders/unread HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx');
  await until(() => sockets.every(({ answers }) => answers() === 2));
  const began = performance.now();
  for (const { socket } of sockets) socket.write('y');
  await until(() => rig.listener.connections === 0, 10_000);
  expect(performance.now() - began).toBeGreaterThan(4000);
});
