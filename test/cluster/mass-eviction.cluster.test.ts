/** The failure that empties a registry: it was itself away, and gives up everybody who could not tell it that they live. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Select } from '../../src/protocol/frames.ts';
import { until } from '../acceptance/until.ts';
import { Random } from '../support/random.ts';
import { isOut } from './record.ts';
import { Scene } from './scene.ts';
import { gone } from './validators/gone.ts';
import { Heartbeats } from './workers/heartbeats.ts';
import { Living } from './workers/living.ts';

const LEASE_MS = 2000;
const SERVICE = 'evicted.example.com';
const SELECT: Select = { kind: 'instance', services: [SERVICE] };
/** Of five or more, the guard (INS4) would keep some, and hide what is to be seen here. */
const MANY = 4;
/** Longer than every lease, and than NODE_TIMEOUT. */
const AWAY_MS = 4000;

describe('mass eviction after a botched failover', () => {
  let scene: Scene;
  let living: Living[];
  let beating = true;
  let work: Promise<void>;
  beforeAll(async () => {
    scene = await Scene.open({ nodes: 3, seed: 11 }, [SELECT]);
    const [door] = scene.cluster.nodes;
    if (door === undefined) throw new Error('a cluster has a node');
    living = [];
    for (let i = 0; i < MANY; i++) {
      const check = { type: 'ttl', ttl: `${LEASE_MS}ms` };
      const body = { service: SERVICE, protocol: 'http', address: '127.0.0.1', port: 9000 + i, region: 'eu', check };
      living.push(await Living.register(door, body));
    }
    const { nodes } = scene.cluster;
    const beats = new Heartbeats(living, { doors: nodes, everyMs: 300, random: new Random(3) });
    work = beats.work(() => beating);
  }, 180_000);
  afterEach(async () => {
    await scene.clear();
  }, 90_000);
  afterAll(async () => {
    beating = false;
    await work;
    await scene.close();
  });

  /** Longer than anybody could be silent by right. */
  async function nobodyIsOut(since: number): Promise<void> {
    await sleep(2 * LEASE_MS);
    await scene.reader.look();
    const events = scene.reader.instances.filter(({ before }) => before > since);
    expect(events.filter((event) => isOut(event))).toEqual([]);
    expect(
      gone(
        living.map(({ life }) => life),
        events,
      ),
    ).toEqual([]);
    expect(scene.complaints).toEqual([]);
  }

  const lastRenewal = (): number => Math.min(...living.map(({ life }) => life.renewals.at(-1)?.sentAt ?? 0));

  test('INS3 Redis comes back empty: nobody is given up who renewed', async () => {
    const since = performance.now();
    await scene.cluster.redis.kill();
    await sleep(AWAY_MS);
    await scene.cluster.redis.start();
    await nobodyIsOut(since);
    expect(lastRenewal()).toBeGreaterThan(since);
  }, 60_000);

  test.each([0, 1, 2])(
    'INS3 node %i stands still for longer than every lease: nobody is given up who renewed',
    async (number) => {
      const since = performance.now();
      scene.node(number).pause();
      await sleep(AWAY_MS);
      scene.node(number).resume();
      await nobodyIsOut(since);
      expect(lastRenewal()).toBeGreaterThan(since);
    },
    60_000,
  );

  test('INS3 the database comes back after longer than every lease, with Redis empty: nobody is given up who renewed', async () => {
    const since = performance.now();
    const { postgres, redis } = scene.cluster;
    await postgres.kill();
    await redis.kill();
    await sleep(AWAY_MS);
    await redis.start();
    await postgres.start();
    await nobodyIsOut(since);
  }, 90_000);

  test('INS1 afterwards, who dies is given up within the bound, and everybody else stays', async () => {
    const [victim, ...others] = living;
    if (victim === undefined) throw new Error('nobody lives');
    const [watched] = scene.cluster.nodes;
    if (watched === undefined) throw new Error('a cluster has a node');
    const watcher = scene.subscribe(SELECT, watched);
    await scene.reached(watcher, scene.reader.head);
    victim.die();
    const { from } = victim.death ?? { from: 0 };
    const out = await until('it is given up', () =>
      scene.reader.instances.find((event) => event.name === victim.life.name && event.after > from && isOut(event)),
    );
    expect(out.before - from).toBeLessThanOrEqual(victim.life.boundMs);
    await scene.reached(watcher, out.revision);
    const events = scene.reader.instances.filter(({ before }) => before > from);
    expect(
      gone(
        others.map(({ life }) => life),
        events,
      ),
    ).toEqual([]);
  }, 60_000);
});
