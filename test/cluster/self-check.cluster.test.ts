import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeAnnouncement } from '../../src/bus/wire.ts';
import { makeItem } from '../../src/domain/item.ts';
import type { Value } from '../../src/domain/resources.ts';
import { postgresHome, type Home } from '../acceptance/homes.ts';
import { startNode } from '../acceptance/nodes.ts';
import { until } from '../acceptance/until.ts';
import { WatchClient } from '../acceptance/watch-client.ts';
import { startRedis, type PrivateRedis } from '../support/redis.ts';
import { call, type Signalbox } from '../support/signalbox.ts';

interface Region {
  readonly name: string;
  readonly title: string;
  readonly revision: number;
}

describe('a node that was told something wrong', () => {
  let home: Home;
  let redis: PrivateRedis;
  let teller: Redis;
  let right: Signalbox;
  let wrong: Signalbox;

  beforeAll(async () => {
    [home, redis] = await Promise.all([postgresHome(), startRedis()]);
    teller = new Redis(redis.url);
    const env = { ...home.env, REDIS_URL: redis.url, NODE_HEARTBEAT: '200ms' };
    right = await startNode({ ...env, REDIS_PREFIX: 'right', NODE_NAME: 'right' });
    // It hears of commits by the log alone, and seldom; and of whatever is put on a channel of its own.
    wrong = await startNode({ ...env, REDIS_PREFIX: 'wrong', NODE_NAME: 'wrong', TAIL_INTERVAL: '2s' });
  }, 180_000);
  afterAll(async () => {
    await Promise.all([right.stop('SIGKILL'), wrong.stop('SIGKILL')]);
    teller.disconnect();
    await redis.destroy();
    await home.drop();
  });

  const regionAt = async ({ url }: Signalbox, id: string): Promise<Region> =>
    (await call(url, 'GET', `/v1/regions/${id}`)).body as Region;
  const headOf = async ({ url }: Signalbox): Promise<{ epoch: string; revision: number }> =>
    (await call(url, 'GET', '/v1/state')).body as { epoch: string; revision: number };
  const metric = async ({ url }: Signalbox, name: string): Promise<number> => {
    const text = (await call(url, 'GET', '/metrics')).body as unknown as string;
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
  };
  const put = (node: Signalbox, id: string, title: string) =>
    call(node.url, 'PUT', `/v1/regions/${id}`, { name: `regions/${id}`, title });

  /** Tells the node that the region has another title since the next revision. */
  async function lie(id: string, title: string): Promise<number> {
    const { epoch, revision } = await headOf(wrong);
    const was = await regionAt(wrong, id);
    const item = makeItem({ ...was, title, revision: revision + 1 } as unknown as Value);
    const entry = { revision: revision + 1, at: Date.now(), author: 'nobody', changes: [{ op: 'put', item } as const] };
    const news = { epoch, from: revision + 1, to: revision + 1, entries: [entry] };
    expect(await teller.publish('wrong:commits', encodeAnnouncement('liar', news))).toBe(1);
    await until('it believes it', async () => (await regionAt(wrong, id)).title === title);
    return revision + 1;
  }

  test('PUSH8 fences itself, sends its watchers away with nothing to go on from, loads the truth, and counts it', async () => {
    await put(right, 'eu', 'Europe');
    await until('both have it', async () => (await regionAt(wrong, 'eu')).title === 'Europe');
    const watching = await WatchClient.open(wrong.url);
    watching.send({ type: 'subscribe', id: 's', select: { kind: 'region' } });
    await watching.next('synced');
    const revision = await lie('eu', 'Erewhon');
    await watching.next('change');
    // Another change takes the revision that was told of.
    expect((await put(right, 'us', 'United States')).status).toBe(201);
    expect((await headOf(right)).revision).toBe(revision);

    expect((await watching.next('reset')).reason).toBe('fenced');
    await until('the socket is closed', () => watching.closed !== undefined);
    expect(watching.closed?.code).toBe(4000);
    await until('it answers again', async () => (await call(wrong.url, 'GET', '/readyz')).status === 200);
    expect(await regionAt(wrong, 'eu')).toEqual(await regionAt(right, 'eu'));
    expect(await regionAt(wrong, 'us')).toEqual(await regionAt(right, 'us'));
    expect(await metric(wrong, 'signalbox_self_check_reloads_total')).toBe(1);
    expect(await metric(right, 'signalbox_self_check_reloads_total')).toBe(0);
    // And it goes on as before.
    expect((await put(wrong, 'eu', 'Europa')).status).toBe(200);
    await until('the other one has it', async () => (await regionAt(right, 'eu')).title === 'Europa', 10_000);
    const again = await WatchClient.open(wrong.url);
    again.send({ type: 'subscribe', id: 's', select: { kind: 'region' } });
    await again.next('synced');
    again.ws.terminate();
  });

  test('a view that is further than the database is loaded anew, and writes go on', async () => {
    const revision = await lie('us', 'Utopia');
    expect((await headOf(right)).revision).toBe(revision - 1);
    await until('it has forgotten it', async () => (await regionAt(wrong, 'us')).title === 'United States', 10_000);
    expect((await headOf(wrong)).revision).toBe(revision - 1);
    expect((await put(wrong, 'us', 'USA')).status).toBe(200);
    // At once, before any look at the log.
    const next = await lie('us', 'Utopia');
    const answer = await put(wrong, 'eu', 'EU');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('x-signalbox-revision')).toBe(String(next));
    expect((await regionAt(wrong, 'us')).title).toBe('USA');
    await sleep(500);
    expect((await call(wrong.url, 'GET', '/readyz')).status).toBe(200);
  });
});
