import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Signalbox } from '../support/signalbox.ts';
import { postgresHome, type Home } from './homes.ts';
import { boundOf, headOf, instance, passingOf, read, register, ttlCheck } from './instance-api.ts';
import { Child, type Registration } from './instance-child.ts';
import { Witness } from './instance-witness.ts';
import { startNode } from './nodes.ts';
import { Together } from './together.ts';
import { WatchClient } from './watch-client.ts';

const TTL_MS = 1500;
/** Pongs answer the pings that come with it. */
const HEARTBEAT_MS = 500;

const waiting = new Together(60_000);

/** What a test started, ended after it in the reverse order. */
const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  if (waiting.isUnderWay) return;
  for (const end of leftovers.splice(0).toReversed()) await end();
});

describe('instances that register over a watch socket', () => {
  let home: Home;
  let node: Signalbox;
  beforeAll(async () => {
    home = await postgresHome();
    node = await startNode({ ...home.env, WATCH_HEARTBEAT: `${HEARTBEAT_MS}ms`, EVICTION_GUARD_SHARE: '100' });
  }, 180_000);
  afterAll(async () => {
    await node.stop('SIGKILL');
    await home.drop();
  });

  async function open(): Promise<WatchClient> {
    const client = await WatchClient.open(node.url);
    leftovers.push(() => client.ws.terminate());
    return client;
  }

  async function witness(service: string): Promise<Witness> {
    const opened = await Witness.open(node.url, { kind: 'instance', services: [service] });
    leftovers.push(() => opened.stop());
    return opened;
  }

  const bodyOf = (service: string, port = 8080): object => instance(service, port, { check: ttlCheck(`${TTL_MS}ms`) });

  async function registerOver(
    client: WatchClient,
    body: object,
    id = 'me',
  ): Promise<Registration & { revision: number }> {
    const from = client.frames.length;
    client.send({ type: 'register', id, instance: body });
    const frame = await client.next('registered', (one) => one.id === id, from);
    return { ...frame.instance, revision: frame.revision };
  }

  test('INS1 an open socket keeps the lease, by nothing but its pongs', async () => {
    const service = 'pongs.example.com';
    const watching = await witness(service);
    const client = await open();
    const { id, name, lease, detectionBound, generation, revision } = await registerOver(client, bodyOf(service));
    expect({ lease, detectionBound, generation }).toEqual({
      lease: '1500ms',
      detectionBound: '7500ms',
      generation: revision,
    });
    await sleep(3 * TTL_MS);
    expect(watching.of(name).map(({ op }) => op)).toEqual(['put']);
    const { report } = await read(node.url, id);
    expect(report.lease).toMatchObject({ ttl: '1500ms', attached: true });
    expect(await headOf(node.url)).toBe(revision);
  });

  // At addresses of their own: at one, each would take the place of the other (INS6). All are out in the end, so that no revision is to come.
  for (const [i, end] of (['close', 'terminate'] as const).entries())
    waiting.test(
      `INS1 the socket ends (${end}): the instance is not gone at once, and is when its lease is over`,
      async () => {
        const service = `${end}.example.com`;
        const watching = await witness(service);
        const client = await open();
        const registered = await registerOver(client, bodyOf(service, 8081 + i));
        await sleep(TTL_MS);
        client.ws[end]();
        const endedAt = performance.now();
        await sleep(TTL_MS / 2);
        expect(await passingOf(node.url, service)).toHaveLength(1);
        expect((await read(node.url, registered.id)).report.lease.attached).toBe(false);
        const took = (await watching.untilOut(registered.name)).at - endedAt;
        // The last that was heard of it is at most a heartbeat ago.
        expect(took).toBeGreaterThan(TTL_MS - 1.5 * HEARTBEAT_MS);
        expect(took).toBeLessThanOrEqual(boundOf(registered));
      },
    );

  waiting.test('INS1 a process that stands still with its socket open is given up as one that is dead', async () => {
    const service = 'frozen.example.com';
    const watching = await witness(service);
    const child = await Child.start({ role: 'socket', url: node.url, body: bodyOf(service, 8083), everyMs: 0 });
    leftovers.push(() => child.kill());
    const registered = await child.registers();
    await sleep(2 * TTL_MS);
    expect(await passingOf(node.url, service)).toHaveLength(1);
    const stoppedAt = performance.now();
    process.kill(child.pid, 'SIGSTOP');
    const took = (await watching.untilOut(registered.name)).at - stoppedAt;
    expect(took).toBeGreaterThan(TTL_MS - 1.5 * HEARTBEAT_MS);
    expect(took).toBeLessThanOrEqual(boundOf(registered));
  });

  test('REV3 who comes back within the lease and registers again is the same, without a revision, however often', async () => {
    const service = 'returns.example.com';
    const watching = await witness(service);
    let client = await open();
    const first = await registerOver(client, bodyOf(service));
    for (let i = 0; i < 5; i++) {
      client.ws.terminate();
      await sleep(TTL_MS / 2);
      client = await open();
      const again = await registerOver(client, bodyOf(service), `again-${i}`);
      expect(again).toEqual(first);
    }
    // The one before ends only after the next is there: it takes nothing along.
    for (let i = 0; i < 5; i++) {
      const next = await open();
      await registerOver(next, bodyOf(service));
      client.ws.terminate();
      client = next;
    }
    await sleep(2 * TTL_MS);
    expect(watching.told.map(({ op }) => op)).toEqual(['put']);
    expect(await headOf(node.url)).toBe(first.revision);
  }, 60_000);

  test('who was given up meanwhile and registers again passes again, with what it is', async () => {
    const service = 'late.example.com';
    const watching = await witness(service);
    const client = await open();
    const first = await registerOver(client, bodyOf(service));
    client.ws.terminate();
    await watching.untilOut(first.name);
    const again = await registerOver(await open(), bodyOf(service));
    expect(again.generation).toBe(first.generation);
    await sleep(2 * TTL_MS);
    expect(watching.told.map(({ op, value }) => `${op} ${value?.status}`)).toEqual([
      'put passing',
      'put critical',
      'put passing',
    ]);
  });

  test('deregister: gone at once, and a renewal says so', async () => {
    const service = 'leaves.example.com';
    const watching = await witness(service);
    const client = await open();
    const { id, name } = await registerOver(client, bodyOf(service));
    client.send({ type: 'deregister', id: 'bye', instance: id });
    const { revision } = await client.next('deregistered', (frame) => frame.id === 'bye');
    expect(await watching.untilOut(name)).toMatchObject({ op: 'delete', revision });
    expect(await passingOf(node.url, service)).toEqual([]);
    client.send({ type: 'renew', id: 'still', instances: [id] });
    expect(await client.next('renewed', (frame) => frame.id === 'still')).toMatchObject({ renewed: 0, unknown: [id] });
    // Again: it is gone already.
    client.send({ type: 'deregister', id: 'again', instance: id });
    await client.next('deregistered', (frame) => frame.id === 'again');
    expect(await headOf(node.url)).toBe(revision);
  });

  test('INS6 a socket does not keep alive what has taken the place of its own', async () => {
    const service = 'taken.example.com';
    const watching = await witness(service);
    const client = await open();
    const first = await registerOver(client, bodyOf(service));
    const other = await open();
    other.send({ type: 'deregister', id: 'bye', instance: first.id });
    await other.next('deregistered');
    const second = await register(node.url, bodyOf(service));
    const at = performance.now();
    expect(second.generation).toBeGreaterThan(first.generation);
    // The first socket is heard of all the while.
    const told = await watching.untilOut(first.name, at);
    expect(told.value).toMatchObject({ status: 'critical', generation: second.generation });
    expect(told.at - at).toBeLessThanOrEqual(boundOf(second));
    client.send({ type: 'renew', id: 'r' });
    expect(await client.next('renewed')).toMatchObject({ renewed: 0, unknown: [first.id] });
  });

  test('hundreds over one socket, and all of them run out when it ends', async () => {
    const service = 'agent.example.com';
    const watching = await witness(service);
    const client = await open();
    for (let batch = 0; batch < 8; batch++) {
      await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          registerOver(client, bodyOf(service, batch * 50 + i + 1), `${batch}-${i}`),
        ),
      );
    }
    await sleep(2 * TTL_MS);
    expect(watching.told.filter(({ value }) => value?.passing !== true)).toEqual([]);
    expect(watching.passing).toBe(400);
    client.ws.terminate();
    const endedAt = performance.now();
    for (const { key } of watching.told.slice(0, 400)) {
      const took = (await watching.untilOut(key)).at - endedAt;
      expect(took).toBeLessThanOrEqual(TTL_MS + 1000);
    }
  }, 60_000);

  test('what cannot be registered is refused with reasons, and the socket goes on', async () => {
    const client = await open();
    client.send({ type: 'register', id: 'bad', instance: { ...bodyOf('bad.example.com'), address: 'a/b' } });
    const error = await client.next('error', (frame) => frame.id === 'bad');
    expect(error).toMatchObject({ code: 'refused' });
    expect(error.errors).toEqual([{ pointer: '/address', detail: expect.any(String) }]);
    client.send({ type: 'register', id: 'none', instance: {} });
    expect(await client.next('error', (frame) => frame.id === 'none')).toMatchObject({ code: 'refused' });
    client.send({ type: 'renew', id: 'odd', instances: ['not-an-id'] });
    expect((await client.next('error', (frame) => frame.code === 'bad-frame')).message).not.toBe('');
    await registerOver(client, bodyOf('good.example.com'));
    await client.end();
  });
});
