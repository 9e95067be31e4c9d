import { describe, expect, test } from '@jest/globals';
import { histories } from '../support/histories.ts';
import type { SimNode } from './sim-node.ts';
import { World } from './sim-world.ts';

const CLIENTS = 28;
const MAX_NODES = 4;

async function begin(seed: number, nodes: number, broken: readonly string[] = []): Promise<World> {
  const world = new World(seed, CLIENTS, broken);
  for (let i = 0; i < nodes; i++) world.start();
  await world.run(3000);
  for (const client of world.clients) world.begin(client);
  await world.run(8000);
  return world;
}

/** Nodes come and go in order, and instances die now and then. */
async function orderly(seed: number, broken: readonly string[] = []): Promise<World> {
  const world = await begin(seed, 1 + (seed % 3), broken);
  const { random } = world;
  for (let i = 0; i < 6; i++) {
    const up = world.up.filter(({ takesPart }) => takesPart);
    if (up.length < MAX_NODES && (up.length === 1 || random.chance(0.5))) world.start();
    else random.pick(up).leave();
    world.happened(false);
    if (random.chance(0.4)) world.end(random.pick(world.clients));
    await world.run(3000 + random.below(5000));
  }
  return world;
}

/** Whatever can go wrong does. */
async function chaos(seed: number, steps: number, broken: readonly string[] = []): Promise<World> {
  const world = await begin(seed, 2 + (seed % 3), broken);
  for (let i = 0; i < steps; i++) {
    await mishap(world);
    await world.run(world.random.chance(0.3) ? world.random.below(500) : 1000 + world.random.below(5000));
  }
  return world;
}

async function mishap(world: World): Promise<void> {
  const { random, up, nodes } = world;
  const node: SimNode | undefined = up.length === 0 ? undefined : random.pick(up);
  const client = random.pick(world.clients);
  const roll = random.below(100);
  if (node === undefined || nodes.filter(({ isDead }) => !isDead).length < 2) {
    world.start();
    world.happened(true);
  } else if (roll < 14) {
    node.kill();
    world.happened(true);
  } else if (roll < 26) {
    node.pausedUntil = world.now + 300 + random.below(8000);
    world.happened(true);
    world.later(node.pausedUntil - world.now);
  } else if (roll < 36) {
    if (up.length < MAX_NODES) world.start();
    world.happened(true);
  } else if (roll < 42) {
    node.leave();
    world.happened(true);
    world.later(4000, () => node.kill());
  } else if (roll < 50) {
    node.isCut = true;
    world.happened(true);
    world.later(500 + random.below(6000), () => (node.isCut = false));
  } else if (roll < 55) {
    world.isDatabaseAway = true;
    world.happened(true);
    world.later(1500 + random.below(6000), () => (world.isDatabaseAway = false));
  } else if (roll < 61) {
    node.leases.isCut = true;
    world.happened(true);
    world.later(500 + random.below(8000), () => (node.leases.isCut = false));
  } else if (roll < 66) {
    world.leases.failing = random.pick(['away', 'answers-lost'] as const);
    world.happened(true);
    world.later(500 + random.below(8000), () => {
      if (world.leases.failing !== false) world.leasesAreBack();
    });
  } else if (roll < 69) {
    world.leases.lose();
    world.leasesAreBack();
    world.happened(true);
  } else if (roll < 76) {
    // A mass failure.
    for (const each of world.clients) if (each.group === client.group || random.chance(0.1)) world.end(each);
  } else if (roll < 88) world.end(client);
  else for (const each of world.clients) if (random.chance(0.6)) world.begin(each);
}

const HISTORIES = histories(20, 2000, 'NODES');
const BROKEN = process.env['NODES_BROKEN']?.split(',') ?? [];

async function judge(name: string, run: (seed: number) => Promise<World>): Promise<Record<string, number>> {
  const totals: Record<string, number> = {};
  await HISTORIES.play(async (seed) => {
    const { stats } = await run(seed);
    for (const [what, count] of Object.entries(stats)) totals[what] = (totals[what] ?? 0) + count;
  });
  if (process.env['SIM_STATS'] !== undefined) process.stdout.write(`${name}: ${JSON.stringify(totals)}\n`);
  return totals;
}

describe('several nodes under random histories', () => {
  test(
    'INS1 nodes that come and go in order: each check is made once, at its time, by one node',
    async () => {
      const totals = await judge('orderly', (seed) => orderly(seed, BROKEN));
      expect(totals['takeovers']).toBeGreaterThan(0);
    },
    HISTORIES.timeoutMs,
  );

  test(
    "INS1 INS3 INS4 hold whatever goes wrong, and nobody decides about what is another node's",
    async () => {
      const totals = await judge('chaos', (seed) => chaos(seed, 12, BROKEN));
      for (const what of ['critical', 'takeovers', 'acks', 'refused', 'trips', 'kept', 'fenced', 'madeUp']) {
        expect([what, (totals[what] ?? 0) > 0]).toEqual([what, true]);
      }
    },
    HISTORIES.timeoutMs,
  );
});
