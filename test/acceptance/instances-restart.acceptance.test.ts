import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Signalbox } from '../support/signalbox.ts';
import { embeddedHome, postgresHome, type Home } from './homes.ts';
import {
  boundOf,
  headOf,
  instance,
  Keeper,
  passingOf,
  registerAll,
  ttlCheck,
  type Registered,
} from './instance-api.ts';
import { Witness, type Told } from './instance-witness.ts';
import { startNode } from './nodes.ts';

const LEASES = 5000;
const TTL_MS = 5000;
const SERVICE = 'leases.example.com';

/** All of one service, of which all may fail: only the leases themselves keep them. */
const ENV = { EVICTION_GUARD_SHARE: '100' };

/** How often each thing was told: five thousand of them are no message. */
function summaryOf(told: readonly Told[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { op, value } of told) {
    const what = `${op} ${value?.status}: ${value?.statusReason}`;
    counts[what] = (counts[what] ?? 0) + 1;
  }
  return counts;
}

describe.each([
  { signal: 'SIGKILL', database: 'the embedded database', makeHome: embeddedHome },
  { signal: 'SIGTERM', database: 'PostgreSQL', makeHome: postgresHome },
] as const)('a restart after $signal, on $database', ({ signal, makeHome }) => {
  let home: Home;
  let node: Signalbox;
  let keeper: Keeper;
  let leases: Registered[];
  beforeAll(async () => {
    home = await makeHome();
    node = await startNode({ ...home.env, ...ENV });
    keeper = new Keeper(node.url, 1000);
    const check = ttlCheck(`${TTL_MS}ms`);
    const bodies = Array.from({ length: LEASES }, (_, i) => instance(SERVICE, i + 1, { address: '127.0.3.1', check }));
    leases = await registerAll(node.url, bodies, ({ id }) => keeper.ids.add(id));
  }, 180_000);
  afterAll(async () => {
    await keeper.stop();
    await node.stop('SIGKILL');
    await home.drop();
  });

  test('INS3 no lease of 5,000 runs out although nobody has renewed it for longer than its length', async () => {
    await keeper.renew();
    await keeper.stop();
    expect(keeper.unknown).toEqual([]);
    const renewedAt = performance.now();
    const head = await headOf(node.url);
    expect(await passingOf(node.url, SERVICE)).toHaveLength(LEASES);

    await node.stop(signal);
    node = await startNode({ ...home.env, ...ENV });
    const readyAt = performance.now();
    const witness = await Witness.open(node.url, { kind: 'instance', services: [SERVICE] });
    await sleep(readyAt + 4000 - performance.now());
    // Without another lease all of them would be over by now.
    expect(performance.now() - renewedAt).toBeGreaterThan(TTL_MS);

    const ids = leases.map(({ id }) => id);
    keeper = new Keeper(node.url, 1000, ids);
    await keeper.renew();
    // In time, or this test says nothing.
    expect(performance.now() - readyAt).toBeLessThan(TTL_MS);
    await sleep(TTL_MS + 1000);
    expect(keeper.unknown).toEqual([]);
    expect(keeper.failures).toBe(0);
    // Not one of them was told of again since the snapshot, and nothing at all was committed.
    expect(summaryOf(witness.told.slice(LEASES))).toEqual({});
    expect(await headOf(node.url)).toBe(head);
    const generations = new Map(leases.map(({ name, generation }) => [name, generation]));
    const wrong = witness.told.filter(({ key, value }) => !value?.passing || value.generation !== generations.get(key));
    expect(wrong).toHaveLength(0);

    // Whoever is dead is found as ever.
    const dead = leases.filter((_, i) => i % 1000 === 7);
    await keeper.drop(...dead.map(({ id }) => id));
    const diedAt = performance.now();
    for (const one of dead) {
      const told = await witness.untilOut(one.name, diedAt);
      expect(told.at - diedAt).toBeLessThanOrEqual(boundOf(one));
    }
    expect(witness.told.length - LEASES).toBe(dead.length);
    expect(await passingOf(node.url, SERVICE)).toHaveLength(LEASES - dead.length);
    witness.stop();
  }, 90_000);

  test('INS3 who does not come back after a restart is given up once the new lease is over, and not before', async () => {
    const some = leases.slice(100, 120);
    await keeper.drop(...some.map(({ id }) => id));
    await node.stop(signal);
    await keeper.stop();
    const startedAt = performance.now();
    node = await startNode({ ...home.env, ...ENV });
    const readyAt = performance.now();
    const ids = leases.map(({ id }) => id).filter((id) => !some.some((one) => one.id === id));
    keeper = new Keeper(node.url, 1000, ids);
    const witness = await Witness.open(node.url, { kind: 'instance', services: [SERVICE] });
    for (const one of some) {
      const told = await witness.untilOut(one.name);
      expect(told.at - startedAt).toBeGreaterThanOrEqual(TTL_MS);
      expect(told.at - readyAt).toBeLessThanOrEqual(boundOf(one));
    }
    witness.stop();
  }, 60_000);
});
