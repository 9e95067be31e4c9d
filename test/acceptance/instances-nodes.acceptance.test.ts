import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { call, type Signalbox } from '../support/signalbox.ts';
import { postgresHome, type Home } from './homes.ts';
import { boundOf, httpCheck, instance, Keeper, passingOf, read, register, ttlCheck } from './instance-api.ts';
import { Child } from './instance-child.ts';
import { Witness } from './instance-witness.ts';
import { startNode } from './nodes.ts';
import { until } from './until.ts';
import { WatchClient } from './watch-client.ts';

const TAIL_MS = 100;
/** How much later another node may be told, without a bus: one look at the log, and a moment. */
const OTHER_NODE_MS = TAIL_MS + 400;

/** What a test started, ended after it in the reverse order. */
const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

describe('two nodes on one database, of which one keeps leases and checks', () => {
  let home: Home;
  let first: Signalbox;
  let second: Signalbox;
  beforeAll(async () => {
    home = await postgresHome();
    const env = { ...home.env, TAIL_INTERVAL: `${TAIL_MS}ms` };
    first = await startNode(env);
    second = await startNode({ ...env, HEALTH_CHECKS: 'off' });
  }, 180_000);
  afterAll(async () => {
    await Promise.all([first.stop('SIGKILL'), second.stop('SIGKILL')]);
    await home.drop();
  });

  async function witnesses(service: string): Promise<Witness[]> {
    const opened = await Promise.all(
      [first, second].map(({ url }) => Witness.open(url, { kind: 'instance', services: [service] })),
    );
    leftovers.push(() => opened.forEach((one) => one.stop()));
    return opened;
  }

  test('INS1 who registers at the other node is checked by the one that checks, and watchers of both are told', async () => {
    const service = 'checked.example.com';
    const watching = await witnesses(service);
    const { child, port } = await Child.listening(['/health']);
    leftovers.push(() => child.kill());
    const registered = await register(second.url, instance(service, port, { check: httpCheck() }));
    await until('it passes, at both', () => watching.every((one) => one.isIn(registered.name)));
    for (const { url } of [first, second]) {
      await until('it is found', async () => (await passingOf(url, service)).length === 1);
    }
    // What checks have found is known where they run.
    expect((await read(first.url, registered.id)).report.consecutivePasses).toBeGreaterThan(0);
    expect(await read(second.url, registered.id)).not.toHaveProperty('report');

    await child.kill();
    const killedAt = child.killedAt ?? 0;
    for (const [i, one] of watching.entries()) {
      const told = await one.untilOut(registered.name, killedAt);
      expect(told.at - killedAt).toBeLessThanOrEqual(boundOf(registered) + i * OTHER_NODE_MS);
    }
  });

  test('renewals at the node that keeps no leases answer 503, over HTTP and over a socket, and renew nothing', async () => {
    const service = 'leased.example.com';
    const watching = await witnesses(service);
    const registered = await register(second.url, instance(service, 8080, { check: ttlCheck('1s') }));
    const { id, name } = registered;
    await until('the other node has it', async () => (await passingOf(first.url, service)).length === 1);
    const keeper = new Keeper(first.url, 300, [id]);
    leftovers.push(() => keeper.stop());
    for (const [path, body] of [
      [`/v1/instances/${id}/renew`, undefined],
      ['/v1/instances/renew', { instances: [id] }],
      ['/v1/instances/renew', { instances: [] }],
      [`/v1/instances/${'0'.repeat(24)}/renew`, undefined],
    ] as const) {
      const answer = await call(second.url, 'POST', path, body);
      expect(answer.status).toBe(503);
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
      expect(answer.body).toMatchObject({ type: '/problems/health-checks-off', status: 503 });
    }
    const client = await WatchClient.open(second.url);
    leftovers.push(() => client.ws.terminate());
    client.send({ type: 'renew', id: 'r', instances: [id] });
    expect(await client.next('error', (frame) => frame.id === 'r')).toMatchObject({ code: 'unavailable' });

    await sleep(3000);
    for (const one of watching) expect(one.told.map(({ op }) => op)).toEqual(['put']);
    await keeper.drop(id);
    const at = performance.now();
    for (const [i, one] of watching.entries()) {
      // Asked at the wrong one it is not renewed.
      await call(second.url, 'POST', `/v1/instances/${id}/renew`);
      expect((await one.untilOut(name)).at - at).toBeLessThanOrEqual(boundOf(registered) + i * OTHER_NODE_MS);
    }
  });

  test('INS5 what is set at one node holds at the other, and who deregisters at one is gone from both', async () => {
    const service = 'set.example.com';
    const watching = await witnesses(service);
    const { id, name } = await register(first.url, instance(service, 8081, { check: ttlCheck('60s') }));
    await until('both have it', () => watching.every((one) => one.isIn(name)));
    const set = await call(second.url, 'PUT', `/v1/instances/${id}/override`, { mode: 'drain', reason: 'upgrade' });
    expect(set.status).toBe(201);
    for (const one of watching) expect((await one.untilOut(name)).value).toMatchObject({ mode: 'drain' });
    expect((await call(second.url, 'DELETE', `/v1/instances/${id}`)).status).toBe(200);
    await until('both say that it is gone', () => watching.every((one) => one.told.at(-1)?.op === 'delete'));
    expect((await call(first.url, 'POST', `/v1/instances/${id}/renew`)).status).toBe(404);
  });

  test('INS3 the node that checks is away: the other one gives nobody up, and answers callers', async () => {
    const service = 'away.example.com';
    const registered = await register(second.url, instance(service, 8082, { check: ttlCheck('1s') }));
    const [, watching] = (await witnesses(service)) as [Witness, Witness];
    await first.stop('SIGKILL');
    await sleep(3000);
    expect(watching.out(registered.name)).toBeUndefined();
    expect(await passingOf(second.url, service)).toHaveLength(1);
    first = await startNode({ ...home.env, TAIL_INTERVAL: `${TAIL_MS}ms` });
    const readyAt = performance.now();
    const told = await watching.untilOut(registered.name);
    expect(told.at - readyAt).toBeLessThanOrEqual(boundOf(registered) + OTHER_NODE_MS);
  }, 60_000);
});
