import { expect, test } from '@jest/globals';
import { postgresHome } from './homes.ts';
import { advisoriesOf, httpCheck, instance, passingOf, registerAll } from './instance-api.ts';
import { Target } from './instance-targets.ts';
import { Witness } from './instance-witness.ts';
import { startNode } from './nodes.ts';
import { until } from './until.ts';

const SERVICE = 'guarded.example.com';
const HOLD_MS = 4000;
const ALL = 20;
const FAILING = 16;
const KEPT = ALL / 2;
/** The first checks after a restart, which are spread over an interval, and a moment. */
const FOUND_MS = 2500;
/** Between the wall clock, the database's, and the monotonic one. */
const CLOCKS_MS = 50;

test('INS4 a restart in the middle of a mass failure neither lets go as many again nor sticks', async () => {
  const home = await postgresHome();
  const env = { ...home.env, EVICTION_GUARD_HOLD: `${HOLD_MS}ms`, EVICTION_GUARD_WINDOW: '6s' };
  let node = await startNode(env);
  const targets = await Target.many(ALL);
  const passing = async (): Promise<number> => (await passingOf(node.url, SERVICE)).length;
  const isTold = async (): Promise<boolean> => (await advisoriesOf(node.url, SERVICE)).length > 0;
  await registerAll(
    node.url,
    targets.map(({ port }) => instance(SERVICE, port, { check: httpCheck() })),
  );
  await until('all pass', async () => (await passing()) === ALL);
  for (const target of targets.slice(0, FAILING)) target.answer = 500;
  await until('the guard holds', async () => (await isTold()) && (await passing()) === KEPT);
  const [advisory] = await advisoriesOf(node.url, SERVICE);
  const holdsUntil = Date.parse(String(advisory?.until)) - performance.timeOrigin;

  await node.stop('SIGKILL');
  node = await startNode(env);
  const readyAt = performance.now();
  const witness = await Witness.open(node.url, { kind: 'instance', services: [SERVICE] });
  expect(witness.passing).toBe(KEPT);
  expect(await isTold()).toBe(true);
  await until('it lets go', () => witness.passing === ALL - FAILING);
  const outs = witness.told.slice(ALL);
  expect(outs).toHaveLength(KEPT - (ALL - FAILING));
  for (const { at } of outs) {
    // The hold is what it was when it began, however long the restart has taken.
    expect(at).toBeGreaterThan(holdsUntil - CLOCKS_MS);
    expect(at).toBeLessThan(Math.max(holdsUntil, readyAt) + FOUND_MS);
  }
  await until('nothing is said of it any more', async () => !(await isTold()));

  for (const target of targets) target.answer = 200;
  await until('all pass again', () => witness.passing === ALL);
  expect(await isTold()).toBe(false);
  witness.stop();
  for (const target of targets) await target.close();
  expect(await node.stop()).toBe(0);
  await home.drop();
}, 90_000);
