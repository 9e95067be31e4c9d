import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Select } from '../../src/protocol/frames.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import type { Signalbox } from '../support/signalbox.ts';
import { Canary } from './canary.ts';
import { raw, open, memory, writeFat, linesOf, quantile, headOf } from './hostile-clients.ts';
import { metric } from './metric.ts';
import { check, readLog } from './log-model.ts';
import { startNode } from './nodes.ts';
import { clientFrame, OPCODES } from './raw-socket.ts';
import { until } from './until.ts';

const MIB = 1024 * 1024;
/** What each of sixteen callers writes while some do not read. */
const EACH = 130;

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
