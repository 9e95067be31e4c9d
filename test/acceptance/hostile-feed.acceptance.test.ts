import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Select } from '../../src/protocol/frames.ts';
import { CLOSE } from '../../src/protocol/close-codes.ts';
import { Random } from '../support/random.ts';
import type { Signalbox } from '../support/signalbox.ts';
import type { Canary } from './canary.ts';
import { headOf, leftovers, open, raw, writeFat } from './hostile-clients.ts';
import { metric } from './metric.ts';
import { check, readLog } from './log-model.ts';
import { clientFrame, OPCODES } from './raw-socket.ts';
import { until } from './until.ts';
import { Stage } from './hostile-stage.ts';

const MIB = 1024 * 1024;

let stage: Stage;
let server: Signalbox;
let canary: Canary;
beforeAll(async () => {
  stage = await Stage.open();
  ({ server, canary } = stage);
}, 150_000);
afterAll(() => stage.close());

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
    // 64 KiB at most.
    const sip = (): void => {
      slow.socket.resume();
      slow.socket.once('data', () => slow.socket.pause());
    };
    slow.socket.pause();
    for (let round = 0; (await metric(server.url, 'signalbox_watch_fell_behind_total')) === fell; round++) {
      if (round > 1000) throw new Error('it never fell behind');
      // However slowly this machine writes, it takes an eighth of it.
      if (round % 4 === 0) sip();
      await writeFat(server.url, 500 + round, 8, 2);
    }
    // As a link of some megabytes a second would.
    const sipping = setInterval(sip, 20);
    leftovers.push(() => clearInterval(sipping));
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

test('PUSH9: after all of it the server is well, and its log is short and without stacks', () => stage.endsWell());

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
