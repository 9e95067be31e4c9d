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

  test('INS3 no lease of 5,000 runs out although nobody has renewed it for longer than its length; who does not come back is found', async () => {
    await keeper.renew();
    await keeper.stop();
    expect(keeper.unknown).toEqual([]);
    const renewedAt = performance.now();
    const head = await headOf(node.url);
    expect(await passingOf(node.url, SERVICE)).toHaveLength(LEASES);

    await node.stop(signal);
    const startedAt = performance.now();
    node = await startNode({ ...home.env, ...ENV });
    const readyAt = performance.now();
    const witness = await Witness.open(node.url, { kind: 'instance', services: [SERVICE] });
    await sleep(Math.max(readyAt + 4000, renewedAt + TTL_MS + 100) - performance.now());
    // Without another lease all of them would be over by now.
    expect(performance.now() - renewedAt).toBeGreaterThan(TTL_MS);
    const gone = leases.filter((_, i) => i % 250 === 7);
    const ids = new Set(leases.map(({ id }) => id));
    for (const { id } of gone) ids.delete(id);
    keeper = new Keeper(node.url, 1000, [...ids]);
    await keeper.renew();
    // In time, or this test says nothing.
    expect(performance.now() - readyAt).toBeLessThan(TTL_MS);
    await sleep(TTL_MS + 500);
    expect(keeper.unknown).toEqual([]);
    expect(keeper.failures).toBe(0);

    // Those who did not come back had their full lease again, too, and then were given up in time.
    for (const one of gone) {
      const told = await witness.untilOut(one.name);
      expect(told.at - startedAt).toBeGreaterThanOrEqual(TTL_MS);
      expect(told.at - readyAt).toBeLessThanOrEqual(boundOf(one));
    }
    // Of the others not one was told of again since the snapshot, and nothing else was committed.
    const news = witness.told.slice(LEASES);
    expect(summaryOf(news)).toEqual({ 'put critical: Its lease of 5s ran out.': gone.length });
    expect(await headOf(node.url)).toBe(head + new Set(news.map(({ revision }) => revision)).size);
    const generations = new Map(leases.map(({ name, generation }) => [name, generation]));
    expect(witness.told.filter(({ key, value }) => value?.generation !== generations.get(key))).toHaveLength(0);

    // Whoever dies now is found as ever.
    const dead = leases.filter((_, i) => i % 1000 === 8);
    await keeper.drop(...dead.map(({ id }) => id));
    const diedAt = performance.now();
    for (const one of dead) {
      const told = await witness.untilOut(one.name, diedAt);
      expect(told.at - diedAt).toBeLessThanOrEqual(boundOf(one));
    }
    expect(await passingOf(node.url, SERVICE)).toHaveLength(LEASES - gone.length - dead.length);
    witness.stop();
  }, 90_000);
});
