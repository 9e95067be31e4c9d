import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Select } from '../../src/protocol/frames.ts';
import { CLOSE } from '../../src/protocol/close-codes.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { Random } from '../support/random.ts';
import { call, type Answer, type Signalbox } from '../support/signalbox.ts';
import { Canary } from './canary.ts';
import { check, readLog } from './log-model.ts';
import { startNode } from './nodes.ts';
import { clientFrame, OPCODES, RawSocket, RawWatch, upgradeRequest } from './raw-socket.ts';
import { until } from './until.ts';
import { WatchClient } from './watch-client.ts';

const MIB = 1024 * 1024;
/** What each of sixteen callers writes while some do not read. */
const EACH = 130;

/** What a test opened, ended after it in the reverse order. */
const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

async function raw(port: number): Promise<RawWatch> {
  const opened = await RawWatch.open(port);
  leftovers.push(() => opened.destroy());
  return opened;
}

async function tcp(port: number): Promise<RawSocket> {
  const opened = await RawSocket.connect(port);
  leftovers.push(() => opened.destroy());
  return opened;
}

async function open(url: string): Promise<WatchClient> {
  const client = await WatchClient.open(url);
  leftovers.push(() => client.ws.terminate());
  return client;
}

/** Resident memory of the server, in MiB. */
function memory({ pid }: Signalbox): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+([0-9]+) kB/.exec(status)?.[1]) / 1024;
}

async function metric(url: string, name: string): Promise<number> {
  const { body } = await call(url, 'GET', '/metrics');
  const line = String(body)
    .split('\n')
    .find((one) => one.startsWith(`${name} `));
  return Number(line?.slice(name.length) ?? 0);
}

/** Regions with about 8 KB each, written by several callers at once. Resolves with the latency of each write, sorted. */
async function writeFat(url: string, seed: number, writers: number, each: number): Promise<number[]> {
  const latencies: number[] = [];
  const padding = Object.fromEntries(
    Array.from({ length: 60 }, (_, i) => [`padding-${i}-${'x'.repeat(48)}`, 'y'.repeat(63)]),
  );
  await Promise.all(
    Array.from({ length: writers }, async (_, writer) => {
      const random = new Random(seed + writer);
      for (let i = 0; i < each; i++) {
        const started = performance.now();
        const labels = { ...padding, n: `${seed}-${writer}-${i}` };
        const { status, body } = await call(url, 'PUT', `/v1/regions/fat-${random.below(20)}`, {
          title: 'fat',
          labels,
        });
        if (status >= 300) throw new Error(`${status} ${JSON.stringify(body)}`);
        latencies.push(performance.now() - started);
      }
    }),
  );
  return latencies.toSorted((a, b) => a - b);
}

/** What the server has written. */
const linesOf = (server: Signalbox): { level: number; msg?: string; err?: { stack?: string } }[] =>
  server
    .output()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { level: number; msg?: string; err?: { stack?: string } });

const quantile = (sorted: readonly number[], q: number): number => sorted[Math.floor(sorted.length * q)] ?? 0;
const headOf = async (url: string): Promise<number> => (await call(url, 'GET', '/v1/state')).body.revision as number;

describe('subscribers that do not read', () => {
  let db: TestDatabase;
  let server: Signalbox;

  beforeAll(async () => {
    db = await createDatabase();
    server = await startNode({
      DATABASE_URL: db.url,
      // Silence for two of them ends a socket that fills slowly, on a busy machine, before it is full.
      WATCH_HEARTBEAT: '4s',
      WATCH_MAX_QUEUED_BYTES: '256KiB',
      WATCH_STALL_TIMEOUT: '2m',
      HISTORY_MEMORY_BYTES: '16MiB',
    });
  }, 150_000);
  afterAll(async () => {
    await server.stop('SIGKILL');
    await db.drop();
  });

  test('PUSH9: who stops reading slows nobody and costs bounded memory, and is caught up when it reads again', async () => {
    const healthy = await Promise.all([1, 2, 3].map(() => open(server.url)));
    const selects: Select[] = [{ kind: '*' }, { kind: 'region' }, { kind: 'region', regions: ['fat-3', 'fat-4'] }];
    const topics = await Promise.all(healthy.map((client, i) => client.sync('1', selects[i] as Select)));
    await writeFat(server.url, 1, 16, 10);
    const before = await writeFat(server.url, 100, 16, 40);
    const held = memory(server);

    // Each selects alike by another topic, so that what waits for them would be each one's own.
    const fat = Array.from({ length: 20 }, (_, i) => `fat-${i}`);
    const stalled = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const select: Select = { kind: 'region', regions: [...fat, `none-${i}`] };
        const socket = await raw(server.port);
        socket.send({ type: 'subscribe', id: '1', select });
        const synced = await until('synced', () => socket.frames.find((frame) => frame.type === 'synced'));
        socket.socket.pause();
        return { socket, select, topic: (synced as { topic: string }).topic };
      }),
    );
    const canary = await Canary.start(server);
    const after = await writeFat(server.url, 200, 16, EACH);
    const grown = memory(server) - held;
    const head = await headOf(server.url);
    await Promise.all(healthy.map((client, i) => client.reached(topics[i] as string, head)));
    const { slowest, rounds } = await canary.stop();
    // Those who were still being caught up when they stopped reading do not count as fallen behind.
    expect(await metric(server.url, 'signalbox_watch_fell_behind_total')).toBeGreaterThan(0);
    expect(await metric(server.url, 'signalbox_watch_cut_offs_total')).toBe(0);

    // 2,080 changes of 8 KB are 16 MB for each of the 20, were they kept.
    expect(grown).toBeLessThan(170);
    expect(quantile(after, 0.5)).toBeLessThan(3 * quantile(before, 0.5) + 50);
    expect(quantile(after, 0.99)).toBeLessThan(4 * quantile(before, 0.99) + 250);
    expect(rounds).toBeGreaterThan(3);
    expect(slowest).toBeLessThan(5000);

    const { model } = await readLog(server.url);
    healthy.forEach((client, i) => {
      const topic = topics[i] as string;
      expect(check(model, selects[i] as Select, topic, client.of(topic)).position).toBeGreaterThanOrEqual(head);
    });
    const back = stalled.slice(0, 5);
    for (const { socket } of back) {
      socket.answersPings = true;
      socket.socket.resume();
    }
    for (const { socket, select, topic } of back) {
      await until('it is caught up', () =>
        socket.frames.some((frame) => frame.type === 'bookmark' && frame.revision >= head),
      );
      const subscription = check(model, select, topic, socket.frames);
      expect(subscription.position).toBeGreaterThanOrEqual(head);
      expect(subscription.resets).toBe(0);
      expect(subscription.events).toBe(16 * EACH);
      expect(socket.frames.filter(({ type }) => type === 'snapshot')).toHaveLength(1);
    }
  }, 90_000);
});

describe('clients that are soon taken for silent', () => {
  let db: TestDatabase;
  let server: Signalbox;

  beforeAll(async () => {
    db = await createDatabase();
    server = await startNode({
      DATABASE_URL: db.url,
      // Whoever is let go of here is let go of for its silence: nobody reads what it says, or it says nothing.
      WATCH_HEARTBEAT: '2s',
      WATCH_MAX_QUEUED_BYTES: '256KiB',
      WATCH_STALL_TIMEOUT: '2s',
    });
    await writeFat(server.url, 1, 8, 20);
  }, 150_000);
  afterAll(async () => {
    await server.stop('SIGKILL');
    await db.drop();
  });

  test.each([
    ['pings', clientFrame('{"type":"ping"}')],
    ['pings of WebSocket itself', clientFrame('', { opcode: OPCODES.ping })],
    [
      'refused requests',
      clientFrame('{"type":"unsubscribe","id":"nobody-has-this-id-but-it-is-repeated-in-the-answer"}'),
    ],
  ])(
    'PUSH9: who asks (%s) and reads no answer is not served without end',
    async (_what, frame) => {
      const before = memory(server);
      const flooder = await raw(server.port);
      flooder.socket.pause();
      const batch = Buffer.concat(Array.from({ length: 4000 }, () => frame));
      let sent = 0;
      while (!flooder.closed && sent < 40 * MIB) {
        sent += batch.length;
        if (flooder.socket.write(batch)) continue;
        await Promise.race([
          new Promise((done) => flooder.socket.once('drain', done)),
          until('closed', () => flooder.closed).catch(() => {}),
          sleep(2000),
        ]);
        if (flooder.socket.writableLength > 8 * MIB) break;
      }
      expect(memory(server) - before).toBeLessThan(100);
      await until(
        'the server lets go of it',
        async () => flooder.closed || (await metric(server.url, 'signalbox_watch_sockets')) === 0,
        15_000,
      );
    },
    40_000,
  );

  test('PUSH9: sockets that are half closed, reset or silent are forgotten, with their subscriptions', async () => {
    const clients = await Promise.all(Array.from({ length: 30 }, () => raw(server.port)));
    for (const client of clients) client.send({ type: 'subscribe', id: '1', select: { kind: '*' } });
    await until('all are synced', () => clients.every(({ frames: got }) => got.some(({ type }) => type === 'synced')));
    expect(await metric(server.url, 'signalbox_watch_sockets')).toBe(30);
    clients.forEach(({ socket }, i) => {
      if (i % 3 === 0) socket.end();
      else if (i % 3 === 1) socket.resetAndDestroy();
      // The rest says nothing more, and reads nothing either.
      else socket.pause();
    });
    await until('all are forgotten', async () => (await metric(server.url, 'signalbox_watch_sockets')) === 0);
    expect(await metric(server.url, 'signalbox_watch_subscriptions')).toBe(0);
    expect(await metric(server.url, 'signalbox_watch_topics')).toBe(0);
  }, 40_000);

  test('PUSH9: after all of this the server ends in order, and nothing was an error of its own', async () => {
    expect(await server.stop()).toBe(0);
    expect(linesOf(server).filter(({ level }) => level >= 50)).toEqual([]);
  });
});

describe('clients that do what no client should', () => {
  let db: TestDatabase;
  let server: Signalbox;
  let canary: Canary;
  let held: number;

  beforeAll(async () => {
    db = await createDatabase();
    server = await startNode({
      DATABASE_URL: db.url,
      // Silence for two of them ends a socket that fills slowly, on a busy machine, before it is full.
      WATCH_HEARTBEAT: '4s',
      WATCH_MAX_QUEUED_BYTES: '256KiB',
      WATCH_STALL_TIMEOUT: '2s',
      REQUEST_TIMEOUT: '2s',
      LOG_LEVEL: 'debug',
    });
    await writeFat(server.url, 1, 8, 20);
    held = memory(server);
    canary = await Canary.start(server);
  }, 150_000);
  afterAll(async () => {
    await server.stop('SIGKILL');
    await db.drop();
  });

  describe('on the feed', () => {
    test('PUSH9: a subscriber that never reads is cut off with 4001 and the position up to which everything was sent', async () => {
      const stalled = await raw(server.port);
      const select: Select = { kind: 'region' };
      stalled.send({ type: 'subscribe', id: '1', select });
      const { topic } = (await until('synced', () => stalled.frames.find(({ type }) => type === 'synced'))) as {
        topic: string;
      };
      stalled.socket.pause();
      const cutOffs = await metric(server.url, 'signalbox_watch_cut_offs_total');
      const started = performance.now();
      let writing = true;
      const flood = (async () => {
        for (let seed = 300; writing; seed++) await writeFat(server.url, seed, 8, 20);
      })();
      await until('it is cut off', async () => (await metric(server.url, 'signalbox_watch_cut_offs_total')) > cutOffs);
      const took = performance.now() - started;
      writing = false;
      // It reads on in the moment that the server leaves it for the close.
      stalled.socket.resume();
      await until('the close frame', () => stalled.close);
      await flood;
      expect(stalled.close?.code).toBe(CLOSE.tooSlow);
      expect(took).toBeGreaterThan(2000);
      const position = JSON.parse(stalled.close?.reason ?? '') as { epoch: string; revision: number };
      // Up to the position nothing is missing, and from there it goes on.
      const again = await open(server.url);
      await again.sync('1', select, position);
      await again.reached(topic, await headOf(server.url));
      const all = [...stalled.frames, ...again.of(topic)];
      const { model, epoch } = await readLog(server.url);
      expect(position.epoch).toBe(epoch);
      const subscription = check(model, select, topic, all);
      expect(subscription.position).toBeGreaterThan(position.revision);
      expect(subscription.events).toBeGreaterThan(100);
      expect(subscription.resets).toBe(0);
    }, 60_000);

    test('PUSH9: a slow subscriber that takes what waits for it in time is not cut off', async () => {
      const slow = await raw(server.port);
      slow.answersPings = true;
      const select: Select = { kind: 'region' };
      slow.send({ type: 'subscribe', id: '1', select });
      const { topic } = (await until('synced', () => slow.frames.find(({ type }) => type === 'synced'))) as {
        topic: string;
      };
      const fell = await metric(server.url, 'signalbox_watch_fell_behind_total');
      // 64 KiB every 20 ms at most, as a link of some megabytes a second would.
      const sip = setInterval(() => {
        slow.socket.resume();
        slow.socket.once('data', () => slow.socket.pause());
      }, 20);
      leftovers.push(() => clearInterval(sip));
      slow.socket.pause();
      for (let seed = 500; (await metric(server.url, 'signalbox_watch_fell_behind_total')) === fell; seed++) {
        if (seed > 560) throw new Error('it never fell behind');
        await writeFat(server.url, seed, 8, 20);
      }
      const head = await headOf(server.url);
      await until('it is caught up', () => slow.frames.some((one) => one.type === 'bookmark' && one.revision >= head));
      const got = [...slow.frames];
      const { model } = await readLog(server.url);
      expect(check(model, select, topic, got).resets).toBe(0);
      expect(slow.closed).toBe(false);
    }, 60_000);

    /** What is sent, and the code that the server closes with. */
    const frames: [what: string, bytes: Buffer, code: number][] = [
      ['a message of 10 MB', clientFrame(Buffer.alloc(10 * MIB, 0x20)), 1009],
      [
        'the mere header of a message of 4 exabytes',
        Buffer.from([0x81, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]),
        1009,
      ],
      ['a message of 10 MB in small fragments', fragments('x'.repeat(10 * MIB), 4096), 1009],
      ['a text that is not UTF-8', clientFrame(Buffer.from([0x7b, 0xc3, 0x28, 0x7d])), 1007],
      [
        'half a character in the last fragment',
        Buffer.concat([
          clientFrame(Buffer.from('{"type'), { fin: false }),
          clientFrame(Buffer.from([0xe2, 0x82]), { opcode: OPCODES.continuation }),
        ]),
        1007,
      ],
      ['a frame without a mask', clientFrame('{"type":"ping"}', { masked: false }), 1002],
      ['an opcode that does not exist', clientFrame('x', { opcode: 5 }), 1002],
      ['a compressed frame, which was not agreed on', clientFrame('x', { opcode: 0x40 | OPCODES.text }), 1002],
      ['a continuation of nothing', clientFrame('x', { opcode: OPCODES.continuation }), 1002],
      ['a ping of 200 bytes', clientFrame('x'.repeat(200), { opcode: OPCODES.ping }), 1002],
      ['a ping in fragments', clientFrame('x', { opcode: OPCODES.ping, fin: false }), 1002],
      ['a new message within another', Buffer.concat([clientFrame('x', { fin: false }), clientFrame('y')]), 1002],
      [
        'a close with a code that nobody may send',
        clientFrame(Buffer.from([0x03, 0xee]), { opcode: OPCODES.close }),
        1002,
      ],
      ['a close of one byte', clientFrame(Buffer.from([0x03]), { opcode: OPCODES.close }), 1002],
      ['HTTP after the upgrade', Buffer.from('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'), 1002],
    ];
    test.each(frames)('PUSH9: %s closes the socket, and nobody else notices', async (_what, bytes, code) => {
      const client = await raw(server.port);
      client.write(bytes);
      await until('the close frame', () => client.close ?? client.closed);
      // Who still writes while the server closes may be told by a reset alone.
      if (client.close !== undefined || bytes.length < MIB) expect(client.close?.code).toBe(code);
      await canary.sings();
    });

    test('PUSH9: sixteen frames that are not of the protocol end a socket with 4500, each one before is answered', async () => {
      const deep = '['.repeat(60_000);
      const garbage: (string | Buffer)[] = [
        'hello',
        '',
        'null',
        '42',
        '[]',
        deep,
        `{"type":"subscribe","id":"1","select":${deep}`,
        '{"type":"__proto__"}',
        '{"type":"constructor","id":"1"}',
        '{"type":"ping","more":1}',
        '{"__proto__":{"type":"ping"}}',
        '{"type":"subscribe","id":"1","select":{"kind":"*","labels":{}}}',
        '{"type":"subscribe","id":"1","select":{"kind":"*"},"since":{"epoch":"e","revision":-1}}',
        `{"type":"subscribe","id":"${'x'.repeat(65)}","select":{"kind":"*"}}`,
        clientFrame(Buffer.from('{"type":"ping"}'), { opcode: OPCODES.binary }),
      ];
      const client = await raw(server.port);
      for (const frame of garbage) client.write(typeof frame === 'string' ? clientFrame(frame) : frame);
      await until('the answers', () => client.frames.length === 1 + garbage.length);
      for (const frame of client.frames.slice(1)) {
        expect(frame).toMatchObject({ type: 'error', code: expect.stringMatching(/^bad-(frame|select)$/) });
      }
      client.send({ type: 'ping' });
      await until('the pong', () => client.frames.some(({ type }) => type === 'pong'));
      client.send('the last one');
      await until('the close frame', () => client.close);
      expect(client.close?.code).toBe(CLOSE.protocolError);
    });

    test('PUSH9: labels named after the insides of JavaScript select what carries them, and nothing else', async () => {
      const client = await raw(server.port);
      client.write(
        clientFrame('{"type":"subscribe","id":"1","select":{"kind":"*","labels":{"constructor":"x","toString":"y"}}}'),
      );
      client.write(
        clientFrame('{"type":"subscribe","id":"__proto__","select":{"kind":"region","labels":{"__proto__":"x"}}}'),
      );
      await until('both', () => client.frames.filter(({ type }) => type === 'synced').length === 2);
      expect(client.frames.flatMap((frame) => (frame.type === 'snapshot' ? frame.items : []))).toEqual([]);
    });

    test('PUSH9: a message in fragments, with a ping between them, is a message', async () => {
      const client = await raw(server.port);
      const text = Buffer.from('{"type":"subscribe","id":"größe","select":{"kind":"region","regions":["canary"]}}');
      for (let i = 0; i < text.length; i++) {
        client.write(
          clientFrame(text.subarray(i, i + 1), {
            opcode: i === 0 ? OPCODES.text : OPCODES.continuation,
            fin: i === text.length - 1,
          }),
        );
        if (i === 30) client.write(clientFrame('in between', { opcode: OPCODES.ping }));
      }
      await until('synced', () => client.frames.some(({ type }) => type === 'synced'));
      expect(client.frames[1]).toMatchObject({ type: 'subscribed', id: 'größe' });
    });

    test('PUSH9: whatever bytes come after the upgrade, the socket ends and the server does not', async () => {
      const random = new Random(99);
      for (let round = 0; round < 40; round++) {
        const clients = await Promise.all([1, 2, 3].map(() => raw(server.port)));
        for (const client of clients) {
          const bytes = Buffer.from(Array.from({ length: 1 + random.below(400) }, () => random.below(256)));
          // Half of them begin as a frame does, and so get further.
          if (random.chance(0.5)) bytes[0] = 0x81;
          client.write(bytes);
          if (random.chance(0.3)) client.send({ type: 'ping' });
          const way = random.below(3);
          if (way === 0) client.socket.end();
          else if (way === 1) client.socket.resetAndDestroy();
        }
        await sleep(5);
        for (const client of clients) client.destroy();
      }
      await until('all are forgotten', async () => (await metric(server.url, 'signalbox_watch_sockets')) === 1);
    }, 60_000);
  });

  describe('over HTTP', () => {
    /** Sends bytes one after the other, `every` milliseconds apart, until the server has closed the connection. */
    async function trickle(head: string, rest: string, every: number): Promise<{ socket: RawSocket; took: number }> {
      const socket = await tcp(server.port);
      const started = performance.now();
      socket.write(head);
      for (const byte of rest) {
        if (socket.closed) break;
        socket.write(byte);
        await sleep(every);
      }
      await socket.untilClosed();
      return { socket, took: performance.now() - started };
    }

    test('PUSH9: a request whose header or body comes byte by byte is ended in bounded time', async () => {
      const slow = 'X-Slow: ' + 'x'.repeat(400);
      const put =
        'PUT /v1/regions/slow HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n';
      const attacks = await Promise.all([
        ...Array.from({ length: 10 }, () => trickle('GET /v1/regions HTTP/1.1\r\nHost: 127.0.0.1\r\n', slow, 40)),
        ...Array.from({ length: 10 }, () => trickle('', `GET /${'x'.repeat(400)}`, 40)),
        ...Array.from({ length: 10 }, () => trickle(put, `{"title":"${'x'.repeat(480)}`, 40)),
        ...Array.from({ length: 10 }, () =>
          trickle(put.replace('Content-Length: 500', 'Transfer-Encoding: chunked'), '1\r\n \r\n'.repeat(100), 40),
        ),
        ...Array.from({ length: 10 }, () => trickle(put, '', 0)),
        ...Array.from({ length: 10 }, () => trickle(upgradeRequest().slice(0, -2), slow, 40)),
      ]);
      for (const { socket, took } of attacks) {
        expect(socket.status).toBe(408);
        expect(socket.problem).toMatchObject({ type: '/problems/timeout', status: 408 });
        expect(took).toBeLessThan(15_000);
      }
      await canary.sings();
      expect((await call(server.url, 'GET', '/v1/regions/slow')).status).toBe(404);
    }, 60_000);

    test('PUSH9: hundreds of connections that say nothing hold nobody up, and are closed', async () => {
      const idle = await Promise.all(Array.from({ length: 500 }, () => tcp(server.port)));
      await canary.sings();
      await until('all are closed', () => idle.every(({ closed }) => closed), 20_000);
      expect(new Set(idle.map(({ status }) => status))).toEqual(new Set([408]));
      await canary.sings();
    }, 60_000);

    const request = (lines: string[], body = ''): string => `${lines.join('\r\n')}\r\n\r\n${body}`;
    const HOST = 'Host: 127.0.0.1';
    const malformed: [what: string, bytes: string | Buffer, status: number][] = [
      ['something that is not HTTP', 'hello\r\n\r\n', 400],
      ['a TLS handshake', Buffer.from('16030100a5010000a10303', 'hex'), 400],
      ['random bytes', Buffer.from(Array.from({ length: 3000 }, (_, i) => (i * 7919) & 0xff)), 400],
      ['a megabyte without an end of line', 'x'.repeat(MIB), 400],
      ['HTTP/9.9', request(['GET / HTTP/9.9', HOST]), 400],
      ['a length that is not one', request(['PUT /v1/regions/xx HTTP/1.1', HOST, 'Content-Length: -1'], '{}'), 400],
      [
        'two lengths',
        request(['PUT /v1/regions/xx HTTP/1.1', HOST, 'Content-Length: 2', 'Content-Length: 3'], '{}'),
        400,
      ],
      [
        'a length and chunks',
        request(['PUT /v1/regions/xx HTTP/1.1', HOST, 'Content-Length: 2', 'Transfer-Encoding: chunked'], '0\r\n\r\n'),
        400,
      ],
      [
        'a chunk that is not one',
        request(
          ['PUT /v1/regions/xx HTTP/1.1', HOST, 'Content-Type: application/json', 'Transfer-Encoding: chunked'],
          'zz\r\n',
        ),
        400,
      ],
      ['a header with a line break in its name', request(['GET / HTTP/1.1', HOST, 'X bad: 1']), 400],
      ['a NUL in a header', request(['GET / HTTP/1.1', HOST, 'X-Bad: a\0b']), 400],
      ['one header of 20 KB', request(['GET / HTTP/1.1', HOST, `X-Large: ${'x'.repeat(20_000)}`]), 431],
      [
        '2,000 headers',
        request(['GET / HTTP/1.1', HOST, ...Array.from({ length: 2000 }, (_, i) => `X-Header-${i}: ${i}`)]),
        431,
      ],
      ['a request line of 100 KB', request([`GET /${'x'.repeat(100_000)} HTTP/1.1`, HOST]), 431],
      ['a path of 10 KB', request([`GET /v1/regions/${'x'.repeat(10_000)} HTTP/1.1`, HOST, 'Connection: close']), 414],
      ['a path with a broken percent sign', request(['GET /v1/regions/%zz HTTP/1.1', HOST, 'Connection: close']), 400],
      ['a path out of the root', request(['GET /../../etc/passwd HTTP/1.1', HOST, 'Connection: close']), 404],
      ['another Host', request(['GET /v1/regions HTTP/1.1', 'Host: rebound.example', 'Connection: close']), 403],
      [
        'a Host that only begins well',
        request(['GET /v1/regions HTTP/1.1', 'Host: 127.0.0.1.evil.example', 'Connection: close']),
        403,
      ],
      [
        'an Origin from elsewhere',
        request(['GET /v1/regions HTTP/1.1', HOST, 'Origin: https://evil.example', 'Connection: close']),
        403,
      ],
      [
        'an Origin from elsewhere on a path that does not exist',
        request(['GET /nowhere HTTP/1.1', HOST, 'Origin: https://evil.example', 'Connection: close']),
        403,
      ],
      [
        'an Origin from elsewhere, asking beforehand',
        request([
          'OPTIONS /v1/apply HTTP/1.1',
          HOST,
          'Origin: https://evil.example',
          'Access-Control-Request-Method: POST',
          'Connection: close',
        ]),
        403,
      ],
      ['a method that nothing takes', request(['TRACE /v1/regions HTTP/1.1', HOST, 'Connection: close']), 405],
      [
        'a compressed body',
        request(
          [
            'PUT /v1/regions/xx HTTP/1.1',
            HOST,
            'Content-Type: application/json',
            'Content-Encoding: gzip',
            'Content-Length: 2',
            'Connection: close',
          ],
          '{}',
        ),
        415,
      ],
    ];
    test.each(malformed)(
      'PUSH9: %s is answered with a problem, and the connection ends',
      async (_what, bytes, status) => {
        const socket = await tcp(server.port);
        socket.write(bytes);
        await socket.untilClosed(10_000);
        expect(socket.status).toBe(status);
        expect(socket.text.toLowerCase()).toContain('content-type: application/problem+json');
        expect(socket.problem).toMatchObject({ status, type: expect.stringMatching(/^\/problems\/[a-z-]+$/) });
        await canary.sings();
      },
    );

    test.each([
      ['a tunnel', request(['CONNECT example.com:443 HTTP/1.1', HOST])],
      ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
      ['a request to no host', request(['GET /v1/regions HTTP/1.1', 'Connection: close'])],
    ])('PUSH9: %s is not followed, and the connection ends', async (_what, bytes) => {
      const socket = await tcp(server.port);
      socket.write(bytes);
      await socket.untilClosed(10_000);
      expect(socket.text).not.toMatch(/^HTTP\/1\.1 (1|2)/);
      await canary.sings();
    });

    test('PUSH9: a wish to upgrade to something else is passed over, and its connection stays an ordinary one', async () => {
      const wishes = [
        ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA'],
        ['Connection: upgrade', 'Upgrade: websocket'],
        ['Upgrade: anything', 'Connection: keep-alive, Upgrade'],
      ];
      const isPassedOver = async (wish: string[]): Promise<void> => {
        const socket = await tcp(server.port);
        const body = '{"title":"upgraded"}';
        const write = request(
          [
            'PUT /v1/regions/upgraded HTTP/1.1',
            HOST,
            ...wish,
            'Content-Type: application/json',
            `Content-Length: ${body.length}`,
          ],
          body.slice(0, 5),
        );
        socket.write(write);
        await sleep(20);
        socket.write(body.slice(5));
        await until('an answer', () => /^HTTP\/1\.1 20[01] /.test(socket.text));
        socket.write(request(['GET /nowhere HTTP/1.1', HOST, ...wish]));
        await until('another answer', () => socket.text.includes('HTTP/1.1 404 '));
        // It is watched over like any other: a header that does not end ends it.
        socket.write('GET / HT');
        await socket.untilClosed(10_000);
        expect(socket.text).toContain('HTTP/1.1 408 ');
      };
      // Each waits until its time is over.
      await Promise.all(wishes.map(isPassedOver));
    }, 40_000);

    const put = (body: string | Buffer, type = 'application/json') => send('PUT', '/v1/regions/hostile', body, type);
    const apply = (body: string | Buffer, type: string) => send('POST', '/v1/apply', body, type);
    async function send(
      method: string,
      path: string,
      body: string | Buffer,
      type: string,
    ): Promise<Answer & { took: number }> {
      const started = performance.now();
      const answer = await call(server.url, method, path, body === '' ? undefined : String(body), {
        'content-type': type,
      });
      return { ...answer, took: performance.now() - started };
    }

    test('PUSH9: bodies that are too large are refused before they are read', async () => {
      for (const [method, path, type] of [
        ['PUT', '/v1/regions/hostile', 'application/json'],
        ['POST', '/v1/apply', 'application/json'],
        ['POST', '/v1/apply', 'application/yaml'],
      ] as const) {
        // Announced, and never sent: the refusal does not wait for it.
        const announced = await tcp(server.port);
        announced.write(
          request([`${method} ${path} HTTP/1.1`, HOST, `Content-Type: ${type}`, `Content-Length: ${20 * MIB}`]),
        );
        await until('an answer', () => announced.text.includes('\r\n\r\n{'));
        expect(announced.status).toBe(413);
        expect(announced.problem).toMatchObject({ type: '/problems/too-large' });
        // In chunks, it is only noticed on the way.
        const chunked = await tcp(server.port);
        chunked.write(
          request([`${method} ${path} HTTP/1.1`, HOST, `Content-Type: ${type}`, 'Transfer-Encoding: chunked']),
        );
        const chunk = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(MIB, 0x20), Buffer.from('\r\n')]);
        for (let i = 0; i < 20 && !chunked.closed; i++) {
          chunked.write(chunk);
          await sleep(1);
        }
        await until('an answer or the end', () => chunked.status === 413 || chunked.closed);
        await canary.sings();
      }
    }, 40_000);

    const nested = (begin: string, end: string, depth: number): string => begin.repeat(depth) + end.repeat(depth);
    const laughs = [
      'a: &a [x, x, x, x, x, x, x, x, x]',
      ...Array.from(
        'bcdefghij',
        (name, i) => `${name}: &${name} [${Array.from({ length: 9 }, () => `*${'abcdefghi'[i]}`).join(', ')}]`,
      ),
    ].join('\n');
    const bombs: [what: string, type: string, body: () => string][] = [
      ['JSON of 500,000 levels of lists', 'application/json', () => nested('[', ']', 500_000)],
      [
        'JSON of 150,000 levels of objects',
        'application/json',
        () => `${'{"a":'.repeat(150_000)}1${'}'.repeat(150_000)}`,
      ],
      [
        'JSON that is deep inside a resource',
        'application/json',
        () => `{"name":"regions/deep","title":${nested('[', ']', 400_000)}}`,
      ],
      [
        'JSON with 200,000 keys',
        'application/json',
        () =>
          `{"name":"regions/wide","title":"t","labels":{${Array.from({ length: 200_000 }, (_, i) => `"k${i}":"v"`).join(',')}}}`,
      ],
      ['JSON of 2,000,000 documents', 'application/json', () => `[${'1,'.repeat(2_000_000)}1]`],
      ['NDJSON of 2,000,000 documents', 'application/x-ndjson', () => '1\n'.repeat(2_000_000)],
      ['YAML of a billion laughs', 'application/yaml', () => `name: regions/laugh\ntitle: t\n${laughs}`],
      [
        'YAML of aliases within aliases as labels',
        'application/yaml',
        () => `name: regions/laugh\ntitle: t\nlabels: &a\n  a: *a\n`,
      ],
      ['YAML of 100,000 levels', 'application/yaml', () => nested('[', ']', 100_000)],
      ['YAML of 20,000 levels of blocks', 'application/yaml', () => `${'- '.repeat(20_000)}x`],
      [
        'YAML of 100,000 anchors',
        'application/yaml',
        () => Array.from({ length: 100_000 }, (_, i) => `k${i}: &a${i} v`).join('\n'),
      ],
      ['YAML of 500,000 documents', 'application/yaml', () => '--- 1\n'.repeat(500_000)],
      ['YAML of one key of 4 MB', 'application/yaml', () => `${'x'.repeat(4 * MIB)}: y`],
      [
        'YAML with a tag of another language',
        'application/yaml',
        () => 'name: !!js/function "function () { process.exit() }"',
      ],
      ['YAML of 4 MB of quotes', 'application/yaml', () => `"${'\\"'.repeat(2 * MIB)}`],
    ];
    test.each(bombs)(
      'PUSH9: %s is refused in bounded time, and others are served meanwhile',
      async (_what, type, body) => {
        const before = memory(server);
        const answer = await apply(body(), type);
        expect([400, 413]).toContain(answer.status);
        expect(answer.headers.get('content-type')).toContain('application/problem+json');
        expect(JSON.stringify(answer.body).length).toBeLessThan(64 * 1024);
        expect(answer.took).toBeLessThan(15_000);
        await canary.sings();
        expect(memory(server) - before).toBeLessThan(700);
      },
      40_000,
    );

    test.each([
      ['brackets', '('.repeat(7900)],
      ['nots', `${'not '.repeat(1900)}title=x`.replaceAll(' ', '+')],
      ['ands', `title=x${'+and+title=x'.repeat(600)}`],
      ['one text', `title="${'x'.repeat(7000)}"`],
      ['percent signs', '%25'.repeat(2000)],
    ])('PUSH9: a filter of as many %s as a URL holds is answered at once', async (_what, filter) => {
      for (let i = 0; i < 3; i++) {
        const answer = await send('GET', `/v1/regions?filter=${filter}`, '', 'application/json');
        expect([200, 400]).toContain(answer.status);
        expect(answer.took).toBeLessThan(5000);
      }
      await canary.sings();
    });

    // More than once: what overflows a stack may be caught the first time, and end the process the next.
    test.each([
      ['lists in lists', '- '.repeat(20_000)],
      ['keys that are keys', '? '.repeat(20_000)],
      ['brackets', nested('[', ']', 60_000)],
      ['braces', '{a: '.repeat(20_000)],
      ['indented maps', Array.from({ length: 500 }, (_, i) => `${' '.repeat(i)}a:`).join('\n')],
      ['tags and anchors', '!!seq &a - '.repeat(10_000)],
    ])('PUSH9: YAML of thousands of levels (%s) is refused again and again', async (_what, body) => {
      for (let i = 0; i < 5; i++) expect((await apply(body, 'application/yaml')).status).toBe(400);
      await canary.sings();
    });

    test('PUSH9: bodies that name the insides of JavaScript change nothing but what they may', async () => {
      const polluted = [
        '{"title":"t","__proto__":{"polluted":"yes"}}',
        '{"title":"t","constructor":{"prototype":{"polluted":"yes"}}}',
        '{"title":"t","labels":{"__proto__":"polluted"}}',
        '{"title":"t","labels":{"__proto__":{"polluted":"yes"}}}',
        '{"title":"t","location":{"__proto__":{"polluted":"yes"}}}',
        '{"title":"t","toString":1}',
        '{"title":"t","labels":{"hasOwnProperty":"x"},"hasOwnProperty":1}',
      ];
      // Names that are ordinary keys elsewhere are ordinary here.
      const fine = await put('{"title":"t","labels":{"constructor":"x","valueof":"y"}}');
      expect(fine.status).toBe(201);
      for (const body of polluted) {
        expect([body, (await put(body)).status]).toEqual([body, 400]);
        // In a patch, a key that no field can have is passed over; then nothing changes.
        expect([200, 400]).toContain((await send('PATCH', '/v1/regions/hostile', body, 'application/json')).status);
        const document = `[{"name":"regions/hostile",${body.slice(1)}]`;
        expect([body, (await apply(document, 'application/json')).status]).toEqual([body, 400]);
      }
      expect((await call(server.url, 'GET', '/v1/regions/hostile')).body).toEqual(fine.body);
      expect(fine.body.labels).toEqual({ constructor: 'x', valueof: 'y' });
      expect(fine.body).not.toHaveProperty('polluted');
      const { body } = await call(server.url, 'GET', '/v1/regions?filter=labels.constructor%3Dx');
      expect(body.items.map(({ name }: { name: string }) => name)).toEqual(['regions/hostile']);
      expect((await call(server.url, 'GET', '/v1/regions?filter=labels.__proto__%3Dx')).body.items ?? []).toEqual([]);
      expect((await call(server.url, 'GET', '/v1/regions?__proto__=x')).status).toBe(400);
    });

    test('PUSH9: thousands of requests at once on one connection are answered in order', async () => {
      const socket = await tcp(server.port);
      const count = 3000;
      socket.write(
        Array.from({ length: count }, (_, i) => request([`GET /v1/regions/pipelined-${i} HTTP/1.1`, HOST])).join(''),
      );
      await until('all answers', () => (socket.text.match(/HTTP\/1\.1 404/g) ?? []).length === count);
      const asked = [...socket.text.matchAll(/pipelined-([0-9]+)/g)].map(([, i]) => Number(i));
      expect(asked).toEqual(asked.toSorted((a, b) => a - b));
      await canary.sings();
    }, 40_000);
  });

  test('PUSH9: after all of it the server is well, and its log is short and without stacks', async () => {
    const { slowest, rounds } = await canary.stop();
    expect(rounds).toBeGreaterThan(50);
    expect(slowest).toBeLessThan(5000);
    expect(memory(server) - held).toBeLessThan(500);
    await until('nobody is left', async () => (await metric(server.url, 'signalbox_watch_sockets')) === 0);
    const lines = linesOf(server);
    // Whatever went wrong, it was the clients' doing: nothing is an error of the server.
    expect(lines.filter(({ level }) => level >= 50)).toEqual([]);
    expect(lines.filter(({ level }) => level === 40).length).toBeLessThan(5);
    // The longest names a URL, which the bound on headers bounds.
    expect(Math.max(...lines.map((line) => JSON.stringify(line).length))).toBeLessThan(20_000);
    expect(await server.stop()).toBe(0);
  });
});

function fragments(text: string, size: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < text.length; at += size) {
    parts.push(
      clientFrame(text.slice(at, at + size), {
        opcode: at === 0 ? OPCODES.text : OPCODES.continuation,
        fin: at + size >= text.length,
      }),
    );
  }
  return Buffer.concat(parts);
}
