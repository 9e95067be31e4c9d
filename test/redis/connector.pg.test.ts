import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { connectorTo } from '../../src/redis/connector.ts';
import type { Locate, Place } from '../../src/redis/locate.ts';
import { until } from '../bus/contract.ts';
import { type PrivateRedis, startRedis } from '../support/redis.ts';

describe('a connection to wherever something is', () => {
  let one: PrivateRedis;
  let two: PrivateRedis;
  let redis: Redis;
  let errors: string[];
  const password = 'test';
  beforeAll(async () => {
    one = await startRedis({ password });
    two = await startRedis({ password });
  });
  afterAll(() => Promise.all([one.destroy(), two.destroy()]));
  afterEach(async () => {
    redis.disconnect();
    await run(two, 'REPLICAOF', 'NO', 'ONE');
  });

  const at = (server: PrivateRedis, epoch: number): Place => ({ host: '127.0.0.1', port: server.port, epoch });
  function open(locate: Locate, watchMs?: number): void {
    const how = { tls: false, disconnectMs: 200, delay: () => 20, ...(watchMs !== undefined && { watchMs }) };
    errors = [];
    redis = new Redis({ Connector: connectorTo({ locate, ...how }), password, retryStrategy: () => 20 });
    redis.on('error', (error: Error) => errors.push(error.message));
  }
  const portOf = async (): Promise<number> => Number(/tcp_port:(\d+)/u.exec(await redis.info('server'))?.[1]);
  async function run(server: PrivateRedis, ...[command, ...args]: [string, ...string[]]): Promise<void> {
    const admin = new Redis(server.url);
    await admin.call(command, ...args);
    admin.disconnect();
  }

  test('goes where it is the next time', async () => {
    let place = at(one, 1);
    open(() => Promise.resolve(place));
    expect(await portOf()).toBe(one.port);
    place = at(two, 1);
    redis.disconnect(true);
    await until(() => redis.status !== 'ready');
    expect(await portOf()).toBe(two.port);
  });

  test('leaves a server that was replaced without knowing it, and believes nobody who knows less', async () => {
    let place = at(one, 5);
    let asked = 0;
    open(() => Promise.resolve(place).finally(() => asked++), 20);
    expect(await portOf()).toBe(one.port);
    place = at(two, 4);
    const before = asked;
    await until(() => asked > before + 3);
    expect(await portOf()).toBe(one.port);
    place = at(two, 6);
    await until(() => redis.status !== 'ready');
    expect(await portOf()).toBe(two.port);
  });

  test('asks again while nobody knows, says so, and waits for a master to be one', async () => {
    let place: Place | undefined;
    open(() => (place === undefined ? Promise.reject(new Error('nobody knows')) : Promise.resolve(place)));
    await until(() => errors.length > 2);
    expect(new Set(errors)).toEqual(new Set(['nobody knows']));
    await run(two, 'REPLICAOF', '127.0.0.1', String(one.port));
    place = at(two, 1);
    let wasReady = false;
    redis.on('ready', () => (wasReady = true));
    let closed = 0;
    redis.on('close', () => closed++);
    await until(() => closed > 2);
    expect(wasReady).toBe(false);
    await run(two, 'REPLICAOF', 'NO', 'ONE');
    await until(() => wasReady);
    expect(await portOf()).toBe(two.port);
  });

  test('ends while it is still asking', async () => {
    open(() => Promise.reject(new Error('nobody knows')));
    await until(() => errors.length > 0);
    let ended = false;
    redis.on('end', () => (ended = true));
    redis.disconnect();
    await until(() => ended);
  });
});
