import { createServer as createH2cServer } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import type { CallOptions } from '../../../src/sdk/calling/options.ts';
import { SignalboxError } from '../../../src/sdk/errors.ts';
import { Peer, rigOf, until, type FakeEndpoint, type Rig } from './peers.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

async function peer(...of: Parameters<typeof Peer.http>): Promise<Peer> {
  const made = await Peer.http(...of);
  ends.push(() => made.stop());
  return made;
}

function rig(endpoints: FakeEndpoint[], options?: CallOptions): Rig {
  const made = rigOf(endpoints, options);
  ends.push(() => made.calls.close({ timeoutMs: 0 }));
  return made;
}

const good = () => peer((_request, response) => response.end('good'));

/** A call of whoever makes requests in a way of its own, as the sidecar. */
const request = (about: { idempotent?: boolean } = {}) => ({
  method: 'GET',
  key: undefined,
  idempotent: about.idempotent,
  timeoutMs: undefined,
  signal: undefined,
  hasIdempotencyKey: () => false,
  bodyIsWhole: () => true,
});

test('mistakes of callers do not open the circuit for the others', async () => {
  const fine = await good();
  const { fetch, text, calls } = rig([fine.endpoint], { breaker: { minCalls: 5 } });
  for (let n = 0; n < 10; n++) await expect(fetch('/', { headers: { 'a b': 'c' } })).rejects.toThrow(TypeError);
  const bodyOfGet = { body: 'x' };
  for (let n = 0; n < 10; n++) await expect(fetch('/', bodyOfGet)).rejects.toThrow(TypeError);
  expect([await text('/'), calls.breaker?.state]).toEqual(['good', 'closed']);
});

test('who leaves before there is a connection does not open the circuit for the others', async () => {
  const fine = await good();
  const { text, calls } = rig([fine.endpoint], { breaker: { minCalls: 5 } });
  for (let n = 0; n < 10; n++) {
    const leaving = calls.call(request(), () => Promise.reject(new Error('the caller has gone')));
    await expect(leaving).rejects.toThrow('the caller has gone');
  }
  expect([await text('/'), calls.breaker?.state]).toEqual(['good', 'closed']);
  expect(fine.endpoint.outcomes.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 'cancelled'));
});

test('the connection of an answer that is not wanted and never ends is free again soon', async () => {
  const busy = await peer((_request, response) => response.writeHead(503).write('x'));
  const fine = await good();
  const { text, calls } = rig([busy.endpoint, fine.endpoint], { connections: { max: 1 }, timeoutMs: 4000 });
  expect(await text('/')).toBe('good');
  expect(calls.statsOf(busy.endpoint).open).toBe(1);
  await until(() => busy.openSockets === 0);
  expect(busy.endpoint.outcomes).toEqual(['failed']);
  expect(calls.statsOf(busy.endpoint)).toMatchObject({ open: 0, waiting: 0 });
});

test('where nobody else can be asked for, what went wrong is said, or answered', async () => {
  const busy = await peer((incoming, response) =>
    incoming.url === '/cut' ? response.destroy() : response.writeHead(503).end('busy'),
  );
  const { fetch, targets } = rig([busy.endpoint], { breaker: false });
  const { pick } = targets;
  let picks = 0;
  targets.pick = (...given) => {
    if (picks++ % 2 === 0) return pick.apply(targets, given);
    throw new SignalboxError('stale', 'too old');
  };
  const answer = await fetch('/');
  expect([answer.status, await answer.text()]).toEqual([503, 'busy']);
  await expect(fetch('/cut')).rejects.toMatchObject({ code: 'call-failed' });
});

test('421 is asked once more over another connection, as fetch has it, and is the answer then', async () => {
  let left = 1;
  const server = await peer((_request, response) => response.writeHead(left-- > 0 ? 421 : 200).end('said'));
  const { fetch, text, calls } = rig([server.endpoint]);
  expect(await text('/')).toBe('said');
  expect([server.requests, server.sockets.length, server.endpoint.outcomes]).toEqual([2, 2, ['ok', 'ok']]);
  left = 2;
  const refused = await fetch('/');
  expect([refused.status, await refused.text()]).toEqual([421, 'said']);
  expect([server.requests, server.endpoint.outstanding, calls.breaker?.state]).toEqual([4, 0, 'closed']);
});

test('the second try of 421 ends with the call as well', async () => {
  let requests = 0;
  const server = await peer((_request, response) => {
    requests += 1;
    // Of the first one the headers alone.
    if (requests === 1) response.writeHead(421).write('x');
  });
  const { fetch } = rig([server.endpoint], { timeoutMs: 200, retries: 0 });
  await expect(fetch('/')).rejects.toMatchObject({ code: 'timeout' });
  expect(server.endpoint.outcomes).toEqual(['cancelled', 'failed']);
  await until(() => server.openSockets === 0);
});

test.each([NaN, -1, '5' as unknown as number])('a time of %p is no time', async (timeoutMs) => {
  const fine = await good();
  const { fetch } = rig([fine.endpoint]);
  await expect(fetch('/', { timeoutMs })).rejects.toMatchObject({ code: 'invalid-options' });
  expect(fine.endpoint.begun).toBe(0);
});

test('options of calls that make no sense are said at once, by their names', () => {
  const wrong: readonly [CallOptions, string][] = [
    [{ timeoutMs: NaN }, 'timeoutMs'],
    [{ connectTimeoutMs: 0 }, 'connectTimeoutMs'],
    [{ bodyTimeoutMs: -1 }, 'bodyTimeoutMs'],
    [{ retries: 1.5 }, 'retries'],
    [{ retries: NaN }, 'retries'],
    [{ retryBudget: { ratio: -1 } }, 'retryBudget.ratio'],
    [{ breaker: { failureRatio: 2 } }, 'breaker.failureRatio'],
    [{ breaker: { windowMs: 0 } }, 'breaker.windowMs'],
    [{ connections: { max: 0 } }, 'connections.max'],
    [{ connections: { jitter: NaN } }, 'connections.jitter'],
    [{ connections: { maxStreams: Infinity } }, 'connections.maxStreams'],
    [{ http2: 'always' as 'auto' }, 'http2'],
  ];
  for (const [options, name] of wrong) {
    const named = { code: 'invalid-options', message: expect.stringContaining(name) as unknown as string };
    expect(() => rigOf([], options)).toThrow(expect.objectContaining(named) as unknown as Error);
  }
  expect(() => rigOf([], { timeoutMs: Infinity, bodyTimeoutMs: 0, connections: { maxAgeMs: Infinity } })).not.toThrow();
});

/** Answers the first request of each connection, and cuts it at the next one. */
const forgetful = () => {
  const seen = new WeakSet();
  return peer((incoming, response) => {
    if (seen.has(incoming.socket)) return incoming.socket.destroy();
    seen.add(incoming.socket);
    return response.end('good');
  });
};

test('what was reset over a connection that was used before is sent once more over a new one', async () => {
  const server = await forgetful();
  const { text } = rig([server.endpoint], { retries: 0, repeatReset: true });
  for (let n = 0; n < 5; n++) expect(await text('/')).toBe('good');
  // The first one of all needs no second try; each later one goes over the connection before it, and a new one.
  expect([server.requests, server.sockets.length]).toEqual([9, 5]);
  await expect(text('/', { method: 'POST', body: 'one order' })).rejects.toMatchObject({ code: 'call-failed' });
});

test('so it is over HTTP/2', async () => {
  const seen = new WeakSet();
  const server = createH2cServer();
  server.on('sessionError', () => {});
  server.on('stream', (stream) => {
    stream.on('error', () => {});
    const { session } = stream;
    if (session === undefined) return;
    if (seen.has(session)) return session.destroy();
    seen.add(session);
    stream.respond();
    stream.end('good');
  });
  const made = await Peer.of(server, 'http', { http2: 'h2c' });
  ends.push(() => made.stop());
  const { text } = rig([made.endpoint], { retries: 0, repeatReset: true });
  for (let n = 0; n < 4; n++) expect(await text('/', { method: 'DELETE' })).toBe('good');
  expect(made.sockets).toHaveLength(4);
});

test('the new connection is one even where others are unused, or no more may be made', async () => {
  let isForgetful = false;
  const waiting: (() => void)[] = [];
  const fresh = new WeakSet();
  const server = await peer((incoming, response) => {
    const wasUsed = fresh.has(incoming.socket);
    fresh.add(incoming.socket);
    if (!isForgetful) waiting.push(() => response.end('good'));
    else if (wasUsed) incoming.socket.destroy();
    else response.end('new');
  });
  const { text } = rig([server.endpoint], { retries: 0, repeatReset: true, connections: { max: 3 } });
  const first = [text('/'), text('/'), text('/')];
  await until(() => waiting.length === 3);
  for (const answer of waiting) answer();
  await Promise.all(first);
  await sleep(10);
  isForgetful = true;
  expect(await text('/')).toBe('new');
  expect([server.requests, server.sockets.length]).toEqual([5, 4]);
});

test('a new connection that is cut is not tried again, and without the option nor is a used one', async () => {
  const cutting = await peer((incoming) => incoming.socket.destroy());
  await expect(
    rig([cutting.endpoint], { retries: 0, repeatReset: true, breaker: false }).text('/'),
  ).rejects.toMatchObject({ code: 'call-failed' });
  expect(cutting.requests).toBe(1);
  const server = await forgetful();
  const plain = rig([server.endpoint], { retries: 0 });
  expect(await plain.text('/')).toBe('good');
  await expect(plain.text('/')).rejects.toMatchObject({ code: 'call-failed' });
  expect(server.requests).toBe(2);
});

test('with retries left another instance is asked, and the same one over a new connection where there is none', async () => {
  const [alone, server, fine] = [await forgetful(), await forgetful(), await good()];
  const single = rig([alone.endpoint], { retries: 1 });
  for (let n = 0; n < 3; n++) expect(await single.text('/')).toBe('good');
  expect([alone.requests, alone.sockets.length]).toEqual([5, 3]);
  const two = rig([server.endpoint, fine.endpoint], { retries: 1 });
  for (let n = 0; n < 4; n++) expect(await two.text('/')).toBe('good');
  expect([server.requests, server.sockets.length, fine.requests]).toEqual([3, 2, 2]);
});

test('second tries over new connections are within the budget as well', async () => {
  const server = await forgetful();
  const { text } = rig([server.endpoint], {
    retries: 0,
    repeatReset: true,
    breaker: false,
    retryBudget: { ratio: 0, perSecond: 0, burst: 1 },
  });
  expect([await text('/'), await text('/')]).toEqual(['good', 'good']);
  await expect(text('/')).rejects.toMatchObject({ code: 'call-failed' });
});
