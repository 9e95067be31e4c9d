import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { boundOf, httpCheck, instance, passingOf, register, ttlCheck } from '../acceptance/instance-api.ts';
import { Child } from '../acceptance/instance-child.ts';
import { Witness } from '../acceptance/instance-witness.ts';
import { until } from '../acceptance/until.ts';
import { call, type Signalbox } from '../support/signalbox.ts';
import { RELEASE } from './previous.ts';
import { makeGround, startNodeOf, type Ground, type Release } from './side-by-side.ts';

const LEASE_MS = 2000;
const TAIL_MS = 100;
/** How much later another node may be told, even without the bus: one look at the log, and a moment. */
const OTHER_NODE_MS = TAIL_MS + 400;

/** What a test started, ended after it in the reverse order. */
const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

describe.each<[keeps: Release, other: Release]>([
  ['old', 'new'],
  ['new', 'old'],
])(
  `nodes of ${RELEASE.version} (old) and of this version: the %s one keeps leases, the %s one does not`,
  (keeps, not) => {
    let ground: Ground;
    let keeper: Signalbox;
    let other: Signalbox;
    beforeAll(async () => {
      ground = await makeGround();
      const env = { ...ground.env, TAIL_INTERVAL: `${TAIL_MS}ms` };
      keeper = await startNodeOf(keeps, env);
      other = await startNodeOf(not, { ...env, HEALTH_CHECKS: 'off' });
    }, 120_000);
    afterAll(async () => {
      await Promise.all([keeper, other].map((node) => node.stop('SIGKILL')));
      await ground.drop();
    });

    async function witnesses(service: string): Promise<Witness[]> {
      const opened = await Promise.all(
        [keeper, other].map(({ url }) => Witness.open(url, { kind: 'instance', services: [service] })),
      );
      leftovers.push(() => opened.forEach((one) => one.stop()));
      return opened;
    }

    test('INS1 who registers at the other is checked, and watchers of both are told in time', async () => {
      const service = 'checked.example.com';
      const watching = await witnesses(service);
      const { child, port } = await Child.listening(['/health']);
      leftovers.push(() => child.kill());
      const registered = await register(other.url, instance(service, port, { check: httpCheck() }));
      await until('it passes, at both', () => watching.every((one) => one.isIn(registered.name)));
      await child.kill();
      const killedAt = child.killedAt ?? 0;
      for (const one of watching) {
        const told = await one.untilOut(registered.name, killedAt);
        expect(told.at - killedAt).toBeLessThanOrEqual(boundOf(registered) + OTHER_NODE_MS);
      }
    }, 60_000);

    test('INS3 whoever was told that it has renewed is not given up, whichever of them said so', async () => {
      const service = 'leased.example.com';
      const watching = await witnesses(service);
      const { id, name } = await register(other.url, instance(service, 8080, { check: ttlCheck(`${LEASE_MS}ms`) }));
      await until('both have it', async () => {
        const found = await Promise.all([keeper, other].map(({ url }) => passingOf(url, service)));
        return found.every(({ length }) => length === 1);
      });
      // Asked first is the one that keeps none. What it cannot promise it must not say.
      for (const began = performance.now(); performance.now() - began < 3 * LEASE_MS; await sleep(LEASE_MS / 5)) {
        const { status } = await call(other.url, 'POST', `/v1/instances/${id}/renew`);
        if (status < 300) continue;
        expect(status).toBe(503);
        expect((await call(keeper.url, 'POST', `/v1/instances/${id}/renew`)).status).toBe(204);
      }
      for (const one of watching) expect(one.told.map(({ op }) => op)).toEqual(['put']);
      for (const one of watching) await one.untilOut(name);
    }, 60_000);
  },
);
