import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { startPostgres, type PrivatePostgres } from '../support/postgres.ts';
import type { Signalbox } from '../support/signalbox.ts';
import { freeze } from './freeze.ts';
import { embeddedHome, type Home } from './homes.ts';
import {
  boundOf,
  headOf,
  httpCheck,
  instance,
  Keeper,
  registerAll,
  ttlCheck,
  type Registered,
} from './instance-api.ts';
import { Target } from './instance-targets.ts';
import { Witness } from './instance-witness.ts';
import { startNode } from './nodes.ts';
import { until } from './until.ts';

const LEASES = 200;
const TARGETS = 20;
const TTL_MS = 2000;
const ENV = { EVICTION_GUARD_SHARE: '100', TAIL_INTERVAL: '200ms' };

/** Instances that do all that is asked of them: leases that are renewed, and servers that answer their checks. */
class Fleet {
  readonly node: Signalbox;
  readonly service: string;
  readonly keeper: Keeper;
  readonly leases: Registered[];
  readonly checked: Registered[];
  readonly targets: Target[];
  readonly witness: Witness;

  private constructor(
    parts: Pick<Fleet, 'node' | 'service' | 'keeper' | 'leases' | 'checked' | 'targets' | 'witness'>,
  ) {
    this.node = parts.node;
    this.service = parts.service;
    this.keeper = parts.keeper;
    this.leases = parts.leases;
    this.checked = parts.checked;
    this.targets = parts.targets;
    this.witness = parts.witness;
  }

  static async start(node: Signalbox, service: string): Promise<Fleet> {
    const keeper = new Keeper(node.url, 400);
    const targets = await Target.many(TARGETS);
    const witness = await Witness.open(node.url, { kind: 'instance', services: [service] });
    const check = ttlCheck(`${TTL_MS}ms`);
    const bodies = Array.from({ length: LEASES }, (_, i) => instance(service, i + 1, { address: '127.0.3.1', check }));
    const leases = await registerAll(node.url, bodies, ({ id }) => keeper.ids.add(id));
    const checks = targets.map(({ port }) => instance(service, port, { check: httpCheck() }));
    const checked = await registerAll(node.url, checks);
    await until('all pass', () => [...leases, ...checked].every(({ name }) => witness.isIn(name)));
    return new Fleet({ node, service, keeper, leases, checked, targets, witness });
  }

  /** Does it, and a while after; answers what watchers were told meanwhile. */
  async during(what: () => Promise<void>): Promise<Witness['told']> {
    const from = this.witness.told.length;
    await what();
    await sleep(TTL_MS + 1000);
    return this.witness.told.slice(from);
  }

  /** One lease is no longer renewed, and one server answers that it is not well. Resolves with when. */
  async die(i: number): Promise<{ readonly dead: readonly Registered[]; readonly at: number }> {
    const dead = [this.leases[i], this.checked[i]] as Registered[];
    await this.keeper.drop(dead[0]?.id ?? '');
    (this.targets[i] as Target).answer = 500;
    return { dead, at: performance.now() };
  }

  async stop(): Promise<void> {
    this.witness.stop();
    await this.keeper.stop();
    await Promise.all(this.targets.map((target) => target.close()));
  }
}

let fleet: Fleet | undefined;
afterEach(async () => {
  await fleet?.stop();
  fleet = undefined;
});

describe('Signalbox stands still', () => {
  let home: Home;
  let node: Signalbox;
  beforeAll(async () => {
    home = await embeddedHome();
    node = await startNode({ ...home.env, ...ENV });
  }, 180_000);
  afterAll(async () => {
    await node.stop('SIGKILL');
    await home.drop();
  });

  test('INS3 SIGSTOP for longer than the leases, then SIGCONT: nobody who goes on renewing is given up', async () => {
    const here = (fleet = await Fleet.start(node, 'stopped.example.com'));
    const head = await headOf(node.url);
    const patient = here.leases.slice(LEASES / 2).map(({ id }) => id);
    // Shorter than a lease too: then those that were about to be renewed seem late.
    for (const ms of [1700, 3000, 5000]) {
      const told = await here.during(async () => {
        // Half of them wait a while when nobody answers, before they try again.
        await here.keeper.drop(...patient);
        process.kill(node.pid, 'SIGSTOP');
        await sleep(ms);
        process.kill(node.pid, 'SIGCONT');
        await sleep(TTL_MS / 2);
        for (const id of patient) here.keeper.ids.add(id);
      });
      expect(told).toEqual([]);
    }
    expect(await headOf(node.url)).toBe(head);
    expect(here.keeper.unknown).toEqual([]);

    const { dead, at } = await here.die(3);
    for (const one of dead)
      expect((await here.witness.untilOut(one.name, at)).at - at).toBeLessThanOrEqual(boundOf(one));
  }, 60_000);
});

describe('the database is away', () => {
  let server: PrivatePostgres;
  let node: Signalbox;
  beforeAll(async () => {
    server = await startPostgres();
    node = await startNode({ ...ENV, DATABASE_URL: server.url });
  }, 180_000);
  afterAll(async () => {
    await node.stop('SIGKILL');
    await server.destroy();
  });

  /** It notices that the database is back at its next look, and then as always. */
  const NOTICE_MS = 5000;

  /** The outage lasts for three leases; somebody dies before it, somebody in it, somebody after it. */
  async function outage(away: () => Promise<() => Promise<void>>, isNoticed: boolean): Promise<void> {
    const here = (fleet = await Fleet.start(node, `away-${Date.now()}.example.com`));
    let [endsAt, backAt] = [0, 0];
    const died: Registered[] = [];
    const told = await here.during(async () => {
      died.push(...(await here.die(1)).dead);
      const back = await away();
      await sleep(TTL_MS);
      died.push(...(await here.die(2)).dead);
      await sleep(2 * TTL_MS);
      endsAt = performance.now();
      await back();
      backAt = performance.now();
      for (const { name } of died) await here.witness.untilOut(name);
    });
    const names = new Set(died.map(({ name }) => name));
    expect(told.filter(({ key }) => !names.has(key))).toEqual([]);
    expect(told.map(({ key }) => key).toSorted()).toEqual([...names].toSorted());
    for (const one of died) {
      const { at } = here.witness.out(one.name) as { at: number };
      expect(at - backAt).toBeLessThanOrEqual(boundOf(one) + NOTICE_MS);
    }
    // Whose lease was over meanwhile had another one.
    const lease = here.witness.out(died[2]?.name ?? '');
    if (isNoticed) expect((lease?.at ?? 0) - endsAt).toBeGreaterThanOrEqual(TTL_MS);
    expect(here.keeper.unknown).toEqual([]);
    expect(here.keeper.failures).toBe(0);

    const { dead, at } = await here.die(3);
    for (const one of dead)
      expect((await here.witness.untilOut(one.name, at)).at - at).toBeLessThanOrEqual(boundOf(one));
  }

  test('INS3 stopped for three leases and started again: nobody who goes on renewing is given up, and the dead are found', async () => {
    await outage(async () => {
      await server.stop();
      return () => server.start();
    }, true);
  }, 60_000);

  test('INS3 frozen for three leases: nobody who goes on renewing is given up, and the dead are found', async () => {
    // Of a database that answers late nobody knows that it is away: no statement has failed.
    await outage(() => freeze(server.url), false);
  }, 60_000);
});
