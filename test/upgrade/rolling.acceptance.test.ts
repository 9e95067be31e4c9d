import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Select } from '../../src/protocol/frames.ts';
import { instance, passingOf, register, ttlCheck, type Registered } from '../acceptance/instance-api.ts';
import { check, readLog } from '../acceptance/log-model.ts';
import { until } from '../acceptance/until.ts';
import { Follower } from '../acceptance/watch-client.ts';
import { RELEASE } from './previous.ts';
import { Insistent } from './insistent.ts';
import { makeGround, Place, type Ground } from './side-by-side.ts';

const SERVICE = 'beating.example.com';
const LEASE_MS = 2000;
/** Nodes of this release share the leases. Beside those of 0.1.0, which cannot, only one node keeps them. */
const KEEPS = { HEALTH_CHECKS: 'on' };
const KEEPS_NOT = { HEALTH_CHECKS: 'off' };
const SELECTORS: readonly Select[] = [{ kind: '*' }, { kind: 'region' }, { kind: 'instance', services: [SERVICE] }];

describe(`an upgrade from ${RELEASE.version}, node by node, while everything goes on`, () => {
  let ground: Ground;
  let a: Place;
  let b: Place;
  let urls: readonly string[];
  let writing: boolean;
  let renewing: boolean;
  let writers: Insistent[];
  let keepers: Insistent[];
  let followers: Follower[];
  let writes: Promise<void>[];
  let renewals: Promise<void>[];
  let instances: Registered[];
  beforeEach(async () => {
    ground = await makeGround();
    const env = { ...ground.env, TAIL_INTERVAL: '100ms' };
    [a, b] = await Promise.all([Place.at(env), Place.at(env)]);
    urls = [a.url, b.url];
    await a.put('old', KEEPS);
    await b.put('old', KEEPS_NOT);
    instances = await Promise.all(
      urls.map((url, i) => register(url, instance(SERVICE, 8080 + i, { check: ttlCheck(`${LEASE_MS}ms`) }))),
    );
    writing = renewing = true;
    followers = SELECTORS.flatMap((select) =>
      [0, 1].map((first) => {
        let turn = first;
        return new Follower(() => urls[(turn += 1) % 2] as string, select);
      }),
    );
    writers = [0, 1].map((i) => new Insistent(urls, i));
    keepers = instances.map((_, i) => new Insistent(urls, i));
    writes = writers.map((writer, i) => writer.write(`w${i}`, () => writing));
    renewals = keepers.map((keeper, i) => keeper.renew((instances[i] as Registered).id, LEASE_MS / 5, () => renewing));
  }, 120_000);
  afterEach(async () => {
    writing = renewing = false;
    for (const one of followers) one.stop();
    await Promise.allSettled([...writes, ...renewals]);
    await Promise.all([a.clear(), b.clear()]);
    await ground.drop();
  });

  /** Everybody gets something done, on what there is now, for longer than a lease. */
  async function goOn(): Promise<void> {
    const before = [...writers, ...keepers].map(({ acknowledged }) => acknowledged.length);
    await sleep(LEASE_MS * 1.5);
    await until('everybody gets on', () =>
      [...writers, ...keepers].every(({ acknowledged }, i) => acknowledged.length > (before[i] ?? 0) + 3),
    );
  }

  test('REV1 REV2 PUSH3 PUSH5 INS3 old, new beside old, new ones that share the leases, and back by one version: nothing is lost, nobody is given up', async () => {
    await b.put('new', KEEPS_NOT);
    await goOn();
    await a.put('new', KEEPS);
    await b.put('new', KEEPS);
    await goOn();
    // The way back. Beside the old one that keeps them nobody else may.
    await b.put('new', KEEPS_NOT);
    await a.put('old', KEEPS);
    await goOn();
    await b.put('old', KEEPS_NOT);
    await goOn();
    writing = false;
    await Promise.all(writes);

    for (const one of [...writers, ...keepers]) expect(one.faults).toEqual([]);
    const logs = await Promise.all(urls.map((url) => readLog(url)));
    const [{ model, head }] = logs as [(typeof logs)[0], (typeof logs)[0]];
    // Each acknowledged write stands in the log at the revision that its answer named.
    for (const { acknowledged } of writers) {
      for (const { revision, name, title } of acknowledged) {
        const changes = model.log
          .get(revision)
          ?.changes.map((change) => (change.op === 'put' ? change.item.value : {}));
        expect(changes).toEqual([expect.objectContaining({ name, title })]);
      }
    }
    for (const one of followers) {
      await one.reached(head);
      check(model, one.select, one.topic ?? '', one.frames);
      expect(one.resets).toBe(0);
      expect(one.connections).toBeGreaterThan(2);
    }
    const ofInstances = followers.filter(({ select }) => select.kind === 'instance');
    for (const { frames } of ofInstances) {
      const told = frames.flatMap((frame) => (frame.type === 'change' ? frame.changes : []));
      expect(told.filter(({ op, value }) => op === 'delete' || value?.['passing'] !== true)).toEqual([]);
    }

    // That nobody was given up says something only where somebody would be.
    renewing = false;
    await until('who renews no more is given up', async () => (await passingOf(a.url, SERVICE)).length === 0);
  }, 180_000);
});
