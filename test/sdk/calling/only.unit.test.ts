import { afterEach, expect, test } from '@jest/globals';
import type { CallRequest, Upload } from '../../../src/sdk/calling/call.ts';
import type { CallOptions } from '../../../src/sdk/calling/options.ts';
import { Peer, rigOf, until, type Rig } from './peers.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

async function rig(peers: Peer[], options: CallOptions): Promise<Rig> {
  const made = rigOf(
    peers.map(({ endpoint }) => endpoint),
    options,
  );
  ends.push(() => made.calls.close({ timeoutMs: 0 }));
  ends.push(...peers.map((peer) => () => peer.stop()));
  return made;
}

const asked = (about: Pick<CallRequest, 'only' | 'upload'>): CallRequest => ({
  method: 'GET',
  key: undefined,
  idempotent: true,
  timeoutMs: undefined,
  signal: undefined,
  hasIdempotencyKey: () => false,
  bodyIsWhole: () => true,
  ...about,
});

const GET = { path: '/', method: 'GET' } as const;

test('who names an instance gets that one, once, also when the circuit is open', async () => {
  const failing = await Peer.http((_request, response) => void response.writeHead(503).end());
  const good = await Peer.http((_request, response) => void response.end());
  const { calls } = await rig([good, failing], { retries: 0, breaker: { minCalls: 2, failureRatio: 0 } });
  const status = async (only?: Peer): Promise<number> => {
    const answer = await calls.call(asked({ only: only?.endpoint }), (attempt) => attempt.request(GET));
    await answer.body.dump();
    return answer.statusCode;
  };
  for (let n = 0; n < 3; n++) expect(await status(failing)).toBe(503);
  expect([good.requests, failing.requests, calls.breaker?.state]).toEqual([0, 3, 'closed']);
  expect([await status(), await status()]).toEqual([200, 503]);
  await expect(status()).rejects.toMatchObject({ code: 'circuit-open' });
  expect([await status(good), await status(failing)]).toEqual([200, 503]);
});

/** The call of a silent instance, whose body moves until `moves` ms after its begin. */
async function late(moves: number, isAwaited: boolean): Promise<{ readonly ms: number; readonly peer: Peer }> {
  const peer = await Peer.http(() => {});
  const { calls } = await rig([peer], { timeoutMs: 100, retries: 0 });
  const begun = performance.now();
  const upload: Upload = {
    get movedAt() {
      return Math.min(performance.now(), begun + moves);
    },
    isAwaited,
  };
  await expect(calls.call(asked({ upload }), (attempt) => attempt.request(GET))).rejects.toMatchObject({
    code: 'timeout',
  });
  await until(() => peer.openSockets === 0);
  return { ms: performance.now() - begun, peer };
}

test('while a body moves, no time passes', async () => {
  const { ms, peer } = await late(350, false);
  expect(ms).toBeGreaterThanOrEqual(449);
  expect(ms).toBeLessThan(2000);
  expect(peer.endpoint.outcomes).toEqual(['failed']);
});

test('a body that its caller holds back says nothing about the instance', async () => {
  const { ms, peer } = await late(0, true);
  expect(ms).toBeGreaterThanOrEqual(99);
  expect(peer.endpoint.outcomes).toEqual(['cancelled']);
});
