import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect as connectHttp2, constants, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';
import { afterEach, expect, test } from '@jest/globals';
import { stopsWith } from '../../src/sidecar/proxy/headers.ts';
import { egressTo, Ends, upstream, type Rig } from './egress-rig.ts';

const ends = new Ends();
afterEach(() => ends.all());

/** More calls than an instance may fail in a row. */
const MANY = 20;

/** An egress to two instances, of which one may be left out; their answers have this status and these fields, written as they are. */
async function answeredWith(status: number, fields: readonly string[]): Promise<Rig & { session: ClientHttp2Session }> {
  const serve = () =>
    upstream(ends, (_request, response) => {
      response.sendDate = false;
      response.writeHead(status, [...fields]).end('good');
    });
  const [one, other] = [await serve(), await serve()];
  const rig = await egressTo(ends, [one.url, other.url], { calls: { breaker: false } });
  const session = connectHttp2(rig.url);
  ends.add(() => session.destroy());
  return { ...rig, session };
}

async function ask(session: ClientHttp2Session): Promise<IncomingHttpHeaders> {
  const stream = session.request({ ':path': '/orders/1' });
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  await stream.toArray();
  return headers;
}

const ejections = ({ network }: Rig): number => network.called.reduce((sum, { ejections: more }) => sum + more, 0);

test('an answer that says twice what HTTP/2 takes once is passed on, as HTTP/1.1 is read: the first counts', async () => {
  const rig = await answeredWith(
    200,
    [
      ['x-content-type-options', 'nosniff', 'X-Content-Type-Options', 'nosniff', 'etag', '"1"', 'etag', '"2"'],
      ['content-type', 'text/plain', 'content-type', 'text/html', 'set-cookie', 'a=1', 'set-cookie', 'b=2'],
      ['content-encoding', 'x-a', 'content-encoding', 'x-b', 'content-language', 'en', 'content-language', 'de'],
      ['constructor', 'x', '__proto__', 'y'],
    ].flat(),
  );
  for (let n = 0; n < MANY; n++) {
    expect(await ask(rig.session)).toMatchObject({
      ':status': 200,
      'x-content-type-options': 'nosniff',
      etag: '"1"',
      'content-type': 'text/plain',
      'set-cookie': ['a=1', 'b=2'],
      'content-encoding': 'x-a, x-b',
      'content-language': 'en, de',
      constructor: 'x',
    });
  }
  expect([rig.ended.length, new Set(rig.ended), ejections(rig)]).toEqual([
    MANY,
    new Set(['orders.example.com 200']),
    0,
  ]);
});

test('whatever field an answer has twice, it is passed on over HTTP/2', async () => {
  const stopped = stopsWith();
  const names = Object.entries(constants)
    .filter(([name]) => name.startsWith('HTTP2_HEADER_'))
    .map(([, value]) => String(value))
    .filter((name) => !stopped.has(name) && !name.startsWith(':') && name !== 'content-length');
  expect(names.length).toBeGreaterThan(60);
  for (const name of names) {
    const { session } = await answeredWith(200, [name, '1', name, '2']);
    expect([name, (await ask(session))[':status']]).toEqual([name, 200]);
    await ends.all();
  }
});

test('an answer that HTTP/2 cannot carry fails, and the instance is not left out for it', async () => {
  const rig = await answeredWith(799, []);
  for (let n = 0; n < MANY; n++) expect((await ask(rig.session))[':status']).toBe(502);
  expect([rig.ended.length, new Set(rig.ended), ejections(rig)]).toEqual([
    MANY,
    new Set(['orders.example.com 502']),
    0,
  ]);
  const call = httpRequest({ port: rig.port, path: '/orders' }).end();
  const [answer] = (await once(call, 'response')) as [IncomingMessage];
  expect(answer.statusCode).toBe(799);
  answer.resume();
});
