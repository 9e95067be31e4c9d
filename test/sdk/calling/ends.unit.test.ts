import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, expect, test } from '@jest/globals';
import type { CallOptions } from '../../../src/sdk/calling/options.ts';
import { Peer, rigOf, until, type Rig } from './peers.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

async function peer(...of: Parameters<typeof Peer.http>): Promise<Peer> {
  const made = await Peer.http(...of);
  ends.push(() => made.stop());
  return made;
}

function rig(peers: Peer[], options?: CallOptions, now?: () => number): Rig {
  const made = rigOf(
    peers.map(({ endpoint }) => endpoint),
    options,
    undefined,
    now,
  );
  ends.push(() => made.calls.close({ timeoutMs: 0 }));
  return made;
}

/** Begins an answer, and never ends it. */
const endless = () => peer((_request, response) => void response.write('first'));
const silent = () => peer(() => {});

test('a call that is not answered in time fails once, whatever could be tried yet', async () => {
  const peers = [await silent(), await silent()];
  const { fetch } = rig(peers, { timeoutMs: 80 });
  const begun = performance.now();
  await expect(fetch('/')).rejects.toMatchObject({ code: 'timeout' });
  await expect(fetch('/', { timeoutMs: 30 })).rejects.toMatchObject({ code: 'timeout' });
  expect(performance.now() - begun).toBeLessThan(2000);
  expect(peers.map(({ endpoint }) => endpoint.outcomes)).toEqual([['failed'], ['failed']]);
  await until(() => peers.every(({ openSockets }) => openSockets === 0));
});

test('time is also over while a call waits for a connection', async () => {
  const server = await silent();
  const { fetch, calls } = rig([server], { connections: { max: 1 }, retries: 0 });
  const giveUp = new AbortController();
  const first = fetch('/', { signal: giveUp.signal });
  await until(() => server.requests === 1);
  const waiting = await Promise.allSettled([fetch('/', { timeoutMs: 30 }), fetch('/', { timeoutMs: 60 })]);
  expect(waiting.map((each) => (each.status === 'rejected' ? (each.reason as { code: string }).code : ''))).toEqual([
    'timeout',
    'timeout',
  ]);
  giveUp.abort();
  await expect(first).rejects.toThrow();
  await until(() => calls.statsOf(server.endpoint).waiting === 0 && server.openSockets === 0);
  expect(server.endpoint.outcomes).toEqual(['failed', 'failed', 'cancelled']);
  // Nothing was connected for those whose time was over.
  expect([server.requests, server.sockets.length]).toEqual([1, 1]);
});

test('only so many calls wait for a connection, and the others are told', async () => {
  const server = await silent();
  const { fetch, calls } = rig([server], { connections: { max: 2, maxWaiting: 3 }, timeoutMs: 200, retries: 0 });
  const outcomes = await Promise.allSettled(Array.from({ length: 7 }, () => fetch('/')));
  const codes = outcomes.map((each) => (each.status === 'rejected' ? (each.reason as { code: string }).code : ''));
  expect(codes.filter((code) => code === 'overloaded')).toHaveLength(2);
  expect(codes.filter((code) => code === 'timeout')).toHaveLength(5);
  expect(server.endpoint.outcomes.filter((outcome) => outcome === 'cancelled')).toHaveLength(2);
  await until(() => calls.statsOf(server.endpoint).open === 0);
});

test('whoever gives up gets the reason, and the instance is not blamed: before, while and after it answers', async () => {
  const [quiet, slow] = [await silent(), await endless()];
  const reason = new Error('the caller has gone');
  const before = rig([quiet]);
  await expect(before.fetch('/', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  const during = new AbortController();
  const call = before.fetch('/', { signal: during.signal });
  await until(() => quiet.requests === 1);
  during.abort(reason);
  await expect(call).rejects.toBe(reason);
  expect(quiet.endpoint.outcomes).toEqual(['cancelled', 'cancelled']);

  const after = new AbortController();
  const answer = await rig([slow]).fetch('/', { signal: after.signal });
  after.abort(reason);
  await expect(answer.text()).rejects.toBe(reason);
  const cancelled = await rig([slow]).fetch('/');
  await cancelled.body?.cancel();
  await until(() => slow.endpoint.outcomes.length === 2);
  expect(slow.endpoint.outcomes).toEqual(['cancelled', 'cancelled']);
  await until(() => quiet.openSockets === 0 && slow.openSockets === 0);
});

test('giving up also ends a call that waits for a connection, or for its next attempt', async () => {
  const server = await silent();
  const { fetch } = rig([server], { connections: { max: 1 } });
  const [first, second] = [new AbortController(), new AbortController()];
  const calls = Promise.allSettled([fetch('/', { signal: first.signal }), fetch('/', { signal: second.signal })]);
  await until(() => server.requests === 1);
  second.abort();
  await until(() => server.endpoint.outcomes.length === 1);
  first.abort();
  expect((await calls).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(server.endpoint.outcomes).toEqual(['cancelled', 'cancelled']);
  expect(server.requests).toBe(1);

  const busy = await peer((_request, response) => response.writeHead(503, { 'retry-after': '5' }).end());
  const third = new AbortController();
  const waiting = rig([busy]).fetch('/', { signal: third.signal });
  await until(() => busy.endpoint.outcomes.length === 1);
  await sleep(5);
  third.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
});

test('an instance that stops in the middle of an answer has failed', async () => {
  const server = await peer((_request, response) => {
    response.writeHead(200, { 'content-length': '100' }).write('some');
    setTimeout(() => response.destroy(), 20);
  });
  const answer = await rig([server]).fetch('/');
  expect(answer.status).toBe(200);
  await expect(answer.text()).rejects.toThrow();
  expect(server.endpoint.outcomes).toEqual(['failed']);
  const stuck = await endless();
  const late = await rig([stuck], { bodyTimeoutMs: 50 }).fetch('/');
  await expect(late.text()).rejects.toThrow();
  expect(stuck.endpoint.outcomes).toEqual(['failed']);
}, 10_000);

test('a response that nobody reads and nobody holds is given up, so that nothing stays outstanding', async () => {
  const server = await endless();
  const { fetch } = rig([server]);
  await (async () => {
    for (let n = 0; n < 5; n++) expect((await fetch('/')).status).toBe(200);
  })();
  expect(server.endpoint.outstanding).toBe(5);
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const deadline = performance.now() + 5000;
  while (server.endpoint.outstanding > 0 && performance.now() < deadline) {
    gc();
    await sleep(10);
  }
  expect(server.endpoint.outcomes).toEqual(Array.from({ length: 5 }, () => 'cancelled'));
});

test('what an instance took to answer is the time to its headers, not to the end of its body', async () => {
  let clock = 0;
  let sendLast = (): void => {};
  const server = await peer((_request, response) => {
    clock += 20;
    response.write('first');
    sendLast = () => response.end('last');
  });
  const { text } = rig([server], {}, () => clock);
  const called = text('/');
  await until(() => server.endpoint.answers === 1);
  clock += 150;
  sendLast();
  expect(await called).toBe('firstlast');
  expect(server.endpoint.latencies).toEqual([20]);
});

test('an instance that does not come to a connection is left after connectTimeoutMs', async () => {
  // It accepts, and says nothing of the TLS handshake.
  const mute = await Peer.of(createServer(), 'https');
  ends.push(() => mute.stop());
  const fine = await peer((_request, response) => response.end('good'));
  const begun = performance.now();
  const { text } = rig([mute, fine], { connectTimeoutMs: 200 });
  expect(await text('/', { method: 'POST', body: 'order' })).toBe('good');
  expect(performance.now() - begun).toBeLessThan(1000);
  expect(mute.endpoint.outcomes).toEqual(['failed']);
});

test('close waits for what is under way, takes nothing new, and cuts when told to', async () => {
  const server = await peer((_request, response) => setTimeout(() => response.end('done'), 60));
  const { fetch, text, calls } = rig([server]);
  const under = text('/');
  await until(() => server.requests === 1);
  const closing = calls.close();
  await expect(fetch('/')).rejects.toMatchObject({ code: 'stopped' });
  expect(await under).toBe('done');
  await closing;
  await until(() => server.openSockets === 0);

  const stuck = await endless();
  const other = rig([stuck]);
  const answer = await other.fetch('/');
  await other.calls.close({ timeoutMs: 30 });
  await expect(answer.text()).rejects.toThrow();
  expect(stuck.endpoint.outstanding).toBe(0);
});
