import { Agent, fetch, Pool } from 'undici';
import type { Instance } from '../../src/domain/instances/instance.ts';
import type { CallRequest } from '../../src/sdk/calling/call.ts';
import { Calls } from '../../src/sdk/calling/dispatch.ts';
import { fetchFrom } from '../../src/sdk/calling/fetch.ts';
import type { Endpoint, Targets } from '../../src/sdk/discovery/endpoint.ts';
import type { Bench } from '../lib/bench.ts';
import { calledByTurns } from '../lib/called-by-turns.ts';
import type { Figure, Outcome, Row } from '../lib/figure.ts';

const CALLERS = 64;
const PATH = '/300';
const BODY = JSON.stringify({ order: 'x'.repeat(180) });

/** What calling through the SDK costs beside calling with undici itself, on the same server. */
export const fetching: Figure = {
  name: 'fetch',
  title: `calls: ${CALLERS} callers, service.fetch and bare undici by turns, in one process on the core of the load`,
  async measure(bench: Bench): Promise<Outcome> {
    const server = await bench.floor('fastify.ts', ['300']);
    const origin = `http://127.0.0.1:${server.port}`;
    const agent = new Agent();
    const pool = new Pool(origin, { connections: CALLERS });
    const calls = new Calls({ targets: only(origin), now: () => performance.now(), random: Math.random });
    const json = { 'content-type': 'application/json' };
    const post = { method: 'POST', body: BODY, headers: json } as const;
    const ways: Record<string, readonly [() => Promise<unknown>, () => Promise<unknown>]> = {
      'fetch, GET': [
        async () => (await fetch(origin + PATH, { dispatcher: agent })).arrayBuffer(),
        async () => (await fetchFrom(calls, PATH)).arrayBuffer(),
      ],
      'fetch, POST of 200 bytes': [
        async () => (await fetch(`${origin}/1/renew`, { ...post, dispatcher: agent })).arrayBuffer(),
        async () => (await fetchFrom(calls, '/1/renew', post)).arrayBuffer(),
      ],
      'request, GET': [
        async () => (await pool.request({ path: PATH, method: 'GET' })).body.arrayBuffer(),
        async () =>
          (await calls.call(GET, (attempt) => attempt.request({ path: PATH, method: 'GET' }))).body.arrayBuffer(),
      ],
    };
    const rows: Row[] = [];
    const notes = [
      'An instance from a fixed list, so that nothing but calling is measured. The process of the callers is what is busy: ' +
        'rates are of its CPU, which others on the machine hardly touch; the notes have what was done in a second of the clock.',
    ];
    const [pairs, ms] = bench.quick ? [8, 250] : [20, 500];
    try {
      for (const [what, [bare, ours]] of Object.entries(ways)) {
        const { rates, ratio, cpuUs } = await calledByTurns(pairs, CALLERS, ms, [bare, ours]);
        rows.push({
          what: `service.${what}`,
          unit: 'per second',
          floor: 1e6 / cpuUs[0],
          floorName: 'bare undici',
          value: 1e6 / cpuUs[1],
          goal: { atLeastFloors: 0.9 },
        });
        const [without, with_] = rates.map((rate) => Math.round(rate).toLocaleString('en'));
        notes.push(
          `${what}: ${without} bare, ${with_} through the SDK, ${ratio.toFixed(2)} ×; CPU ${cpuUs[0].toFixed(1)} and ${cpuUs[1].toFixed(1)} µs, ${(cpuUs[0] / cpuUs[1]).toFixed(2)} ×.`,
        );
      }
    } finally {
      await Promise.all([calls.close(), pool.close(), agent.close()]);
    }
    return { rows, notes };
  },
};

const GET: CallRequest = {
  method: 'GET',
  key: undefined,
  idempotent: undefined,
  timeoutMs: undefined,
  signal: undefined,
  hasIdempotencyKey: () => false,
  bodyIsWhole: () => true,
};

function only(url: string): Targets {
  let outstanding = 0;
  const endpoint: Endpoint = {
    instance: { address: '127.0.0.1', metadata: {} } as unknown as Instance,
    url,
    get outstanding() {
      return outstanding;
    },
    begin: () => void (outstanding += 1),
    answered: () => {},
    end: () => void (outstanding -= 1),
  };
  return { service: 'orders.example.com', pick: () => endpoint, onGone: () => () => {} };
}
