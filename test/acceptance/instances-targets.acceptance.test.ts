import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Signalbox } from '../support/signalbox.ts';
import { postgresHome, type Home } from './homes.ts';
import { httpCheck, instance, passingOf, read, register } from './instance-api.ts';
import { Target, type Answering } from './instance-targets.ts';
import { startNode } from './nodes.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Resident memory of the server, in MiB. */
function memory({ pid }: Signalbox): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+([0-9]+) kB/.exec(status)?.[1]) / KIB;
}

describe('targets that do as they like', () => {
  let home: Home;
  let node: Signalbox;
  beforeAll(async () => {
    home = await postgresHome();
    node = await startNode(home.env);
  }, 180_000);
  afterAll(async () => {
    await node.stop('SIGKILL');
    await home.drop();
  });

  const FOR_MS = 12_000;
  const chunk = Buffer.alloc(64 * KIB, 'x');

  /** Never ends by itself, as far as anybody reads it. */
  const endless: Answering = (_request, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write(chunk));
    };
    response.on('drain', more);
    more();
  };
  const slowly =
    (start: string): Answering =>
    ({ socket }) => {
      socket.write(start);
      const timer = setInterval(() => socket.write('x'), 1000);
      socket.on('close', () => clearInterval(timer));
    };
  const hostile: Readonly<Record<string, Answering>> = {
    'never answers': () => {},
    'a byte of the header a second': slowly('HTTP/1.1 200 OK\r\nx-slow: '),
    'a byte of the body a second': slowly('HTTP/1.1 500 No\r\ncontent-length: 1000\r\n\r\n'),
    'a gigabyte': (request, response) => {
      response.writeHead(200, { 'content-length': String(1024 * MIB) });
      endless(request, response);
    },
    'a gigabyte of why not': (request, response) => {
      response.writeHead(500);
      endless(request, response);
    },
    'a header of megabytes': ({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      for (let i = 0; i < 100; i++) socket.write(`x-${i}: ${'y'.repeat(32 * KIB)}\r\n`);
    },
    'interim answers without end': ({ socket }) => {
      const timer = setInterval(() => socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(50)), 5);
      socket.on('close', () => clearInterval(timer));
    },
    'no HTTP': ({ socket }) => void socket.end('220 smtp.example.com ESMTP\r\n'),
    'hangs up': ({ socket }) => void socket.destroy(),
  };

  test('SEC4 INS1 whatever they do, the checks of others stay on time, and memory stays bounded', async () => {
    const good = await Target.many(10);
    for (const [i, { port }] of good.entries()) {
      await register(node.url, instance(`good-${i}.example.com`, port, { check: httpCheck() }));
    }
    const bad = await Promise.all(
      Object.entries(hostile).flatMap(([name, answer]) =>
        Array.from({ length: 5 }, async (_, i) => {
          const target = await Target.listen();
          target.answer = answer;
          const check = httpCheck({ timeout: '500ms' });
          const service = `bad-${i}.example.com`;
          const { id } = await register(node.url, instance(service, target.port, { check }));
          return { name, target, id };
        }),
      ),
    );
    await sleep(2000);
    const held = memory(node);
    const from = performance.now();
    const heldUp = await longestDelay(FOR_MS);
    expect(memory(node)).toBeLessThan(held + 64);

    for (const { asked } of good) {
      const since = asked.filter((at) => at >= from);
      expect(since.length).toBeGreaterThan((0.85 * FOR_MS) / 525);
      const gaps = since.slice(1).map((at, i) => at - (since[i] ?? 0));
      // 525 ms, and what a machine takes that is busy with this test; what else held it up held up this process too.
      expect(Math.max(...gaps)).toBeLessThan(1000 + heldUp);
    }
    for (let i = 0; i < good.length; i++) {
      expect(await passingOf(node.url, `good-${i}.example.com`)).toHaveLength(1);
    }
    for (const { name, id, target } of bad) {
      expect({ name, asked: target.asked.length > 10 }).toEqual({ name, asked: true });
      // At most the one that is under way now, and one that is just being closed.
      expect({ name, connections: target.connections <= 2 }).toEqual({ name, connections: true });
      // What the buffers of a connection take, and no more.
      expect({ name, sent: target.mostSent < 16 * MIB || target.mostSent }).toEqual({ name, sent: true });
      const { passing, report } = await read(node.url, id);
      // A status is an answer, however much follows it.
      expect({ name, passing }).toEqual({ name, passing: name === 'a gigabyte' });
      for (const { durationMs, reason } of report.lastChecks) {
        expect({ name, inTime: durationMs < 900 }).toEqual({ name, inTime: true });
        expect(reason.length).toBeLessThanOrEqual(300);
      }
    }
    await Promise.all([...good, ...bad.map(({ target }) => target)].map((target) => target.close()));
  }, 60_000);
});

/** Waits; the longest that this process was kept from running meanwhile, in milliseconds. */
async function longestDelay(forMs: number): Promise<number> {
  const end = performance.now() + forMs;
  let longest = 0;
  for (let at = performance.now(); at < end; at = performance.now()) {
    await sleep(10);
    longest = Math.max(longest, performance.now() - at - 10);
  }
  return longest;
}
