import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { call, type Signalbox } from '../support/signalbox.ts';
import { postgresHome, type Home } from './homes.ts';
import {
  advisoriesOf,
  boundOf,
  httpCheck,
  instance,
  Keeper,
  passingOf,
  read,
  registerAll,
  ttlCheck,
  type Registered,
} from './instance-api.ts';
import { Target } from './instance-targets.ts';
import { Witness } from './instance-witness.ts';
import { startNode } from './nodes.ts';
import { until } from './until.ts';

const HOLD_MS = 5000;
const ALL = 20;
const FAILING = 16;
/** Half of them may fail; the guard keeps the rest of the sixteen. */
const HELD = FAILING - ALL / 2;
const REGION = 'eu-central';
/** What the guard's own time may be late by: one look at the schedule, one commit, one push. */
const MOMENT_MS = 1000;

/** What a test started, ended after it in the reverse order. */
const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

describe('many instances of one service fail at once', () => {
  let home: Home;
  let node: Signalbox;
  beforeAll(async () => {
    home = await postgresHome();
    node = await startNode({ ...home.env, EVICTION_GUARD_HOLD: `${HOLD_MS}ms` });
  }, 180_000);
  afterAll(async () => {
    await node.stop('SIGKILL');
    await home.drop();
  });

  interface Fleet {
    readonly service: string;
    readonly targets: readonly Target[];
    readonly registered: readonly Registered[];
    readonly instances: Witness;
    readonly advisories: Witness;
    passing(): Promise<number>;
  }

  async function witness(select: object): Promise<Witness> {
    const opened = await Witness.open(node.url, select);
    leftovers.push(() => opened.stop());
    return opened;
  }

  async function fleet(service: string, size: number, rest: object = { region: REGION }): Promise<Fleet> {
    const targets = await Target.many(size);
    leftovers.push(() => Promise.all(targets.map((target) => target.close())));
    const instances = await witness({ kind: 'instance', services: [service] });
    const advisories = await witness({ kind: 'advisory', services: [service] });
    const bodies = targets.map(({ port }) => instance(service, port, { ...rest, check: httpCheck() }));
    const registered = await registerAll(node.url, bodies);
    const passing = async (): Promise<number> => (await passingOf(node.url, service)).length;
    await until('all pass', () => instances.passing === size);
    return { service, targets, registered, instances, advisories, passing };
  }

  const set = (targets: readonly Target[], status: number): void => {
    for (const target of targets) target.answer = status;
  };

  /** Sixteen of them fail: ten are given up, six are kept, and people are told. Resolves with when they were told. */
  async function heldAfterFailure({ service, targets, instances, advisories, passing }: Fleet): Promise<number> {
    const from = advisories.told.length;
    set(targets.slice(0, FAILING), 500);
    const told = await until('an advisory is pushed', () => advisories.told[from]);
    expect(told).toMatchObject({ op: 'put', key: `advisories/eviction-guard.${service}.${REGION}` });
    await until('half of them are given up', () => instances.passing === ALL - FAILING + HELD);
    const [advisory, ...more] = await advisoriesOf(node.url, service);
    expect(more).toEqual([]);
    expect(advisory).toMatchObject({ code: 'eviction-guard', service, region: REGION });
    expect(Date.parse(advisory.until) - Date.now()).toBeLessThanOrEqual(HOLD_MS);
    // Every check has failed several times by now; none of those that are kept is told otherwise than before.
    await sleep(1500);
    expect(await passing()).toBe(ALL - FAILING + HELD);
    expect(instances.passing).toBe(ALL - FAILING + HELD);
    return told.at;
  }

  const recovered = async ({ service, targets, instances }: Fleet): Promise<void> => {
    set(targets, 200);
    await until('all pass again', () => instances.passing === ALL);
    await until('no advisory is left', async () => (await advisoriesOf(node.url, service)).length === 0);
  };

  test('INS4 half of them are kept for EVICTION_GUARD_HOLD and no longer, everybody sees it, and a second wave is guarded again', async () => {
    const here = await fleet('guarded.example.com', ALL);
    for (const wave of [1, 2]) {
      const heldAt = await heldAfterFailure(here);
      const reports = await Promise.all(here.registered.slice(0, FAILING).map(({ id }) => read(node.url, id)));
      const kept = reports.filter(({ passing }) => passing);
      expect(kept).toHaveLength(HELD);
      for (const { report, guard } of kept) {
        expect(report.guardedFor).toMatch(/^[0-9]+(?:ms|s)$/);
        expect(guard).toMatchObject({ service: here.service, region: REGION, held: HELD });
      }
      await until('the guard lets go', () => here.instances.passing === ALL - FAILING);
      expect(await here.passing()).toBe(ALL - FAILING);
      const [last] = here.instances.told.slice(-1);
      expect((last?.at ?? 0) - heldAt).toBeGreaterThanOrEqual(HOLD_MS - MOMENT_MS);
      expect((last?.at ?? 0) - heldAt).toBeLessThanOrEqual(HOLD_MS + MOMENT_MS);
      await until('the advisory is gone', async () => (await advisoriesOf(node.url, here.service)).length === 0);
      expect(await until('its end is pushed', () => here.advisories.told[2 * wave - 1])).toMatchObject({
        op: 'delete',
      });
      await recovered(here);
    }
    // The begin and the end of each of two, and no more.
    expect(here.advisories.told.map(({ op }) => op)).toEqual(['put', 'delete', 'put', 'delete']);
  }, 90_000);

  test('INS4 an operator lets them go at once, and no advisory stays', async () => {
    const here = await fleet('overridden.example.com', ALL);
    const heldAt = await heldAfterFailure(here);
    const path = `/v1/services/${here.service}/regions/${REGION}/override`;
    const body = { evictionGuard: false, reason: 'the data center is on fire' };
    expect((await call(node.url, 'PUT', path, body)).status).toBe(201);
    const letGoAt = performance.now();
    expect(letGoAt - heldAt).toBeLessThan(HOLD_MS - MOMENT_MS);
    await until('those that were kept are given up', async () => (await here.passing()) === ALL - FAILING);
    expect(performance.now() - letGoAt).toBeLessThan(MOMENT_MS);
    await until('no advisory is left', async () => (await advisoriesOf(node.url, here.service)).length === 0);

    // As long as the override stands, nobody is kept.
    await recovered(here);
    const from = here.instances.told.length;
    set(here.targets.slice(0, FAILING), 500);
    await until('all sixteen are given up', () => here.instances.passing === ALL - FAILING);
    expect(here.advisories.told.map(({ op }) => op)).toEqual(['put', 'delete']);
    expect(here.instances.told.length).toBe(from + FAILING);
    expect((await call(node.url, 'DELETE', path)).status).toBe(200);
  }, 60_000);

  test('INS4 three instances are too few to be guarded: all are given up within their bound', async () => {
    const here = await fleet('small.example.com', 3, {});
    set(here.targets, 500);
    const at = performance.now();
    for (const one of here.registered) {
      expect((await here.instances.untilOut(one.name, at)).at - at).toBeLessThanOrEqual(boundOf(one));
    }
    expect(await here.passing()).toBe(0);
    expect(here.advisories.told).toEqual([]);
  });

  test('INS4 leases that run out together are guarded alike, those that deregister are not', async () => {
    const service = 'leases.example.com';
    const keeper = new Keeper(node.url, 300);
    leftovers.push(() => keeper.stop());
    const advisories = await witness({ kind: 'advisory', services: [service] });
    const bodies = Array.from({ length: ALL }, (_, i) => instance(service, i + 1, { check: ttlCheck('1s') }));
    const registered = await registerAll(node.url, bodies, ({ id }) => keeper.ids.add(id));
    const passing = async (): Promise<number> => (await passingOf(node.url, service)).length;
    await keeper.drop(...registered.slice(0, FAILING).map(({ id }) => id));
    await until('half are given up', async () => (await passing()) === ALL - FAILING + HELD);
    await until('an advisory is pushed', () => advisories.told.length === 1);
    expect(advisories.told[0]?.value).toMatchObject({ service, region: '-' });
    for (const { id } of registered.slice(0, FAILING)) {
      expect((await call(node.url, 'DELETE', `/v1/instances/${id}`)).status).toBe(200);
    }
    expect(await passing()).toBe(ALL - FAILING);
  });
});
