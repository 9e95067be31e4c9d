import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../support/free-port.ts';
import { call, type Signalbox } from '../support/signalbox.ts';
import { postgresHome, type Home } from './homes.ts';
import { httpCheck, instance, instancesOf, passingOf, register, ttlCheck, type Registered } from './instance-api.ts';
import { Child } from './instance-child.ts';
import { isOut, Witness } from './instance-witness.ts';
import { startNode } from './nodes.ts';
import { until } from './until.ts';

/** What a test started, ended after it in the reverse order. */
const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

describe('an address and port are used again', () => {
  let home: Home;
  let node: Signalbox;
  beforeAll(async () => {
    home = await postgresHome();
    node = await startNode(home.env);
  }, 180_000);
  afterAll(async () => {
    await node.stop('SIGKILL');
    await home.drop();
  });

  async function listen(paths: readonly string[], port?: number): Promise<{ child: Child; port: number }> {
    const started = await Child.listening(paths, port);
    leftovers.push(() => started.child.kill());
    return started;
  }

  async function witness(select: object): Promise<Witness> {
    const opened = await Witness.open(node.url, { kind: 'instance', ...select });
    leftovers.push(() => opened.stop());
    return opened;
  }

  const passes = (service: string): Promise<unknown> =>
    until(`${service} passes`, async () => (await passingOf(node.url, service)).length === 1);

  /** Asks as callers do, all the time, until it is told to stop; answers what they would have called. */
  function asking(service: string): () => Promise<{ readonly asked: number; readonly found: readonly unknown[] }> {
    let going = true;
    let asked = 0;
    const found: unknown[] = [];
    const run = (async () => {
      for (; going; asked++) {
        found.push(...(await passingOf(node.url, service)));
        await sleep(5);
      }
    })();
    return async () => {
      going = false;
      await run;
      return { asked, found };
    };
  }

  /** A of one service dies, and at once B of another answers in its place. */
  async function replace(a: string, b: string, check: object): Promise<{ newcomer: Registered; child: Child }> {
    const first = await listen(['/health', `/health/${a}`]);
    const { port } = first;
    await register(node.url, instance(a, port, { check }));
    await passes(a);
    // Up already, so that nobody notices that for a moment there was no one.
    const child = await Child.start({ role: 'http', paths: ['/health', `/health/${b}`], port });
    leftovers.push(() => child.kill());
    await first.child.kill();
    await child.listens();
    return { newcomer: await register(node.url, instance(b, port, { check })), child };
  }

  test('INS6 with a plain check, nobody is ever sent to the newcomer for the one who was there before', async () => {
    const [a, b] = ['a.plain.example.com', 'b.plain.example.com'];
    const all = await witness({ services: [a] });
    const passing = await witness({ services: [a], passing: true });
    const { newcomer, child } = await replace(a, b, httpCheck());
    const stop = asking(a);
    await passes(b);
    // The newcomer answers A's check several times meanwhile.
    await sleep(3000);
    // It goes and comes, so that A's check fails, and passes again.
    await child.kill();
    await until('A is critical', () => all.told.at(-1)?.value?.status === 'critical');
    await listen(['/health'], newcomer.instance.port);
    await passes(b);
    await until('its check passes', () => all.told.at(-1)?.value?.status === 'passing');
    await sleep(1000);
    const { asked, found } = await stop();
    expect(asked).toBeGreaterThan(50);
    expect(found).toEqual([]);

    const [old] = await instancesOf(node.url, a);
    expect(old).toMatchObject({ passing: false, displacedBy: newcomer.name });
    // In the revision that brought the newcomer it was told to everyone, and nothing to the contrary since.
    const displaced = all.told.findIndex(({ revision }) => revision === newcomer.revision);
    expect(all.told[displaced]?.value).toMatchObject({ passing: false, displacedBy: newcomer.name });
    expect(all.told.slice(displaced).filter((told) => !isOut(told))).toEqual([]);
    expect(passing.told.at(-1)?.op).toBe('delete');
    expect(passing.told.filter(({ op, revision }) => op === 'put' && revision >= newcomer.revision)).toEqual([]);
    expect(await passingOf(node.url, b)).toHaveLength(1);
  }, 60_000);

  test('INS6 with a check that names the service it comes back when it is there again, and only then', async () => {
    const [a, b] = ['a.named.example.com', 'b.named.example.com'];
    const check = httpCheck({ path: '/health/{serviceId}' });
    const { newcomer, child } = await replace(a, b, check);
    const { port } = newcomer.instance;
    const passing = await witness({ services: [a], passing: true });
    const stop = asking(a);
    await passes(b);
    await sleep(2000);
    expect((await stop()).found).toEqual([]);
    expect(passing.told).toEqual([]);

    // B's process ends, and A's is back, which registers nothing: the check finds it.
    await child.kill();
    const third = await listen([`/health/${a}`], port);
    await passes(a);
    const [back] = await passingOf(node.url, a);
    expect(back).not.toHaveProperty('displacedBy');
    await until('B is given up', async () => (await passingOf(node.url, b)).length === 0);
    expect(passing.told.map(({ op }) => op)).toEqual(['put']);

    // Both at once behind one port: both are there.
    await third.child.kill();
    await listen([`/health/${a}`, `/health/${b}`], port);
    await passes(a);
    await passes(b);
  }, 60_000);

  test('INS6 a renewal or another registration shows that it is still there; a plain check does not', async () => {
    const port = await freePort();
    const lease = await register(node.url, instance('lease.example.com', port, { check: ttlCheck('60s') }));
    const generation = async (): Promise<unknown> => (await instancesOf(node.url, 'lease.example.com'))[0]?.generation;
    const displaceBy = async (service: string): Promise<void> => {
      expect(await passingOf(node.url, 'lease.example.com')).toHaveLength(1);
      await register(node.url, instance(service, port, { check: ttlCheck('60s') }));
      expect(await passingOf(node.url, 'lease.example.com')).toEqual([]);
    };
    await displaceBy('other-1.example.com');
    expect((await call(node.url, 'POST', `/v1/instances/${lease.id}/renew`)).status).toBe(204);
    await passes('lease.example.com');

    await displaceBy('other-2.example.com');
    await register(node.url, instance('lease.example.com', port, { check: ttlCheck('60s') }));
    await passes('lease.example.com');
    expect(await generation()).toBe(lease.generation);

    // Of another environment it is somebody else; of the same service and environment, another protocol of the same.
    await register(node.url, instance('lease.example.com', port, { protocol: 'grpc', check: ttlCheck('60s') }));
    expect(await passingOf(node.url, 'lease.example.com')).toHaveLength(2);
    await register(node.url, instance('lease.example.com', port, { environment: 'test', check: ttlCheck('60s') }));
    expect(await passingOf(node.url, 'lease.example.com')).toHaveLength(1);
  });

  test('INS6 what was found out about one that is gone is not held against the one after it', async () => {
    const service = 'again.example.com';
    const body = instance(service, await freePort(), { check: ttlCheck('1s') });
    const first = await register(node.url, body);
    expect((await call(node.url, 'DELETE', `/v1/instances/${first.id}`)).status).toBe(200);
    const second = await register(node.url, body);
    expect(second.id).toBe(first.id);
    expect(second.generation).toBeGreaterThan(first.generation);
    // Whoever speaks for the first one is told that it is gone, and takes nothing from the second.
    const renewal = await call(node.url, 'POST', `/v1/instances/${first.id}/renew`, { generation: first.generation });
    expect(renewal.status).toBe(404);
    const path = `/v1/instances/${first.id}?generation=${first.generation}`;
    expect((await call(node.url, 'DELETE', path)).status).toBe(404);
    expect(await passingOf(node.url, service)).toHaveLength(1);
    expect(
      (await call(node.url, 'POST', `/v1/instances/${first.id}/renew`, { generation: second.generation })).status,
    ).toBe(204);
  });
});
