import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect as connectHttp2, constants } from 'node:http2';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { sendThrough } from '../../src/sidecar/proxy/send-through.ts';
import { egressTo, Ends, nobody, upstream } from './egress-rig.ts';

const ends = new Ends();
afterEach(() => ends.all());

const text = async (stream: Readable): Promise<string> => (await stream.toArray()).join('');

/** Until what is expected is so; the test's own time limit ends it. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(5);
}

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

test('a long upload takes as long as it moves: the time begins when it ends', async () => {
  const up = await upstream(ends, (request, response) => {
    let bytes = 0;
    request.on('data', (chunk: Buffer) => (bytes += chunk.length));
    request.on('end', () => {
      if (request.url !== '/never') response.end(String(bytes));
    });
  });
  const { port, ended } = await egressTo(ends, [up.url], { calls: { timeoutMs: 1000, retries: 0 } });
  const upload = async (path: string): Promise<[number, string]> => {
    const call = httpRequest({ port, path, method: 'POST' });
    const answered = once(call, 'response') as Promise<[IncomingMessage]>;
    for (let n = 0; n < 8; n++) {
      call.write('ten bytes.');
      await sleep(200);
    }
    call.end();
    const [answer] = await answered;
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

test('a caller of one instance who has gone before its turn came is not called for, and holds no connection', async () => {
  const seen: string[] = [];
  let release: (() => void) | undefined;
  const up = await upstream(ends, (request, response) => {
    seen.push(request.url ?? '');
    if (request.url === '/first') release = () => response.end('first');
    else response.end('good');
  });
  const { port, url, ended } = await egressTo(ends, [up.url], {
    calls: { timeoutMs: 30_000, connections: { max: 1 } },
  });
  const headers = { service_id: 'orders.example.com', service_url: up.url };
  const first = fetch(`${url}/first`, { headers });
  await until(() => release !== undefined);
  // Those that were too quick never came to the sidecar.
  for (let wait = 20; ended.length < 5; wait *= 1.2) {
    const gone = httpRequest({ port, path: '/gone', headers }).end();
    gone.on('error', () => {});
    await sleep(wait);
    gone.destroy();
    await sleep(wait);
  }
  release?.();
  expect(await (await first).text()).toBe('first');
  expect(await (await fetch(`${url}/last`, { headers })).text()).toBe('good');
  expect(seen).toEqual(['/first', '/last']);
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
