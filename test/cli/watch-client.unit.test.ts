import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { CliError, EXIT } from '../../src/cli/errors.ts';
import { WatchClient, type WatchClientOptions, type WatchNotice } from '../../src/cli/watch-client.ts';
import { CLOSE } from '../../src/protocol/close-codes.ts';
import { FeedServer } from './feed-server.ts';

let server: FeedServer;
let client: WatchClient | undefined;
let notices: WatchNotice[];
let ended: Promise<void>;

beforeEach(async () => {
  server = new FeedServer();
  server.put('a1', 'a2');
  await server.start();
  notices = [];
});
afterEach(async () => {
  await client?.stop();
  client = undefined;
  await server.stop();
});

const onNotice = (notice: WatchNotice): void => void notices.push(notice);

function watch(options: Partial<WatchClientOptions> = {}): void {
  const backoff = { baseMs: 10, maxMs: 40 };
  client = new WatchClient({ url: server.url, select: { kind: 'region' }, onNotice, backoff, ...options });
  ended = client.run();
  ended.catch(() => {});
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never came: ${what}; there were ${JSON.stringify(told())}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** The notices in short: their types, with the keys and titles of changes. */
const told = (): string[] =>
  notices.map((notice) => {
    const deltas =
      'deltas' in notice
        ? notice.deltas.map(
            ({ op, key, value }) => `${op} ${key}${value === undefined ? '' : ` "${String(value['title'])}"`}`,
          )
        : [];
    return [notice.type, ...deltas].join(' ');
  });
const has = (type: WatchNotice['type'], times = 1) =>
  until(type, () => notices.filter((notice) => notice.type === type).length >= times);
const subscriptions = () => server.frames.filter((frame) => frame.type === 'subscribe');

async function failure(): Promise<CliError> {
  const error = await ended.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof CliError)) throw new Error(`not a CliError: ${String(error)}`);
  return error;
}

test('a snapshot, then changes as they come', async () => {
  watch();
  await has('loaded');
  server.put('a3');
  server.delete('a1');
  await has('changed', 2);
  expect(notices[0]).toMatchObject({
    type: 'loaded',
    revision: 2,
    values: [{ name: 'regions/a1' }, { name: 'regions/a2' }],
  });
  expect(told().slice(1)).toEqual(['changed put regions/a3 "a3 at 3"', 'changed delete regions/a1']);
  expect(subscriptions()).toEqual([{ type: 'subscribe', id: 'watch', select: { kind: 'region' } }]);
});

test('a subscription that comes too soon is asked for again over the same connection', async () => {
  server.tooSoon = 2;
  watch();
  await has('loaded');
  expect(subscriptions()).toHaveLength(3);
  expect(server.connections).toBe(1);
});

describe('PUSH5: a server that restarts', () => {
  test('is waited for, and what happened meanwhile is told, once', async () => {
    watch();
    await has('loaded');
    await server.stop();
    await has('lost');
    server.put('a3', 'a1');
    await new Promise((resolve) => setTimeout(resolve, 60));
    await server.start();
    await has('resumed');
    server.put('a4');
    await has('changed', 2);
    expect(told()).toEqual([
      'loaded',
      'lost',
      'regained',
      'changed put regions/a3 "a3 at 3" put regions/a1 "a1 at 4"',
      'resumed',
      'changed put regions/a4 "a4 at 5"',
    ]);
    expect(notices[2]).toEqual({ type: 'regained', since: 2 });
    expect(subscriptions()[1]).toMatchObject({ since: { epoch: 'e1', revision: 2 } });
  });

  test('REV4: with another history sends everything, and the difference is told', async () => {
    watch();
    await has('loaded');
    await server.stop();
    server.newHistory('e2');
    server.put('a2', 'a9');
    await server.start();
    await has('reloaded');
    expect(told().slice(2)).toEqual([
      'regained',
      'reset',
      'reloaded put regions/a2 "a2 at 1" put regions/a9 "a9 at 2" delete regions/a1',
    ]);
    server.put('a9');
    await has('changed');
    await server.stop();
    await server.start();
    await has('resumed');
    expect(subscriptions().at(-1)).toMatchObject({ since: { epoch: 'e2', revision: 3 } });
  });

  test('whose log was trimmed meanwhile likewise', async () => {
    watch();
    await has('loaded');
    await server.stop();
    server.put('a3');
    server.put('a3');
    server.trim();
    await server.start();
    await has('reloaded');
    expect(notices.find((notice) => notice.type === 'reset')).toEqual({ type: 'reset', reason: 'trimmed' });
    expect(told().at(-1)).toBe('reloaded put regions/a3 "a3 at 4"');
  });
});

describe('PUSH8: a digest that is not that of the copy', () => {
  test('is told to the server, which starts over', async () => {
    watch();
    await has('loaded');
    const digest = server.digest;
    server.items.set('regions/lost', { name: 'regions/lost', title: 'not told', revision: 2 });
    server.bookmark();
    await has('reloaded');
    expect(server.frames.at(-1)).toEqual({ type: 'resync', id: 'watch', revision: 2, digest });
    expect(told()).toEqual(['loaded', 'mismatch', 'reset', 'reloaded put regions/lost "not told"']);
    server.bookmark();
    server.put('a3');
    await has('changed');
    expect(server.frames).toHaveLength(2);
  });

  test('three times in a row ends the command', async () => {
    Object.defineProperty(server, 'digest', { get: () => 'ffffffffffffffff' });
    watch();
    expect((await failure()).problem.title).toBe('The copy does not agree with the server');
    expect(server.frames.filter((frame) => frame.type === 'resync')).toHaveLength(2);
  });
});

describe('the end of a connection', () => {
  test('4000: returns when the server says, not before', async () => {
    watch({ random: () => 0 });
    await has('loaded');
    const closedAt = performance.now();
    server.close(CLOSE.draining, '{"retryAfterMs":120}');
    await has('resumed');
    expect(performance.now() - closedAt).toBeGreaterThanOrEqual(118);
    expect(notices.find((notice) => notice.type === 'lost')).toEqual({
      type: 'lost',
      why: 'the server is going away',
      connected: true,
    });
  });

  test('4001: resumes from where it was', async () => {
    watch();
    await has('loaded');
    server.close(CLOSE.tooSlow, '{"epoch":"e1","revision":2}');
    await has('resumed');
    expect(subscriptions()[1]).toMatchObject({ since: { epoch: 'e1', revision: 2 } });
  });

  test('4500: does not return', async () => {
    watch();
    await has('loaded');
    server.close(CLOSE.protocolError, '16 frames were not of the protocol');
    const { problem, exitCode } = await failure();
    expect([exitCode, problem.detail]).toEqual([EXIT.failed, '16 frames were not of the protocol']);
    expect(server.connections).toBe(1);
  });

  test('what is no frame of the protocol ends the connection, not the command', async () => {
    watch();
    await has('loaded');
    server.broadcast('{"type":"change","topic":"region"}');
    await has('resumed');
    server.broadcast('not JSON');
    await has('resumed', 2);
    server.broadcast('{"type":"instances","of":"a later version"}');
    server.put('a3');
    await has('changed');
    expect(server.connections).toBe(3);
  });
});

describe('what a later server adds', () => {
  test('frames, fields, reasons and close codes that are not known here change nothing else', async () => {
    watch();
    await has('loaded');
    server.broadcast('{"type":"weather","sky":{"clouds":3}}');
    server.broadcast('{"type":"welcome2"}');
    const change = { op: 'put', kind: 'region', key: 'regions/a3', revision: 3, weight: 5 };
    const value = { name: 'regions/a3', title: 'three', revision: 3, shade: 'blue' };
    const changes = [{ ...change, value }];
    const more = { committedBy: 'node-7', trace: { id: 1 } };
    server.broadcast(JSON.stringify({ type: 'change', topic: 'region', revision: 3, changes, ...more }));
    await has('changed');
    expect(told()).toEqual(['loaded', 'changed put regions/a3 "three"']);
    server.broadcast('{"type":"reset","topic":"region","epoch":"e1","reason":"of-a-later-version","hint":1}');
    await has('reset');
    server.close(4321, 'a code of a later version');
    await has('reloaded');
    expect(subscriptions()[1]).toEqual({ type: 'subscribe', id: 'watch', select: { kind: 'region' } });
  });
});

describe('a node that takes back what it has told', () => {
  test('PUSH5 is left without the old position, and what was held is compared with what another one has', async () => {
    watch();
    await has('loaded');
    server.broadcast({ type: 'reset', topic: 'region', epoch: 'e1', reason: 'fenced' });
    // Before the client is back, which is at once.
    server.items.delete('regions/a1');
    server.close(CLOSE.draining, '{"retryAfterMs":1}');
    await has('reloaded');
    expect(subscriptions()[1]).toEqual({ type: 'subscribe', id: 'watch', select: { kind: 'region' } });
    expect(told()).toEqual(['loaded', 'reset', 'lost', 'regained', 'reloaded delete regions/a1']);
  });

  test('PUSH5 nor does a client come back with it whose connection breaks in the middle of the next snapshot', async () => {
    watch();
    await has('loaded');
    server.broadcast({ type: 'reset', topic: 'region', epoch: 'e1', reason: 'trimmed' });
    const items = [{ name: 'regions/a1', title: 'a1', revision: 1 }];
    server.broadcast({ type: 'snapshot', topic: 'region', revision: 2, items, more: true });
    await has('reset');
    server.drop();
    await has('reloaded');
    expect(subscriptions()[1]).not.toHaveProperty('since');
    server.put('a3');
    await has('changed');
    server.drop();
    await has('resumed');
    expect(subscriptions()[2]).toMatchObject({ since: { epoch: 'e1', revision: 3 } });
  });
});

describe('a server that is gone without a word', () => {
  test('PUSH5 is returned to after a part of the time that its welcome has said, and then as ever', async () => {
    server.resumeWithin = 300;
    watch({ random: () => 0.5 });
    await has('loaded');
    const brokeAt = performance.now();
    server.drop();
    await has('resumed');
    expect(performance.now() - brokeAt).toBeGreaterThanOrEqual(148);
    // What it says itself is about this client alone.
    server.resumeWithin = 60_000;
    server.drop();
    await has('resumed', 2);
    server.close(CLOSE.tooSlow, '{"epoch":"e1","revision":2}');
    await has('resumed', 3);
    expect(server.connections).toBe(4);
  });
});

describe('silence', () => {
  test('of three heartbeats is death; halfway it is asked', async () => {
    server.heartbeat = 60;
    watch();
    await has('loaded');
    server.mute = true;
    await has('lost');
    expect(server.frames.map((frame) => frame.type)).toEqual(['subscribe', 'ping']);
    server.mute = false;
    await has('resumed');
    expect(told().slice(1)).toEqual(['lost', 'regained', 'resumed']);
  });

  test('is broken by an answered ping', async () => {
    server.heartbeat = 40;
    watch();
    await until('3 pings', () => server.frames.filter((frame) => frame.type === 'ping').length >= 3);
    expect(server.connections).toBe(1);
    expect(told()).toEqual(['loaded']);
  });

  test('instead of a welcome is no server', async () => {
    server.mute = true;
    watch({ openTimeoutMs: 60 });
    const { exitCode, message } = await failure();
    expect([exitCode, message]).toEqual([
      EXIT.unreachable,
      expect.stringContaining('took the connection and said nothing'),
    ]);
  });
});

describe('a server that cannot be had at first', () => {
  test('nothing listens: one sentence, exit code 3', async () => {
    await server.stop();
    watch();
    const { exitCode, message } = await failure();
    expect(exitCode).toBe(EXIT.unreachable);
    expect(message).toBe(
      `Nothing listens at ${server.url}: start Signalbox (\`signalbox start\`), or say where it is with --url or SIGNALBOX_URL.`,
    );
  });

  test('503 while it loads is waited out', async () => {
    const body = JSON.stringify({ type: '/problems/not-ready', title: 'The catalog is not loaded yet', status: 503 });
    server.answers.push({ status: 503, type: 'application/problem+json', body, headers: { 'retry-after': '0' } });
    watch();
    await has('loaded');
    expect(notices.slice(0, 2)).toEqual([
      { type: 'lost', why: 'The catalog is not loaded yet', connected: false },
      { type: 'regained', since: undefined },
    ]);
  });

  test('403 is a refusal', async () => {
    const body = JSON.stringify({
      type: '/problems/forbidden',
      title: 'The caller may not do this',
      detail: 'loopback only',
    });
    server.answers.push({ status: 403, type: 'application/problem+json', body });
    watch();
    expect((await failure()).problem).toMatchObject({ status: 403, detail: 'loopback only' });
  });

  test('another program is said to be one', async () => {
    server.answers.push({ status: 404, type: 'text/html', body: '<h1>nginx</h1>' });
    watch();
    expect((await failure()).message).toBe(
      `${server.url}/v1/watch was answered with 404. Check --url or SIGNALBOX_URL.`,
    );
  });

  test('another protocol is said to be one', async () => {
    server.protocol = 9;
    watch();
    expect((await failure()).message).toContain('It speaks version 9');
  });

  test('a selection that the server does not take ends the command', async () => {
    watch();
    await has('loaded');
    server.broadcast({ type: 'error', code: 'bad-select', message: '/select/kind is not known' });
    expect((await failure()).message).toBe('/select/kind is not known');
  });
});

describe('stopping', () => {
  test('while connected, and again', async () => {
    watch();
    await has('loaded');
    await client?.stop();
    await client?.stop();
    await ended;
    server.put('a3');
    expect(told()).toEqual(['loaded']);
  });

  test('while waiting to return', async () => {
    watch({ backoff: { baseMs: 60_000, maxMs: 60_000 }, random: () => 1 });
    await has('loaded');
    await server.stop();
    await has('lost');
    await client?.stop();
    await ended;
  });

  test('while connecting', async () => {
    server.mute = true;
    watch();
    await client?.stop();
    await ended;
  });
});
