import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../src/sdk/api.ts';
import { connect, portOf } from '../../src/sdk/index.ts';
import type { ConnectOptions } from '../../src/sdk/options.ts';
import type { Watch } from '../../src/sdk/watch/watch.ts';
import { passingOf } from '../acceptance/instance-api.ts';
import { applyWorld, RandomWriter } from '../acceptance/random-writer.ts';
import { until } from '../acceptance/until.ts';
import { WatchClient } from '../acceptance/watch-client.ts';
import { EarlyClient } from './early-client.ts';
import { RELEASE } from './previous.ts';
import { makeGround, Place, type Ground } from './side-by-side.ts';

const TTL_MS = 3000;
const ALL = { kind: '*' } as const;

/** What a test started, ended after it in the reverse order. */
const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

let ground: Ground;
let place: Place;
beforeAll(async () => {
  ground = await makeGround();
  place = await Place.at({ ...ground.env, WATCH_HEARTBEAT: '500ms' });
  await place.put('old');
  await applyWorld(place.url);
}, 120_000);
afterAll(async () => {
  await ground.drop();
});

/** A client that is to have nothing to mend. */
function connected(options: ConnectOptions = {}): { client: Client; amiss: string[] } {
  const client = connect({ url: place.url, backoff: { baseMs: 50, maxMs: 500 }, ...options });
  leftovers.push(() => client.close());
  const amiss: string[] = [];
  client.on('mismatch', ({ topic }) => void amiss.push(`mismatch of ${topic}`));
  client.on('reset', ({ topic, reason }) => void amiss.push(`reset of ${topic}: ${reason}`));
  return { client, amiss };
}

async function answering(): Promise<number> {
  const server = createServer((_request, response) => response.end('good'));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  leftovers.push(() => (server.closeAllConnections(), server.close()));
  return portOf(server);
}

/** The copy is what the server has, at the same revision. */
async function untilEqual(watch: Watch): Promise<void> {
  await until('the copy is that of the server', async () => {
    const other = await WatchClient.open(place.url);
    const topic = await other.sync('view', ALL);
    const { revision, digest } = await other.next('synced', (frame) => frame.topic === topic);
    await other.end();
    await sleep(200);
    const { snapshot, state } = watch;
    if (state !== 'live' || snapshot?.position.revision !== revision) return false;
    expect(snapshot.digest).toBe(digest);
    return true;
  });
}

describe.each(['websocket', 'event-stream', 'long-poll'] as const)(
  `the client, over a %s, of a node of ${RELEASE.version}`,
  (carrier) => {
    test('PUSH8 INS1 watches, calls and registers as ever', async () => {
      const id = `${carrier}.example.com`;
      const { client, amiss } = connected({ carriers: [carrier] });
      const watch = client.watch(ALL);
      await watch.ready({ timeoutMs: 10_000 });
      const service = client.service(id);
      await service.ready({ timeoutMs: 10_000 });
      expect(service.instances()).toEqual([]);
      const check = { type: 'ttl', ttl: `${TTL_MS}ms` } as const;
      const instance = await client.register({ service: id, port: await answering(), check });
      await until('it is listed', () => service.instances().length === 1);
      expect(await (await service.fetch('/')).text()).toBe('good');

      const writer = new RandomWriter(place.url, 7);
      await Promise.all([writer.write(20), sleep(TTL_MS + 1000)]);
      expect(writer.failed).toBe(0);
      expect(instance.state).toBe('registered');
      expect(await passingOf(place.url, id)).toMatchObject([{ generation: instance.generation }]);
      await untilEqual(watch);

      await instance.deregister();
      await until('nobody is listed', () => service.instances().length === 0);
      await expect(service.fetch('/')).rejects.toMatchObject({ code: 'no-instances' });
      expect(amiss).toEqual([]);
    }, 60_000);
  },
);

test('PUSH5 PUSH8 INS3 INS6 a client stays while its node becomes one of this version, and one of the release before again', async () => {
  const id = 'staying.example.com';
  const { client, amiss } = connected();
  const watch = client.watch(ALL);
  await watch.ready({ timeoutMs: 10_000 });
  const service = client.service(id);
  const check = { type: 'ttl', ttl: `${TTL_MS}ms` } as const;
  const instance = await client.register({ service: id, port: await answering(), check });
  const { generation } = instance;
  await until('it is listed', () => service.state === 'live' && service.instances().length === 1);
  let calls = 0;
  const failures: unknown[] = [];
  const calling = setInterval(() => {
    calls += 1;
    void service.fetch('/').then(
      (response) => response.text(),
      (error: unknown) => failures.push(error),
    );
  }, 25);
  leftovers.push(() => clearInterval(calling));
  for (const release of ['new', 'old'] as const) {
    await place.put(release);
    await new RandomWriter(place.url, 11).write(10);
    await sleep(TTL_MS);
    await untilEqual(watch);
    expect(await passingOf(place.url, id)).toMatchObject([{ generation }]);
  }
  clearInterval(calling);
  expect(calls).toBeGreaterThan(100);
  expect({ failures, amiss }).toEqual({ failures: [], amiss: [] });
}, 120_000);

test('PUSH1 PUSH6 PUSH8 INS1 a client that knows no more than the first frames watches and registers at a node of this version', async () => {
  await place.put('new');
  const early = await EarlyClient.open(place.url);
  leftovers.push(() => early.end());
  await early.subscribe('all', ALL);
  const { name, generation } = await early.register({
    service: 'early.example.com',
    protocol: 'http',
    address: '127.0.0.1',
    port: 8080,
    check: { type: 'ttl', ttl: `${TTL_MS}ms` },
  });
  const writer = new RandomWriter(place.url, 13);
  await Promise.all([writer.write(20), sleep(TTL_MS + 1000)]);
  expect(early.copy('all').has(name)).toBe(true);
  expect(await passingOf(place.url, 'early.example.com')).toMatchObject([{ generation }]);
  const last = Math.max(...writer.acknowledged);
  await until('a bookmark of it all', () => early.checkedAt('all') >= last);
  expect(early.wrong).toEqual([]);
  await early.deregister();
  await until('it is gone from the copy', () => !early.copy('all').has(name));
}, 60_000);
