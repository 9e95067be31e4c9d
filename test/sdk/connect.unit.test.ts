import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Client } from '../../src/sdk/api.ts';
import { connect } from '../../src/sdk/index.ts';
import { SignalboxError } from '../../src/sdk/errors.ts';
import type { ConnectOptions } from '../../src/sdk/options.ts';
import type { Watch, WatchChanges } from '../../src/sdk/watch/watch.ts';
import { CLOSE } from '../../src/protocol/close-codes.ts';
import { FeedServer } from '../cli/feed-server.ts';

let server: FeedServer;
let client: Client;
let watch: Watch;
let told: string[];

beforeEach(async () => {
  server = new FeedServer();
  server.put('a1', 'a2');
  await server.start();
});
afterEach(async () => {
  await client.close();
  await server.stop();
});

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never came: ${what}; there were ${told.join(', ')}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const inShort = ({ type, changes }: WatchChanges): string =>
  [
    type,
    ...changes.map(
      ({ name, value, before }) => `${value === undefined ? '-' : before === undefined ? '+' : '~'}${name.slice(8)}`,
    ),
  ].join(' ');

function start(options: ConnectOptions = {}): void {
  told = [];
  client = connect({ url: server.url, backoff: { baseMs: 10, maxMs: 40 }, ...options });
  watch = client.watch({ kind: 'region' });
  watch.on('change', (changes) => void told.push(inShort(changes)));
  watch.on('state', (state) => void told.push(state));
  client.on('mismatch', () => void told.push('mismatch'));
  client.on('error', ({ code }) => void told.push(`error ${code}`));
}

const has = (what: string, times = 1) => until(what, () => told.filter((one) => one === what).length >= times);
const subscriptions = () => server.frames.filter((frame) => frame.type === 'subscribe');

test('a snapshot, then changes as they come; the old snapshot stays what it was', async () => {
  start();
  expect([client.phase, watch.state, watch.snapshot, watch.age]).toEqual(['loading', 'loading', undefined, Infinity]);
  const first = await watch.ready();
  expect([client.phase, watch.state, watch.age, first.size, first.digest]).toEqual([
    'live',
    'live',
    0,
    2,
    server.digest,
  ]);
  server.put('a3');
  server.delete('a1');
  await has('changed -a1');
  expect(told).toEqual(['live', 'loaded +a1 +a2', 'changed +a3', 'changed -a1']);
  expect(Array.from(first.values(), ({ name }) => name).sort()).toEqual(['regions/a1', 'regions/a2']);
  expect(first.position).toEqual({ epoch: 'e1', revision: 2 });
  expect(watch.snapshot?.digest).toBe(server.digest);
});

describe('PUSH5: a server that restarts', () => {
  test('is waited for, and what happened meanwhile is told, once', async () => {
    start();
    await watch.ready();
    await server.stop();
    await has('stale');
    expect(watch.age).toBeGreaterThanOrEqual(0);
    server.put('a3', 'a1');
    await new Promise((resolve) => setTimeout(resolve, 60));
    await server.start();
    await has('live', 2);
    expect(told.filter((one) => !one.startsWith('error'))).toEqual([
      'live',
      'loaded +a1 +a2',
      'stale',
      'changed +a3 ~a1',
      'live',
    ]);
    expect(subscriptions()[1]).toMatchObject({ since: { epoch: 'e1', revision: 2 } });
  });
});

test('4500: does not return, and says why', async () => {
  start();
  await watch.ready();
  server.close(CLOSE.protocolError, '16 frames were not of the protocol');
  await has('closed');
  expect(client.phase).toBe('stopped');
  expect(server.connections).toBe(1);
  expect(() => client.watch({ kind: 'region' })).toThrow(SignalboxError);
  expect(watch.snapshot?.size).toBe(2);
});

describe('PUSH8: a digest that is not that of the copy', () => {
  test('is told to the server and to whoever asked, and mended', async () => {
    start();
    await watch.ready();
    const digest = server.digest;
    server.items.set('regions/lost', { name: 'regions/lost', title: 'not told', revision: 2 });
    server.bookmark();
    await has('reloaded +lost');
    expect(server.frames.at(-1)).toMatchObject({ type: 'resync', revision: 2, digest });
    expect(told).toEqual(['live', 'loaded +a1 +a2', 'mismatch', 'stale', 'live', 'reloaded +lost']);
  });

  test('three times in a row is an error that is told, and no end', async () => {
    const right = server.digest;
    let says = 'f'.repeat(16);
    Object.defineProperty(server, 'digest', { get: () => says });
    start();
    await has('error protocol');
    expect(server.frames.filter((frame) => frame.type === 'resync')).toHaveLength(2);
    expect([client.phase, watch.state, watch.snapshot]).toEqual(['loading', 'loading', undefined]);
    says = right;
    expect((await watch.ready({ timeoutMs: 5000 })).size).toBe(2);
  });
});

describe('what a later server adds, and an earlier one lacks', () => {
  test('frames, fields, reasons and close codes that are not known here change nothing else', async () => {
    start();
    await watch.ready();
    server.broadcast('{"type":"weather","sky":{"clouds":3}}');
    const value = { name: 'regions/a3', title: 'three', revision: 3, shade: 'blue' };
    const changes = [{ op: 'put', kind: 'region', key: 'regions/a3', revision: 3, weight: 5, value }];
    server.broadcast(JSON.stringify({ type: 'change', topic: 'region', revision: 3, changes, committedBy: 'n7' }));
    await has('changed +a3');
    server.broadcast('{"type":"reset","topic":"region","epoch":"e1","reason":"of-a-later-version","hint":1}');
    server.close(4321, 'a code of a later version');
    await has('reloaded -a3');
    expect(subscriptions()[1]).not.toHaveProperty('since');
  });

  test('a newer protocol is said to be one', async () => {
    server.protocol = 9;
    start();
    await expect(watch.ready()).rejects.toMatchObject({
      code: 'protocol',
      message: expect.stringContaining('version 9'),
    });
    expect(client.phase).toBe('stopped');
  });

  test('what is no frame of the protocol ends the link, not the client', async () => {
    start();
    await watch.ready();
    server.broadcast('{"type":"change","topic":"region"}');
    await has('live', 2);
    server.broadcast('not JSON');
    await has('live', 3);
    expect(server.connections).toBe(3);
  });
});

test('silence of three heartbeats ends a link; halfway it is asked', async () => {
  server.heartbeat = 60;
  start();
  await watch.ready();
  server.mute = true;
  await has('stale');
  expect(server.frames.map((frame) => frame.type)).toContain('ping');
  server.mute = false;
  await has('live', 2);
});

test('a subscription that comes too soon is asked for again over the same link', async () => {
  server.tooSoon = 2;
  start();
  await watch.ready();
  expect([subscriptions().length, server.connections]).toEqual([3, 1]);
});

test('a watch that closes itself when it is told leaves nothing behind', async () => {
  start();
  watch.on('change', () => watch.close());
  await until('cold', () => client.phase === 'cold');
  expect(told).toEqual(['live', 'loaded +a1 +a2', 'closed']);
  await expect(client.watch({ kind: 'region' }).ready()).resolves.toMatchObject({ size: 2 });
});

test('closing while it opens, while it waits, and twice', async () => {
  server.mute = true;
  start();
  const waiting = watch.ready();
  const both = [client.close(), client.close()];
  await expect(waiting).rejects.toMatchObject({ code: 'stopped' });
  await Promise.all(both);
  await expect(watch.ready()).rejects.toMatchObject({ code: 'stopped' });
  expect([client.phase, watch.state]).toEqual(['stopped', 'closed']);
});
