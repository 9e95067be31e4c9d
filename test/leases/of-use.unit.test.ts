import { expect, test } from '@jest/globals';
import type { Cluster } from '../../src/cluster/cluster.ts';
import { loadConfig } from '../../src/config.ts';
import { View } from '../../src/domain/view.ts';
import type { Leases } from '../../src/leases/port.ts';
import { createMetrics } from '../../src/metrics.ts';
import { composeSharing, type SharingDeps } from '../../src/sharing.ts';
import { MemoryLeaseServer } from '../support/memory-leases.ts';
import { MemoryNodes } from '../support/memory-nodes.ts';
import { until } from '../acceptance/until.ts';

const loaded = loadConfig({ DATABASE_URL: 'postgresql://db.example.com/signalbox', LISTEN_HOST: '127.0.0.1' });
if (!loaded.ok) throw new Error(loaded.errors.join('\n'));
const { config } = loaded;

/** Nodes on one database, each with a line of its own to where the leases are. */
class World {
  now = 50_000;
  readonly nodes = new MemoryNodes();
  readonly #leases = new Map<Cluster, Leases>();

  constructor() {
    this.nodes.clock = () => this.now + 1_700_000_000_000;
  }

  /** A node as `main` puts it together, but for what it does not need here. */
  add(id: string, line: MemoryLeaseServer): Cluster {
    const quiet = { info: () => undefined, warn: () => undefined, debug: () => undefined, error: () => undefined };
    const view = new View();
    const head = { epoch: 'e', revision: 0, trimmed: 0, at: 0 };
    const leases = line.open();
    const { cluster } = composeSharing({
      config,
      me: { id, name: id, version: '1' },
      store: { nodes: this.nodes, load: () => Promise.reject(new Error('nothing is to be loaded')) },
      tail: { ready: true, head, view, catchUp: () => Promise.resolve() },
      hub: { connections: 0, subscriptions: 0 },
      bus: { state: 'here' },
      leases,
      registry: { execute: () => Promise.reject(new Error('nothing is to be decided')) },
      prober: { probe: () => Promise.reject(new Error('nothing is to be checked')), forget: () => undefined },
      warmUp: { entries: 1, bytes: 1 },
      metrics: createMetrics(),
      log: quiet,
      now: () => this.now,
    } as unknown as SharingDeps);
    this.#leases.set(cluster, leases);
    return cluster;
  }

  leasesOf = (cluster: Cluster): Leases | undefined => this.#leases.get(cluster);

  async beat(times: number, ...clusters: readonly Cluster[]): Promise<void> {
    for (let i = 0; i < times; i++) {
      this.now += config.nodeHeartbeat;
      for (const cluster of clusters) await cluster.beat();
      for (const cluster of clusters) cluster.tick();
    }
  }
}

test('INS1 a node that has never reached the leases that others have takes no share, and holds up nobody else’s', async () => {
  const world = new World();
  const line = new MemoryLeaseServer(() => world.now);
  const cut = new MemoryLeaseServer(() => world.now);
  cut.failing = 'away';
  const a = world.add('a', line);
  await world.beat(10, a);
  const b = world.add('b', cut);
  await until('it has tried', () => b.conditions.has('leases-away'));
  // Before its first heartbeat it knows of nobody else; with its second one it does.
  await world.beat(10, a, b);
  expect(world.nodes.standing).toMatchObject({ members: ['a'], withoutLeases: [] });
  expect(a.claims.leasesRun).toBe(true);
  expect(b.mayKeepRenewals).toBe(false);

  cut.comeBack();
  await until('it has reached them', () => !b.conditions.has('leases-away'));
  await world.beat(10, a, b);
  expect(world.nodes.standing).toMatchObject({ members: ['a', 'b'], withoutLeases: [] });

  // Who has reached them once keeps in memory what it hears, and its share.
  cut.failing = 'away';
  await world
    .leasesOf(b)
    ?.read(['any'])
    .catch(() => undefined);
  await world.beat(10, a, b);
  expect(world.nodes.standing).toMatchObject({ members: ['a', 'b'], withoutLeases: ['b'] });
  expect(b.mayKeepRenewals).toBe(true);
});

test('INS1 where nobody has reached them a node is of use without', async () => {
  const world = new World();
  const cut = new MemoryLeaseServer(() => world.now);
  cut.failing = 'away';
  const [a, b] = [world.add('a', cut), world.add('b', cut)];
  await until('both have tried', () => [a, b].every(({ conditions }) => conditions.has('leases-away')));
  await world.beat(10, a, b);
  expect(world.nodes.standing).toMatchObject({ members: ['a', 'b'], withoutLeases: ['a', 'b'] });
  expect(a.mayKeepRenewals && b.mayKeepRenewals).toBe(true);
});
