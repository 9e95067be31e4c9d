import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import type { CallOptions } from '../../../src/sdk/calling/options.ts';
import { FakeEndpoint, Peer, rigOf, type Rig } from './peers.ts';

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

/** An address where nobody listens. */
async function refusing(): Promise<FakeEndpoint> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return new FakeEndpoint(`http://127.0.0.1:${port}`);
}

const good = () => peer((_request, response) => response.end('good'));
/** Reads what is sent, and hangs up without a word. */
const resetting = () => peer((request) => request.resume().on('end', () => request.socket.destroy()));
const answering = (status: number, headers: Record<string, string> = {}) =>
  peer((_request, response) => response.writeHead(status, headers).end(`answered ${status}`));

test('an instance that does not answer is left for another one, and both hear how it went', async () => {
  const [gone, bad, fine] = [await refusing(), await resetting(), await good()];
  const { text, calls } = rig([gone, bad.endpoint, fine.endpoint]);
  expect(await text('/')).toBe('good');
  expect([gone.outcomes, bad.endpoint.outcomes, fine.endpoint.outcomes]).toEqual([['failed'], ['failed'], ['ok']]);
  expect([bad.requests, fine.requests]).toEqual([1, 1]);
  expect(calls.statsOf(fine.endpoint)).toEqual({ open: 1, draining: 0, waiting: 0 });
  expect(calls.stats).toEqual({ calls: 1, retries: 2 });
});

test('a POST goes to another instance where it was not sent, and never once its bytes were', async () => {
  const [gone, bad, fine] = [await refusing(), await resetting(), await good()];
  const init = { method: 'POST', body: 'one order' };
  expect(await rig([gone, fine.endpoint]).text('/', init)).toBe('good');
  const failing = rig([bad.endpoint, fine.endpoint]).fetch('/', init);
  await expect(failing).rejects.toMatchObject({ code: 'call-failed', cause: { code: 'UND_ERR_SOCKET' } });
  expect([bad.requests, fine.requests]).toEqual([1, 1]);
});

test('a POST that only a sidecar has received goes to another instance; an error says whether anybody has', async () => {
  const unsent = { 'Signalbox-Unsent': 'true' };
  const init = { method: 'POST', body: 'one order' };
  const fine = await good();
  for (const status of [502, 503, 504]) {
    expect(await rig([(await answering(status, unsent)).endpoint, fine.endpoint]).text('/', init)).toBe('good');
    const response = await rig([(await answering(status)).endpoint, fine.endpoint]).fetch('/', init);
    expect(response.status).toBe(status);
  }
  // What an instance says of itself has reached it.
  const other = await rig([(await answering(500, unsent)).endpoint, fine.endpoint]).fetch('/', init);
  expect(other.status).toBe(500);
  expect(fine.requests).toBe(3);
  await expect(rig([await refusing()]).fetch('/', init)).rejects.toMatchObject({ code: 'call-failed', unsent: true });
  const { endpoint } = await resetting();
  await expect(rig([endpoint]).fetch('/', init)).rejects.toMatchObject({ code: 'call-failed', unsent: false });
  await expect(rig([]).fetch('/', init)).rejects.toMatchObject({ code: 'no-instances', unsent: true });
});

test('a POST that may be done twice is: by its key, or because the caller says so', async () => {
  const [bad, fine] = [await resetting(), await good()];
  const key = { method: 'POST', body: 'one order', headers: { 'Idempotency-Key': 'abc' } };
  expect(await rig([bad.endpoint, fine.endpoint]).text('/', key)).toBe('good');
  expect(await rig([bad.endpoint, fine.endpoint]).text('/', { method: 'post', body: 'x', idempotent: true })).toBe(
    'good',
  );
  expect(bad.requests).toBe(2);
  await expect(rig([bad.endpoint, fine.endpoint]).text('/', { idempotent: false })).rejects.toMatchObject({
    code: 'call-failed',
  });
});

test('a body that can be read once is sent once', async () => {
  const [gone, fine] = [await refusing(), await good()];
  const body = Readable.toWeb(Readable.from(['part'])) as ReadableStream;
  const sending = rig([gone, fine.endpoint]).fetch('/', { method: 'PUT', body, duplex: 'half' } as never);
  await expect(sending).rejects.toMatchObject({ code: 'call-failed' });
  expect(fine.requests).toBe(0);
});

test('a stream of which nothing was read goes on to another instance, for who dispatches by hand', async () => {
  const gone = await refusing();
  const fine = await peer((request, response) => request.pipe(response));
  const { calls } = rig([gone, fine.endpoint]);
  const body = Readable.from(['part one, ', 'part two']);
  const request = {
    method: 'POST',
    key: undefined,
    idempotent: undefined,
    timeoutMs: undefined,
    signal: undefined,
    hasIdempotencyKey: () => false,
    bodyIsWhole: () => !Readable.isDisturbed(body),
  };
  const answer = await calls.call(
    request,
    (attempt) =>
      new Promise<string>((resolve, reject) => {
        let text = '';
        attempt.dispatch(
          { path: '/', method: 'POST', body },
          {
            onConnect: () => {},
            onHeaders: () => true,
            onData: (data) => {
              text += data.toString();
              return true;
            },
            onComplete: () => resolve(text),
            onError: reject,
          },
        );
      }),
  );
  expect(answer).toBe('part one, part two');
});

test('503 is asked again elsewhere, and is the answer where there is nobody else or no retry left', async () => {
  const [busy, worse, fine] = [await answering(503), await answering(502), await good()];
  expect(await rig([busy.endpoint, fine.endpoint]).text('/')).toBe('good');
  expect(busy.endpoint.outcomes).toEqual(['failed']);
  expect(await rig([busy.endpoint, worse.endpoint, fine.endpoint]).text('/')).toBe('good');
  const none = await rig([busy.endpoint, fine.endpoint], { retries: 0 }).fetch('/');
  expect([none.status, await none.text()]).toEqual([503, 'answered 503']);
  const post = await rig([busy.endpoint, fine.endpoint]).fetch('/', { method: 'POST' });
  expect([post.status, await post.text()]).toEqual([503, 'answered 503']);
  const alone = await rig([busy.endpoint]).fetch('/');
  expect([alone.status, await alone.text()]).toEqual([503, 'answered 503']);
  const other = await rig([(await answering(500)).endpoint, fine.endpoint]).fetch('/');
  expect([other.status, await other.text()]).toEqual([500, 'answered 500']);
});

test('the only instance is asked again when it has said that it may be, and not at all if that is too late', async () => {
  let at: number[] = [];
  const server = await peer((_request, response) => {
    at.push(performance.now());
    if (at.length === 1) response.writeHead(503, { 'retry-after': '1' }).end();
    else response.end('good');
  });
  expect(await rig([server.endpoint]).text('/')).toBe('good');
  expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThan(990);
  at = [];
  const answer = await rig([server.endpoint], { timeoutMs: 500 }).fetch('/');
  expect([answer.status, await answer.text()]).toEqual([503, '']);
});

test('an answer that is not wanted is read, so that its connection is used again', async () => {
  const [busy, fine] = [await answering(503), await good()];
  const { text } = rig([busy.endpoint, fine.endpoint]);
  for (let n = 0; n < 10; n++) expect(await text('/')).toBe('good');
  expect([busy.requests > 2, busy.sockets.length, fine.sockets.length]).toEqual([true, 1, 1]);
});

test('all retries together stay within their budget', async () => {
  const bad = [await resetting(), await resetting()];
  const { fetch, targets } = rig(
    bad.map(({ endpoint }) => endpoint),
    { retryBudget: { ratio: 0.2, perSecond: 0, burst: 5 }, breaker: false },
  );
  for (let n = 0; n < 100; n++) await expect(fetch('/')).rejects.toMatchObject({ code: 'call-failed' });
  const attempts = targets.endpoints.reduce((sum, { begun }) => sum + begun, 0);
  expect(attempts - 100).toBeGreaterThanOrEqual(20);
  expect(attempts - 100).toBeLessThanOrEqual(25);
});

test('a circuit that is open says when to try again, and closes with the first call that succeeds', async () => {
  let broken = true;
  const server = await peer((_request, response) => response.writeHead(broken ? 500 : 200).end());
  const { fetch, calls } = rig([server.endpoint], { breaker: { minCalls: 5, openMs: 50 } });
  for (let n = 0; n < 5; n++) expect((await fetch('/')).status).toBe(500);
  await expect(fetch('/')).rejects.toMatchObject({ code: 'circuit-open', retryAfterMs: expect.any(Number) });
  await sleep(60);
  const probe = fetch('/');
  await expect(fetch('/')).rejects.toMatchObject({ code: 'circuit-open' });
  expect((await probe).status).toBe(500);
  broken = false;
  await sleep(60);
  expect((await fetch('/')).status).toBe(200);
  expect([(await fetch('/')).status, calls.breaker?.state, server.requests]).toEqual([200, 'closed', 8]);
});

test('nobody to call, and options that make no sense, are said at once', async () => {
  const fine = await good();
  const { fetch, targets } = rig([fine.endpoint]);
  for (const path of ['//evil', 'http://evil/', '/\\evil']) {
    await expect(fetch(path)).rejects.toMatchObject({ code: 'invalid-options' });
  }
  await expect(fetch('/', { redirect: 'follow' } as never)).rejects.toMatchObject({ code: 'invalid-options' });
  await expect(fetch('/', { headers: { 'a b': 'c' } })).rejects.toThrow(TypeError);
  expect(fine.endpoint.outcomes).toEqual(['cancelled']);
  targets.remove(fine.endpoint);
  await expect(fetch('/')).rejects.toMatchObject({ code: 'no-instances' });
  expect(fine.requests).toBe(0);
});

test('a redirect is an answer, and is never followed', async () => {
  const other = await good();
  const server = await answering(302, { location: `${other.endpoint.url}/` });
  const answer = await rig([server.endpoint]).fetch('/');
  expect([answer.status, answer.headers.get('location'), other.requests]).toEqual([302, `${other.endpoint.url}/`, 0]);
});

test('keys reach the balancer, and the trace goes with the request unless it has one', async () => {
  const server = await peer((request, response) => response.end(String(request.headers['traceparent'])));
  const { text, targets } = rig([server.endpoint], { trace: () => ({ traceparent: 'ours' }) });
  expect(await text('/', { key: 'customer-7' })).toBe('ours');
  expect(await text('/', { headers: { Traceparent: 'theirs' } })).toBe('theirs');
  expect(targets.keys).toEqual(['customer-7', undefined]);
});
