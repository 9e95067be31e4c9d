import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../support/random.ts';
import type { Signalbox } from '../support/signalbox.ts';
import { embeddedHome, type Home } from './homes.ts';
import { boundOf, httpCheck, instance, register, ttlCheck } from './instance-api.ts';
import { Child, type Registration, type Role } from './instance-child.ts';
import { Witness } from './instance-witness.ts';
import { startNode } from './nodes.ts';
import { until } from './until.ts';

const BATCHES = 4;
const EACH = 25;

/** A process that Signalbox watches over, and what it promised about it. */
interface Watched {
  readonly how: string;
  readonly child: Child;
  readonly registered: Registration;
}

describe('a process is killed', () => {
  let home: Home;
  let node: Signalbox;
  beforeAll(async () => {
    home = await embeddedHome();
    node = await startNode({ ...home.env, WATCH_HEARTBEAT: '2s' });
  }, 180_000);
  afterAll(async () => {
    await node.stop('SIGKILL');
    await home.drop();
  });

  const nameOf = (batch: number, i: number): string => `killed-${batch}-${i}.example.com`;

  /** One after the other, so that a batch has some of each. */
  const CHECKS: readonly {
    readonly how: string;
    readonly check: object;
    readonly role?: 'lease' | 'renew' | 'ping';
  }[] = [
    { how: 'http, one failure', check: httpCheck() },
    { how: 'a lease over HTTP', check: ttlCheck('1s'), role: 'lease' },
    { how: 'http, two failures', check: httpCheck({ unhealthyAfter: 2 }) },
    { how: 'a lease over a socket, renewed', check: ttlCheck('1s'), role: 'renew' },
    { how: 'tcp', check: { type: 'tcp', interval: '500ms', timeout: '200ms', unhealthyAfter: 1 } },
    { how: 'a lease over HTTP', check: ttlCheck('1500ms'), role: 'lease' },
    { how: 'a lease over a socket, pinged', check: ttlCheck('1s'), role: 'ping' },
  ];

  async function startOne(batch: number, i: number): Promise<() => Promise<Watched>> {
    const { how, check, role } = CHECKS[i % CHECKS.length] as (typeof CHECKS)[number];
    const service = nameOf(batch, i);
    if (role === undefined) {
      const child = await Child.start({ role: 'http', paths: ['/health'] });
      return async () => {
        const body = instance(service, await child.listens(), { check });
        return { how, child, registered: await register(node.url, body) };
      };
    }
    const body = instance(service, 20_000 + i, { address: '127.0.0.9', check });
    const common = { url: node.url, body, everyMs: 300 };
    const does: Role = role === 'lease' ? { role, ...common } : { role: 'socket', frame: role, ...common };
    const child = await Child.start(does);
    return async () => ({ how, child, registered: await child.registers() });
  }

  test('INS1 a hundred times over, and every watcher is told within the bound that the instance has published, and none before', async () => {
    const random = new Random(91);
    const late: string[] = [];
    const early: string[] = [];
    const share: number[] = [];
    for (let batch = 0; batch < BATCHES; batch++) {
      const services = Array.from({ length: EACH }, (_, i) => nameOf(batch, i));
      const witnesses = {
        'who watches those that pass': await Witness.open(node.url, { kind: 'instance', services, passing: true }),
        'who watches all': await Witness.open(node.url, { kind: 'instance', services }),
        'who reads server-sent events': await Witness.events(node.url, `kind=instance&services=${services.join(',')}`),
      };
      // All are up before the first registers: their start takes the machine for a while.
      const starts = await Promise.all(services.map((_, i) => startOne(batch, i)));
      const watched = await Promise.all(starts.map((go) => go()));
      await until('all pass', () =>
        watched.every(({ registered }) => Object.values(witnesses).every((one) => one.isIn(registered.name))),
      );
      const since = performance.now();
      await sleep(2500);

      await Promise.all(
        watched.map(async ({ child }) => {
          await sleep(random.below(1500));
          await child.kill();
        }),
      );
      for (const { how, child, registered } of watched) {
        const killedAt = child.killedAt ?? 0;
        const bound = boundOf(registered);
        for (const [who, witness] of Object.entries(witnesses)) {
          const told = await witness.untilOut(registered.name, since);
          const took = told.at - killedAt;
          if (took < 0)
            early.push(`${how}: ${who} was told ${Math.round(-took)} ms before: ${JSON.stringify(told.value)}`);
          else share.push(took / bound);
          if (took > bound)
            late.push(`${how}: ${who} was told after ${Math.round(took)} ms, and the bound is ${bound} ms`);
        }
        expect(child.error).toBeUndefined();
      }
      for (const witness of Object.values(witnesses)) witness.stop();
    }
    expect(early).toEqual([]);
    expect(late).toEqual([]);
    // All three were told of each, and the bound is no wild guess.
    expect(share).toHaveLength(BATCHES * EACH * 3);
    expect(Math.max(...share)).toBeGreaterThan(0.4);
  }, 150_000);

  test('INS1 a bound is what docs/instances.md says, for each sort of check', async () => {
    const bounds = await Promise.all(
      [
        ttlCheck('30s'),
        ttlCheck('1500ms'),
        httpCheck({ interval: '10s', timeout: '2s', unhealthyAfter: 2 }),
        { type: 'tcp', interval: '500ms', timeout: '50ms', unhealthyAfter: 3 },
        { type: 'grpc', interval: '1s', timeout: '1s', unhealthyAfter: 1 },
      ].map(async (check, i) => {
        const registered = await register(node.url, instance('bounds.example.com', 30_000 + i, { check }));
        expect(registered.instance.detectionBound).toBe(registered.detectionBound);
        return boundOf(registered);
      }),
    );
    expect(bounds).toEqual([31_000, 2500, 24_000, 2625, 3050]);
  });
});
