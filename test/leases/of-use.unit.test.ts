import { describe, expect, test } from '@jest/globals';
import type { Cluster } from '../../src/cluster/cluster.ts';
import { loadConfig } from '../../src/config.ts';
import { decideInstances } from '../../src/domain/instances/decide-instances.ts';
import { View } from '../../src/domain/view.ts';
import type { Leases } from '../../src/leases/port.ts';
import { createMetrics } from '../../src/metrics.ts';
import { composeSharing, type Sharing, type SharingDeps } from '../../src/sharing.ts';
import { StoreUnavailable, type Nodes } from '../../src/store/port.ts';
import { MemoryLeaseServer } from '../support/memory-leases.ts';
import { MemoryNodes } from '../support/memory-nodes.ts';
import { until } from '../acceptance/until.ts';

const loaded = loadConfig({ DATABASE_URL: 'postgresql://db.example.com/signalbox', LISTEN_HOST: '127.0.0.1' });
if (!loaded.ok) throw new Error(loaded.errors.join('\n'));
const { config } = loaded;

const INSTANCE = '0'.repeat(24);
const turns = async (): Promise<void> => {
  for (let i = 0; i < 30; i++) await Promise.resolve();
};

/** What all nodes know of: one instance that renews its lease. */
function viewOfOne(): View {
  const view = new View();
  const registration = {
    service: 'a.example',
    protocol: 'http',
    address: '10.0.0.1',
    port: 80,
    weight: 1,
    tags: {},
    metadata: {},
    check: { type: 'ttl', ttl: '10s', initialStatus: 'passing', deregisterAfter: '10m' },
  } as const;
  const instances = [{ op: 'register', id: INSTANCE, registration }] as const;
  const caller = { kind: 'administrator', subject: 'test' } as const;
  const decision = decideInstances(view, { caller, at: 0, instances }, 1);
  if (decision.ok) view.fold(decision.changes);
  return view;
}

interface Placed {
  readonly sharing: Sharing;
  readonly leases: Leases;
  readonly metrics: SharingDeps['metrics'];
}

/** Nodes on one database, each with a line of its own to where the leases are. */
class World {
  now = 50_000;
  readonly nodes = new MemoryNodes();
  /** Nodes that cannot reach the database. */
  readonly cut = new Set<string>();
  readonly #placed = new Map<Cluster, Placed>();

  constructor() {
    this.nodes.clock = () => this.now + 1_700_000_000_000;
  }

  /** A node as `main` puts it together, but for what it does not need here. */
  add(id: string, line: MemoryLeaseServer): Cluster {
    const quiet = { info: () => undefined, warn: () => undefined, debug: () => undefined, error: () => undefined };
    const view = viewOfOne();
    const head = { epoch: 'e', revision: 0, trimmed: 0, at: 0 };
    const leases = line.open();
    const metrics = createMetrics();
    const sharing = composeSharing({
      config,
      me: { id, name: id, version: '1' },
      store: { nodes: this.#wayOf(id), load: () => Promise.reject(new Error('nothing is to be loaded')) },
      tail: { ready: true, head, view, catchUp: () => Promise.resolve() },
      hub: { connections: 0, subscriptions: 0 },
      bus: { state: 'here' },
      leases,
      registry: { execute: () => Promise.reject(new Error('nothing is to be decided')) },
      prober: { probe: () => Promise.reject(new Error('nothing is to be checked')), forget: () => undefined },
      warmUp: { entries: 1, bytes: 1 },
      metrics,
      log: quiet,
      now: () => this.now,
    } as unknown as SharingDeps);
    this.#placed.set(sharing.cluster, { sharing, leases, metrics });
    return sharing.cluster;
  }

  #wayOf(id: string): Nodes {
    const way = <T>(run: () => Promise<T>): Promise<T> =>
      this.cut.has(id) ? Promise.reject(new StoreUnavailable('cut off')) : run();
    const { nodes } = this;
    return {
      beat: (row) => way(() => nodes.beat(row)),
      change: (next) => way(() => nodes.change(next)),
      leave: (of) => way(() => nodes.leave(of)),
      membership: () => way(() => nodes.membership()),
    };
  }

  get all(): readonly Cluster[] {
    return [...this.#placed.keys()];
  }

  of(cluster: Cluster): Placed {
    const placed = this.#placed.get(cluster);
    if (placed === undefined) throw new Error('no such node');
    return placed;
  }

  /** It finds out that the leases cannot be reached. */
  async ask(...clusters: readonly Cluster[]): Promise<void> {
    for (const cluster of clusters) {
      await this.of(cluster)
        .leases.read(['any'])
        .catch(() => undefined);
      await turns();
    }
  }

  /** Whether a renewal that comes to it is acknowledged. */
  renews(cluster: Cluster): Promise<boolean> {
    return Promise.resolve(this.of(cluster).sharing.monitoring.renew(INSTANCE)).catch(() => false);
  }

  async beat(times: number, ...clusters: readonly Cluster[]): Promise<void> {
    for (let i = 0; i < times; i++) {
      this.now += config.nodeHeartbeat;
      for (const cluster of clusters) {
        const beats = this.of(cluster).sharing.jobs.find(({ pauseMs }) => pauseMs === config.nodeHeartbeat);
        await beats?.run();
        await turns();
      }
      for (const cluster of clusters) cluster.tick();
    }
  }
}

function lines(world: World, count: number): MemoryLeaseServer[] {
  return Array.from({ length: count }, () => new MemoryLeaseServer(() => world.now));
}

describe('a node that has never reached the leases', () => {
  test('INS1 which others have takes no share, and holds up nobody else’s', async () => {
    const world = new World();
    const [line, cut] = lines(world, 2) as [MemoryLeaseServer, MemoryLeaseServer];
    cut.failing = 'away';
    const a = world.add('a', line);
    await world.beat(10, a);
    const { leasesRunSince } = world.nodes.standing;
    const b = world.add('b', cut);
    await until('it has tried', () => b.conditions.has('leases-away'));
    // Before its first heartbeat it knows of nobody else, and keeps nothing that anybody would have to wait for.
    await world.beat(10, a, b);
    expect(world.nodes.standing).toMatchObject({ members: ['a'], withoutLeases: [], leasesRunSince });
    expect(a.claims.leasesRun).toBe(true);
    expect(b.mayKeepRenewals).toBe(false);

    cut.comeBack();
    await until('it has reached them', () => !b.conditions.has('leases-away'));
    await world.beat(10, a, b);
    expect(world.nodes.standing).toMatchObject({ members: ['a', 'b'], withoutLeases: [], leasesRunSince });

    // Who has reached them once keeps in memory what it hears, and its share.
    cut.failing = 'away';
    await world.ask(b);
    await world.beat(10, a, b);
    expect(world.nodes.standing).toMatchObject({ members: ['a', 'b'], withoutLeases: ['b'] });
    expect(b.mayKeepRenewals).toBe(true);
  });

  test('INS1 is of use without where nobody has', async () => {
    const world = new World();
    const [cut] = lines(world, 1) as [MemoryLeaseServer];
    cut.failing = 'away';
    const [a, b] = [world.add('a', cut), world.add('b', cut)];
    await until('both have tried', () => [a, b].every(({ conditions }) => conditions.has('leases-away')));
    await world.beat(10, a, b);
    expect(world.nodes.standing).toMatchObject({ members: ['a', 'b'], withoutLeases: ['a', 'b'] });
    expect(a.mayKeepRenewals && b.mayKeepRenewals).toBe(true);
  });

  test('INS3 and has kept renewals while nobody had says so when another one has', async () => {
    const world = new World();
    const [line, cut] = lines(world, 2) as [MemoryLeaseServer, MemoryLeaseServer];
    line.failing = cut.failing = 'away';
    const [a, b] = [world.add('a', line), world.add('b', cut)];
    await until('both have tried', () => [a, b].every(({ conditions }) => conditions.has('leases-away')));
    await world.beat(10, a, b);
    expect(await world.renews(b)).toBe(true);
    line.comeBack();
    await turns();
    await world.beat(10, a, b);
    expect(world.nodes.standing.withoutLeases).toEqual(['b']);
    cut.comeBack();
    await turns();
    await world.beat(2, a, b);
    expect(world.nodes.standing).toMatchObject({ members: ['a', 'b'], withoutLeases: [] });
  });
});

test('INS1 each node counts how often leases got their full length since one was without, and for whose sake', async () => {
  const world = new World();
  const [line, cut] = lines(world, 2) as [MemoryLeaseServer, MemoryLeaseServer];
  const [a, b] = [world.add('a', line), world.add('b', cut)];
  const extended = async (cluster: Cluster): Promise<unknown> => {
    const { values } = await world
      .of(cluster)
      .metrics.registry.getSingleMetric('signalbox_leases_extended_total')!
      .get();
    return Object.fromEntries(values.map(({ labels, value }) => [labels['sake'], value]));
  };
  await world.beat(10, a, b);
  for (const cluster of [a, b]) expect(await extended(cluster)).toEqual({ this: 0, another: 0 });
  for (let i = 0; i < 3; i++) {
    cut.failing = 'away';
    await world.ask(b);
    await world.beat(2, a, b);
    cut.comeBack();
    await turns();
    await world.beat(2, a, b);
  }
  expect(await extended(a)).toEqual({ this: 0, another: 3 });
  expect(await extended(b)).toEqual({ this: 3, another: 0 });
  // A change of who shares the work is none of it.
  world.add('c', line);
  await world.beat(3, ...world.all);
  expect(await extended(a)).toEqual({ this: 0, another: 3 });
});

describe('a node that was cut off from the others and from the leases', () => {
  test('INS1 and has kept nothing holds up nobody’s lease when it is back, and has its share when it has reached them', async () => {
    const world = new World();
    const [line, cut] = lines(world, 2) as [MemoryLeaseServer, MemoryLeaseServer];
    const [a, b] = [world.add('a', line), world.add('b', cut)];
    await world.beat(10, a, b);
    const { leasesRunSince } = world.nodes.standing;
    world.cut.add('b');
    cut.failing = 'away';
    await world.ask(b);
    await world.beat(10, a, b);
    expect(world.nodes.standing.members).toEqual(['a']);
    world.cut.delete('b');
    for (let i = 0; i < 6; i++) {
      await world.beat(1, b, a);
      expect(world.nodes.standing).toMatchObject({ withoutLeases: [], leasesRunSince });
      expect([a.claims.leasesRun, await world.renews(b)]).toEqual([true, false]);
    }
    expect(world.nodes.standing.members).toEqual(['a']);
    cut.comeBack();
    await turns();
    await world.beat(6, a, b);
    expect(world.nodes.standing).toMatchObject({ members: ['a', 'b'], withoutLeases: [], leasesRunSince });
    expect(b.claims.stands).toBe(true);
  });

  test('INS3 and had kept renewals before says so when it is back', async () => {
    const world = new World();
    const [line, cut] = lines(world, 2) as [MemoryLeaseServer, MemoryLeaseServer];
    const [a, b] = [world.add('a', line), world.add('b', cut)];
    await world.beat(10, a, b);
    cut.failing = 'away';
    await world.ask(b);
    await world.beat(2, a, b);
    expect(await world.renews(b)).toBe(true);
    world.cut.add('b');
    await world.beat(10, a, b);
    expect([a.claims.leasesRun, await world.renews(b)]).toEqual([true, false]);
    world.cut.delete('b');
    await world.beat(1, b, a);
    expect(world.nodes.standing.withoutLeases).toEqual(['b']);
    expect(a.claims.leasesRun).toBe(false);
  });

  test('INS3 with all others: nobody gives up its share, and all have their leases with the second heartbeat', async () => {
    const world = new World();
    const [one, two] = lines(world, 2) as [MemoryLeaseServer, MemoryLeaseServer];
    const [a, b] = [world.add('a', one), world.add('b', two)];
    await world.beat(10, a, b);
    const { term } = world.nodes.standing;
    // The leases are in the database, which is away.
    for (const id of ['a', 'b']) world.cut.add(id);
    one.failing = two.failing = 'away';
    await world.ask(a, b);
    await world.beat(10, a, b);
    world.cut.clear();
    one.failing = two.failing = false;
    await world.beat(1, a, b);
    expect([a, b].map(({ conditions }) => conditions.has('leases-away'))).toEqual([false, false]);
    await world.beat(8, a, b);
    expect(world.nodes.standing).toMatchObject({ term, members: ['a', 'b'], withoutLeases: [] });
    expect([a.claims.stands, b.claims.stands]).toEqual([true, true]);
  });

  test('INS3 with all others, of whom none reaches the leases: they go on together without', async () => {
    const world = new World();
    const [line] = lines(world, 1) as [MemoryLeaseServer];
    const [a, b] = [world.add('a', line), world.add('b', line)];
    await world.beat(10, a, b);
    for (const id of ['a', 'b']) world.cut.add(id);
    line.failing = 'away';
    await world.ask(a, b);
    await world.beat(10, a, b);
    world.cut.clear();
    await world.beat(4, a, b);
    expect(world.nodes.standing).toMatchObject({ members: ['a', 'b'], withoutLeases: ['a', 'b'] });
    expect([await world.renews(a), await world.renews(b)]).toEqual([true, true]);
    line.comeBack();
    await turns();
    const { now } = world;
    await world.beat(2, a, b);
    expect(world.nodes.standing.withoutLeases).toEqual([]);
    expect(world.nodes.standing.leasesRunSince).toBeGreaterThan(now + 1_700_000_000_000);
  });
});
