import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, Service } from '../../src/sdk/api.ts';
import type { ServiceOptions } from '../../src/sdk/discovery/options.ts';
import { connect } from '../../src/sdk/index.ts';
import { embeddedHome, type Home } from '../acceptance/homes.ts';
import { instance, register, registerAll, ttlCheck } from '../acceptance/instance-api.ts';
import { startNode } from '../acceptance/nodes.ts';
import { until } from '../acceptance/until.ts';
import { call, type Signalbox } from '../support/signalbox.ts';
import { CountingServers } from './counting-servers.ts';
import { chiSquare, countPicks, CRITICAL_9 } from './discovery/support.ts';

/** Real calls of instances in processes of their own, which a real Signalbox has told the client of. */

const INSTANCES = 10;
/** A call costs both sides; a hundred thousand are picked by the same service, and not called. */
const CALLS = 20_000;
const PICKS = 100_000;
const CALLERS = 32;
const WEIGHTS = [1, 1, 2, 3, 5, 8, 13, 21, 34, 100];

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

let home: Home;
let node: Signalbox;
beforeAll(async () => {
  home = await embeddedHome();
  node = await startNode({ ...home.env, WATCH_HEARTBEAT: '1s' });
}, 180_000);
afterAll(async () => {
  await node.stop('SIGKILL');
  await home.drop();
});

/** Half of the instances in each of two processes. */
async function serve(id: string, weights: readonly number[]) {
  const halves = [new CountingServers(), new CountingServers()];
  const added = await Promise.all(halves.map((half) => half.add(weights.length / 2)));
  const ports = added.flat();
  const check = ttlCheck('10m');
  const bodies = ports.map((port, n) => instance(id, port, { check, weight: weights[n] }));
  const registered = await registerAll(node.url, bodies);
  return {
    ports,
    ids: registered.map((one) => one.id),
    /** In the order of the ports. */
    requests: async () => {
      const counts = (await Promise.all(halves.map((half) => half.counts()))).flat();
      return ports.map((port) => counts.find((one) => one.port === port)?.requests ?? 0);
    },
  };
}

async function openService(
  id: string,
  options: ServiceOptions,
  count: number,
): Promise<{ client: Client; service: Service }> {
  const client = connect({ url: node.url });
  leftovers.push(() => client.close());
  const service = client.service(id, options);
  await service.ready({ timeoutMs: 10_000 });
  await until('all are listed', () => service.instances().length === count);
  return { client, service };
}

/** So many calls, of so many callers. */
async function callAll(service: Service, calls: number, callers = CALLERS): Promise<void> {
  let left = calls;
  const caller = async (): Promise<void> => {
    while (left-- > 0) await (await service.fetch('/')).text();
  };
  await Promise.all(Array.from({ length: callers }, caller));
}

test.each([
  ['round-robin', Array.from({ length: INSTANCES }, () => 1)],
  ['weighted', WEIGHTS],
] as const)(
  '%s: 10 instances have their shares of 20,000 calls, counted where they arrive, and of 100,000 picks',
  async (balance, weights) => {
    const id = `${balance}.example.com`;
    const { ports, requests } = await serve(id, weights);
    const { service } = await openService(id, { balance }, INSTANCES);
    await callAll(service, CALLS);
    const counted = await requests();
    expect(counted.reduce((sum, count) => sum + count, 0)).toBe(CALLS);
    expect(chiSquare(counted, weights)).toBeLessThan(CRITICAL_9);
    const picked = countPicks(ports, PICKS, () => service.pick()?.instance.port);
    expect(chiSquare(picked, weights)).toBeLessThan(CRITICAL_9);
  },
  90_000,
);

test('consistent hashing: when an instance of 10 leaves, the keys that it had move, and no others', async () => {
  const id = 'hashed.example.com';
  const { ports, ids } = await serve(
    id,
    Array.from({ length: INSTANCES }, () => 1),
  );
  const { service } = await openService(id, { balance: 'consistent-hash' }, INSTANCES);
  const keys = Array.from({ length: 2000 }, (_, n) => `customer-${n}`);
  /** One after the other: who has more than its share under way gives keys away. */
  const answerers = async (): Promise<number[]> => {
    const found: number[] = [];
    for (const key of keys) found.push(Number(await (await service.fetch('/', { key })).text()));
    return found;
  };
  const before = await answerers();
  const leaver = ports[3];
  expect((await call(node.url, 'DELETE', `/v1/instances/${ids[3]}`)).status).toBe(200);
  await until('the client is told', () => service.instances().length === INSTANCES - 1);
  const after = await answerers();
  const moved = before.filter((port, n) => port !== after[n]).length;
  expect(moved).toBe(before.filter((port) => port === leaver).length);
  expect(after).not.toContain(leaver);
  // Of ten, one has about a tenth of the keys, and at most twice that.
  expect(moved).toBeGreaterThan(0);
  expect(moved).toBeLessThanOrEqual((2 / INSTANCES) * keys.length);
}, 60_000);

test('a new instance has its fair share of the connections after one period of recycling', async () => {
  const id = 'recycled.example.com';
  const PERIOD_MS = 3000;
  const AT_ONCE = 60;
  const servers = new CountingServers(40);
  const check = ttlCheck('10m');
  const [first = 0, second = 0] = await servers.add(2);
  await registerAll(node.url, [instance(id, first, { check }), instance(id, second, { check })]);
  // Unused connections stay: only their age closes those that are too many.
  const connections = { maxAgeMs: PERIOD_MS, keepAliveMs: 60_000 };
  // By what is under way alone: latencies, which the machine's other work sways, have no part in it.
  const options = { balance: 'least-outstanding', connections, retries: 0, slowStart: { windowMs: 500 } } as const;
  const { service } = await openService(id, options, 2);
  let running = true;
  let called = 0;
  const calling = Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (; running; called++) await (await service.fetch('/')).text();
    }),
  );
  const shares = async (): Promise<number[]> => {
    const counts = await servers.counts();
    return counts.map((one) => one.open);
  };
  await sleep(1000);
  const [ofFirst = 0, ofSecond = 0] = await shares();
  expect(ofFirst + ofSecond).toBeGreaterThanOrEqual(AT_ONCE);

  const [added = 0] = await servers.add(1);
  await register(node.url, instance(id, added, { check }));
  await until('the client is told', () => service.instances().length === 3);
  const since = performance.now();
  const sums = [0, 0, 0];
  let looks = 0;
  await sleep(PERIOD_MS);
  // Within the next period, how many are open goes up and down with what is replaced.
  for (; performance.now() - since < 1.5 * PERIOD_MS; looks++) {
    for (const [n, open] of (await shares()).entries()) sums[n] = (sums[n] ?? 0) + open;
    await sleep(100);
  }
  running = false;
  await calling;
  const total = sums.reduce((sum, each) => sum + each, 0);
  // A third is fair.
  expect((sums[2] ?? 0) / total).toBeGreaterThan(0.3);
  expect((sums[2] ?? 0) / total).toBeLessThan(0.37);
  // The old ones have given away what is too much for them: without recycling they would keep it, and there were half as many more.
  expect(total / looks).toBeLessThan(1.25 * AT_ONCE);
  const counts = await servers.counts();
  expect(counts.reduce((sum, one) => sum + one.requests, 0)).toBe(called);
}, 60_000);
