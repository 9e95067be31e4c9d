import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { call, type Signalbox } from '../support/signalbox.ts';
import { postgresHome, type Home } from './homes.ts';
import { boundOf, httpCheck, instance, Keeper, passingOf, read, register, ttlCheck } from './instance-api.ts';
import type { Registered } from './instance-api.ts';
import { Child } from './instance-child.ts';
import { Witness } from './instance-witness.ts';
import { startNode } from './nodes.ts';
import { until } from './until.ts';
import { WatchClient } from './watch-client.ts';

const TAIL_MS = 100;
/** How much later another node may be told, without a bus: one look at the log, and a moment. */
const OTHER_NODE_MS = TAIL_MS + 400;
const SETTINGS = { TAIL_INTERVAL: `${TAIL_MS}ms`, NODE_TIMEOUT: '3s', NODE_HEARTBEAT: '500ms' };
/** What the bound has in it for the death of a node, with these settings. */
const TAKEOVER_MS = 3000 + 500 + 1500;
const OFF = { HEALTH_CHECKS: 'off' };

/** What a test started, ended after it in the reverse order. */
const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

async function witness({ url }: Signalbox, services: readonly string[]): Promise<Witness> {
  const opened = await Witness.open(url, { kind: 'instance', services: [...services] });
  leftovers.push(() => opened.stop());
  return opened;
}

/** So many services, of which each node has some: each with an instance that is called, and one that renews a lease. */
async function someOfEach(at: readonly Signalbox[], what: string): Promise<{ service: string; one: Registered }[]> {
  const services = Array.from({ length: 16 }, (_, i) => `${what}-${i}.example.com`);
  return Promise.all(
    services.map(async (service, i) => ({
      service,
      one: await register(urlOf(at, i), instance(service, 8000 + i, { check: ttlCheck('1s') })),
    })),
  );
}

const urlOf = (nodes: readonly Signalbox[], i: number): string => (nodes[i % nodes.length] as Signalbox).url;

const membersAt = async ({ url }: Signalbox): Promise<number> =>
  (await call(url, 'GET', '/v1/nodes')).body.nodes.filter(({ member }: { member: boolean }) => member).length;

/** Whose it is: only there is it known what its checks have found. */
async function ownersOf(id: string, nodes: readonly Signalbox[]): Promise<number[]> {
  const found = await Promise.all(nodes.map(({ url }) => read(url, id)));
  return found.flatMap((body: object, i) => ('report' in body ? [i] : []));
}

describe('two nodes on one database that share leases and checks', () => {
  let home: Home;
  let nodes: [Signalbox, Signalbox];
  const start = (): Promise<Signalbox> => startNode({ ...home.env, ...SETTINGS });
  const bothShare = (): Promise<unknown> =>
    until('both have a share', async () => {
      const counts = await Promise.all(nodes.map(membersAt));
      return counts.every((count) => count === 2);
    });
  beforeAll(async () => {
    home = await postgresHome();
    nodes = [await start(), await start()];
    await bothShare();
  }, 180_000);
  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.stop('SIGKILL')));
    await home.drop();
  });

  test('INS1 who registers at either is checked by one of them, and watchers of both are told', async () => {
    const services = Array.from({ length: 4 }, (_, i) => `checked-${i}.example.com`);
    const watching = [await witness(nodes[0], services), await witness(nodes[1], services)];
    const checked = await Promise.all(
      services.map(async (service, i) => {
        const { child, port } = await Child.listening(['/health']);
        leftovers.push(() => child.kill());
        return { child, one: await register(urlOf(nodes, i), instance(service, port, { check: httpCheck() })) };
      }),
    );
    for (const { one } of checked) {
      await until('it passes, at both', () => watching.every((each) => each.isIn(one.name)));
      await until('it is one node’s', async () => (await ownersOf(one.id, nodes)).length === 1);
      expect(boundOf(one)).toBeGreaterThan(TAKEOVER_MS);
    }
    for (const { child, one } of checked) {
      await child.kill();
      const killedAt = child.killedAt ?? 0;
      for (const each of watching) {
        const told = await each.untilOut(one.name, killedAt);
        // No node has died, so it takes no longer than with one.
        expect(told.at - killedAt).toBeLessThanOrEqual(boundOf(one) - TAKEOVER_MS + OTHER_NODE_MS);
      }
    }
  });

  test('INS1 renewals count at either, over HTTP and over a socket; without them it is given up, at both', async () => {
    const leased = await someOfEach(nodes, 'leased');
    const services = leased.map(({ service }) => service);
    const watching = [await witness(nodes[0], services), await witness(nodes[1], services)];
    const client = await WatchClient.open(nodes[1].url);
    leftovers.push(() => client.ws.terminate());
    for (let i = 0; i < 10; i++) {
      const [single, bulk, framed] = [leased.slice(0, 2), leased.slice(2, 5), leased.slice(5)];
      for (const { one } of single) {
        expect((await call(urlOf(nodes, i), 'POST', `/v1/instances/${one.id}/renew`)).status).toBe(204);
      }
      const instances = bulk.map(({ one }) => one.id);
      expect((await call(urlOf(nodes, i), 'POST', '/v1/instances/renew', { instances })).body).toEqual({
        renewed: instances.length,
        unknown: [],
      });
      client.send({ type: 'renew', id: `r${i}`, instances: framed.map(({ one }) => one.id) });
      expect(await client.next('renewed', (frame) => frame.id === `r${i}`)).toMatchObject({ unknown: [] });
      await sleep(300);
    }
    for (const each of watching)
      expect(each.told.filter(({ op, value }) => op !== 'put' || !value?.passing)).toEqual([]);
    const at = performance.now();
    for (const { one } of leased) {
      for (const each of watching) {
        const told = await each.untilOut(one.name);
        expect(told.at - at).toBeLessThanOrEqual(boundOf(one) - TAKEOVER_MS + OTHER_NODE_MS);
      }
    }
    const owners = await Promise.all(leased.map(({ one }) => ownersOf(one.id, nodes)));
    // Of sixteen services each has some; all with one of them would say nothing.
    expect(new Set(owners.flat())).toEqual(new Set([0, 1]));
    expect(owners.every(({ length }) => length === 1)).toBe(true);
  });

  test('INS5 what is set at one node holds at the other, and who deregisters at one is gone from both', async () => {
    const service = 'set.example.com';
    const watching = [await witness(nodes[0], [service]), await witness(nodes[1], [service])];
    const { id, name } = await register(nodes[0].url, instance(service, 8081, { check: ttlCheck('60s') }));
    await until('both have it', () => watching.every((one) => one.isIn(name)));
    const set = await call(nodes[1].url, 'PUT', `/v1/instances/${id}/override`, { mode: 'drain', reason: 'upgrade' });
    expect(set.status).toBe(201);
    for (const one of watching) expect((await one.untilOut(name)).value).toMatchObject({ mode: 'drain' });
    expect((await call(nodes[1].url, 'DELETE', `/v1/instances/${id}`)).status).toBe(200);
    await until('both say that it is gone', () => watching.every((one) => one.told.at(-1)?.op === 'delete'));
    for (const { url } of nodes) expect((await call(url, 'POST', `/v1/instances/${id}/renew`)).status).toBe(404);
  });

  test('INS1 the node that has an instance dies together with it: the other tells of it within the bound, and of nobody else', async () => {
    const leased = await someOfEach(nodes, 'bereft');
    const service = 'orphan.example.com';
    const { child, port } = await Child.listening(['/health']);
    leftovers.push(() => child.kill());
    const checked = await register(nodes[0].url, instance(service, port, { check: httpCheck() }));
    const services = [service, ...leased.map((each) => each.service)];
    const watching = nodes.map((node) => witness(node, services));
    const [atFirst, atSecond] = (await Promise.all(watching)) as [Witness, Witness];
    await until('it passes', () => atFirst.isIn(checked.name) && atSecond.isIn(checked.name));
    await until('it is one node’s', async () => (await ownersOf(checked.id, nodes)).length === 1);
    const [dies = 0] = await ownersOf(checked.id, nodes);
    const lives = 1 - dies;
    const kept = leased.filter((_, i) => i % 2 === 0);
    const left = leased.filter((_, i) => i % 2 === 1);
    const keeper = new Keeper(
      urlOf(nodes, lives),
      200,
      leased.map(({ one }) => one.id),
    );
    leftovers.push(() => keeper.stop());
    await keeper.renew();

    await keeper.drop(...left.map(({ one }) => one.id));
    await Promise.all([(nodes[dies] as Signalbox).stop('SIGKILL'), child.kill()]);
    const diedAt = child.killedAt ?? 0;
    const witnessed = lives === 0 ? atFirst : atSecond;
    for (const one of [checked, ...left.map((each) => each.one)]) {
      const told = await witnessed.untilOut(one.name, diedAt);
      expect(told.at - diedAt).toBeLessThanOrEqual(boundOf(one));
    }
    expect(await membersAt(nodes[lives] as Signalbox)).toBe(1);
    for (const { one } of kept) expect(witnessed.out(one.name)).toBeUndefined();
    expect(keeper.failures).toBe(0);
    nodes[dies] = await start();
    await bothShare();
    for (const { one } of kept) expect(witnessed.out(one.name)).toBeUndefined();
  }, 60_000);

  test('INS3 both are away: afterwards every lease has its full length, and then who does not renew is given up', async () => {
    const service = 'away.example.com';
    // Longer than two nodes need to start on a busy machine.
    const ttlMs = 6000;
    const body = (port: number): object => instance(service, port, { check: ttlCheck(`${ttlMs}ms`) });
    const [silent, back] = [await register(nodes[0].url, body(8082)), await register(nodes[1].url, body(8083))];
    await Promise.all(nodes.map((node) => node.stop('SIGKILL')));
    await sleep(ttlMs + 500);
    const startedAt = performance.now();
    nodes = await Promise.all([start(), start()]);
    const readyAt = performance.now();
    const watching = [await witness(nodes[0], [service]), await witness(nodes[1], [service])];
    for (const each of watching) expect(each.isIn(silent.name) && each.isIn(back.name)).toBe(true);
    const keeper = new Keeper(nodes[1].url, 300, [back.id]);
    leftovers.push(() => keeper.stop());
    for (const each of watching) {
      const told = await each.untilOut(silent.name);
      expect(told.at - startedAt).toBeGreaterThanOrEqual(ttlMs);
      expect(told.at - readyAt).toBeLessThanOrEqual(boundOf(silent) + OTHER_NODE_MS);
      expect(each.out(back.name)).toBeUndefined();
    }
    expect(keeper.failures).toBe(0);
  }, 60_000);
});

describe('two nodes on one database, of which one takes no share of leases and checks', () => {
  let home: Home;
  let keeps: Signalbox;
  let other: Signalbox;
  beforeAll(async () => {
    home = await postgresHome();
    const env = { ...home.env, ...SETTINGS };
    keeps = await startNode(env);
    other = await startNode({ ...env, ...OFF });
  }, 180_000);
  afterAll(async () => {
    await Promise.all([keeps.stop('SIGKILL'), other.stop('SIGKILL')]);
    await home.drop();
  });

  test('INS1 it takes registrations and renewals nevertheless, and the other one looks after them', async () => {
    const service = 'beside.example.com';
    const watching = [await witness(keeps, [service]), await witness(other, [service])];
    const registered = await register(other.url, instance(service, 8080, { check: ttlCheck('1s') }));
    const { id, name } = registered;
    const keeper = new Keeper(other.url, 300, [id]);
    leftovers.push(() => keeper.stop());
    await until('both have it', () => watching.every((one) => one.isIn(name)));
    expect(await ownersOf(id, [keeps, other])).toEqual([0]);
    expect(await Promise.all([keeps, other].map(membersAt))).toEqual([1, 1]);
    await sleep(3000);
    for (const one of watching) expect(one.told.map(({ op }) => op)).toEqual(['put']);
    expect(keeper.failures).toBe(0);
    await keeper.drop(id);
    const at = performance.now();
    for (const one of watching) {
      expect((await one.untilOut(name)).at - at).toBeLessThanOrEqual(boundOf(registered) - TAKEOVER_MS + OTHER_NODE_MS);
    }
  });

  test('INS3 the one that has all of them is away: nobody is given up, and no renewal is promised that nobody would look at', async () => {
    const service = 'alone.example.com';
    const watching = await witness(other, [service]);
    const registered = await register(other.url, instance(service, 8082, { check: ttlCheck('1s') }));
    const renewal = `/v1/instances/${registered.id}/renew`;
    await keeps.stop('SIGKILL');
    await until('all know that it is gone', async () => (await membersAt(other)) === 0);
    for (const [path, body] of [
      [renewal, undefined],
      ['/v1/instances/renew', { instances: [registered.id] }],
      [`/v1/instances/${'0'.repeat(24)}/renew`, undefined],
    ] as const) {
      const answer = await call(other.url, 'POST', path, body);
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
      expect([answer.status, answer.body.type]).toEqual([503, '/problems/health-checks-off']);
    }
    const client = await WatchClient.open(other.url);
    leftovers.push(() => client.ws.terminate());
    client.send({ type: 'renew', id: 'r', instances: [registered.id] });
    expect(await client.next('error', (frame) => frame.id === 'r')).toMatchObject({ code: 'unavailable' });
    await sleep(1500);
    expect(watching.out(registered.name)).toBeUndefined();
    expect(await passingOf(other.url, service)).toHaveLength(1);

    keeps = await startNode({ ...home.env, ...SETTINGS });
    const readyAt = performance.now();
    await until('renewals count again', async () => (await call(other.url, 'POST', renewal)).status === 204);
    const told = await watching.untilOut(registered.name);
    expect(told.at - readyAt).toBeLessThanOrEqual(boundOf(registered) + OTHER_NODE_MS);
  }, 60_000);

  test('INS3 the one that has all of them stops in order: it takes renewals for as long as it is there, and they are found afterwards', async () => {
    const service = 'stopping.example.com';
    await keeps.stop();
    keeps = await startNode({ ...home.env, ...SETTINGS, DRAIN_DELAY: '1500ms' });
    const ttlMs = 2000;
    const registered = await register(keeps.url, instance(service, 8084, { check: ttlCheck(`${ttlMs}ms`) }));
    const renewal = `/v1/instances/${registered.id}/renew`;
    const watching = await witness(other, [service]);
    const stopped = keeps.stop();
    await until('all know that it stops', async () => (await membersAt(keeps)) === 0);
    expect((await call(keeps.url, 'POST', renewal)).status).toBe(204);
    expect(await stopped).toBe(0);
    keeps = await startNode({ ...home.env, ...SETTINGS });
    // From the first moment on.
    expect((await call(keeps.url, 'POST', renewal)).status).toBe(204);
    const renewedAt = performance.now();
    const told = await watching.untilOut(registered.name);
    expect(told.at - renewedAt).toBeGreaterThan(ttlMs - 100);
    expect(told.at - renewedAt).toBeLessThanOrEqual(boundOf(registered) + OTHER_NODE_MS);
  });
});
