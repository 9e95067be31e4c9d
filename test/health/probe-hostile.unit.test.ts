import { afterEach, describe, expect, test } from '@jest/globals';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { at, Bench, drip, flood, grpcCheck, httpCheck, silent, tcpCheck, timed } from './targets.ts';

const bench = new Bench();
afterEach(() => bench.close());

const TIMEOUT_MS = 300;
const timeout = `${TIMEOUT_MS}ms`;
const OK = 'HTTP/1.1 200 OK\r\n';

const onRequest = (answer: (socket: Socket) => void) => (socket: Socket) => {
  socket.once('data', () => answer(socket));
};

describe('INS1: a target that does not answer is critical when its time is up', () => {
  test.each<[string, (socket: Socket) => void]>([
    ['never answers', silent],
    ['drips its headers', onRequest((socket) => drip(socket, `${OK}x-drip: a\r\n`, 20))],
    ['drips one endless header', onRequest((socket) => drip(socket, 'HTTP/1.1 200 OK and so on', 20))],
    ['stops in its headers', onRequest((socket) => socket.write(`${OK}content-le`))],
    ['sends an interim answer only', onRequest((socket) => socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'))],
  ])('it %s', async (_, onSocket) => {
    const server = await bench.raw(onSocket);
    const { finding, ms } = await timed(bench.prober().probe(at(server.port, httpCheck({ timeout }))));
    expect(finding).toEqual({ status: 'critical', reason: `no answer within ${timeout}` });
    expect(ms).toBeGreaterThan(TIMEOUT_MS - 20);
    expect(ms).toBeLessThan(TIMEOUT_MS + 1000);
    await sleep(20);
    expect(server.open.size).toBe(0);
  });

  test('it never accepts a connection', async () => {
    const port = await bench.deaf();
    const prober = bench.prober();
    const checks = [httpCheck({ timeout }), tcpCheck({ timeout }), grpcCheck({ timeout })];
    for (const { finding, ms } of await Promise.all(checks.map((check) => timed(prober.probe(at(port, check)))))) {
      expect(finding).toEqual({ status: 'critical', reason: `no answer within ${timeout}` });
      expect(ms).toBeLessThan(TIMEOUT_MS + 1000);
    }
  });

  test('a check of gRPC, too', async () => {
    const server = await bench.raw(silent);
    const { finding, ms } = await timed(bench.prober().probe(at(server.port, grpcCheck({ timeout }))));
    expect(finding).toEqual({ status: 'critical', reason: `no answer within ${timeout}` });
    expect(ms).toBeLessThan(TIMEOUT_MS + 1000);
    await sleep(20);
    expect(server.open.size).toBe(0);
  });
});

describe('SEC4: a body costs bounded time and bytes', () => {
  test('one that drips does not delay the finding, nor keeps the connection past the time', async () => {
    const server = await bench.raw(
      onRequest((socket) => {
        socket.write(`${OK}content-length: 100000\r\n\r\n`);
        drip(socket, 'x', 20);
      }),
    );
    const { finding, ms } = await timed(bench.prober().probe(at(server.port, httpCheck({ timeout }))));
    expect(finding).toEqual({ status: 'passing', reason: 'answered 200' });
    expect(ms).toBeLessThan(TIMEOUT_MS);
    await sleep(TIMEOUT_MS + 50);
    expect(server.open.size).toBe(0);
  });

  test('one that drips after a bad status is quoted as far as it came', async () => {
    const server = await bench.raw(
      onRequest((socket) => {
        socket.write('HTTP/1.1 500 Oh\r\ncontent-length: 100000\r\n\r\n');
        drip(socket, 'x', 20);
      }),
    );
    const { finding, ms } = await timed(bench.prober().probe(at(server.port, httpCheck({ timeout }))));
    expect(finding.reason).toMatch(/answered 500: x{1,8}$/);
    expect(ms).toBeLessThan(TIMEOUT_MS);
  });

  test('a bad status whose body does not come before the time is up is still a bad status', async () => {
    const server = await bench.raw(
      onRequest((socket) => socket.write('HTTP/1.1 500 Oh\r\ncontent-length: 100\r\n\r\nhalf')),
    );
    const { finding } = await timed(bench.prober().probe(at(server.port, httpCheck({ timeout: '60ms' }))));
    expect(finding.reason).toMatch(/answered 500: half$/);
  });

  test.each([
    ['200', 'passing', 'content-length: 1073741824'],
    ['503', 'critical', 'content-length: 1073741824'],
    ['200', 'passing', 'connection: close'],
  ])('a gigabyte after %s is %s and is not read: %s', async (code, status, header) => {
    let taken = 0;
    const server = await bench.raw((socket) => {
      socket.once('data', () => {
        socket.write(`HTTP/1.1 ${code} X\r\n${header}\r\n\r\n`);
        flood(socket, Buffer.alloc(65_536, 'x'), 1024 ** 3);
        socket.on('close', () => {
          taken = socket.bytesWritten;
        });
      });
    });
    const before = process.memoryUsage().rss;
    const { finding, ms } = await timed(bench.prober().probe(at(server.port, httpCheck())));
    expect(finding.status).toBe(status);
    expect(ms).toBeLessThan(1800);
    await sleep(50);
    expect(server.open.size).toBe(0);
    expect(taken).toBeLessThan(32 * 1024 ** 2);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 ** 2);
  });

  test('a body that ends within bounds is read, and one above them closes the connection', async () => {
    const server = await bench.http((request, response) => {
      response.end('x'.repeat(Number(request.url?.slice(1))));
    });
    const prober = bench.prober();
    for (const [length, open] of [
      [4096, 1],
      [4097, 0],
    ]) {
      expect((await prober.probe(at(server.port, httpCheck({ path: `/${length}` })))).status).toBe('passing');
      await sleep(30);
      expect(server.open.size).toBe(open);
    }
  });
});

describe('SEC4: what is no answer is critical, and bounded', () => {
  const LONG = 'x'.repeat(1000);
  test.each<[string, (socket: Socket) => void, string]>([
    ['it closes at once', (socket) => socket.destroy(), 'the connection was closed without an answer'],
    ['it resets', onRequest((socket) => socket.resetAndDestroy()), 'the connection was closed without an answer'],
    ['it ends', onRequest((socket) => socket.end()), 'the connection was closed without an answer'],
    [
      'it ends in its headers',
      onRequest((socket) => socket.end(`${OK}content-`)),
      'the connection was closed without an answer',
    ],
    ['garbage', onRequest((socket) => socket.write('SSH-2.0-OpenSSH_9.6\r\n')), 'the answer is not HTTP'],
    ['garbage before it is asked', (socket) => socket.write(Buffer.alloc(5000, 0xff)), 'the answer is not HTTP'],
    ['an HTTP/2 preface', (socket) => socket.write('\0\0\0\x04\0\0\0\0\0'), 'the answer is not HTTP'],
    [
      'conflicting lengths',
      onRequest((socket) => socket.write(`${OK}content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n`)),
      'the answer is not HTTP',
    ],
    [
      'a header of 64 KiB',
      onRequest((socket) => socket.write(`${OK}x-long: ${'x'.repeat(65_536)}\r\n\r\n`)),
      'the headers of the answer are too large',
    ],
    [
      'headers without end',
      onRequest((socket) => flood(socket, Buffer.from(`x-a: ${LONG}\r\n`.repeat(50)), 1024 ** 3)),
      'the answer is not HTTP',
    ],
    [
      'a status line and headers without end',
      onRequest((socket) => {
        socket.write(OK);
        flood(socket, Buffer.from(`x-a: ${LONG}\r\n`.repeat(50)), 1024 ** 3);
      }),
      'the headers of the answer are too large',
    ],
    [
      'interim answers without end',
      onRequest((socket) => flood(socket, Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'.repeat(200)), 1024 ** 3)),
      'only interim answers',
    ],
    [
      'an upgrade',
      onRequest((socket) =>
        socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n'),
      ),
      'answered 101, an upgrade that was not asked for',
    ],
  ])('%s', async (_, onSocket, why) => {
    const server = await bench.raw(onSocket);
    const { finding, ms } = await timed(bench.prober().probe(at(server.port, httpCheck())));
    expect(finding).toEqual({ status: 'critical', reason: `GET http://127.0.0.1:${server.port}/health: ${why}` });
    expect(ms).toBeLessThan(1800);
    await sleep(30);
    expect(server.open.size).toBe(0);
  });

  test.each<[string, (socket: Socket) => void]>([
    ['two answers at once', onRequest((socket) => socket.write(`${OK}content-length: 0\r\n\r\n`.repeat(2)))],
    [
      'an answer and then garbage',
      (socket) => {
        socket.on('data', () => {
          socket.write(`${OK}content-length: 0\r\n\r\n`);
          setTimeout(() => socket.write('garbage'), 10);
        });
      },
    ],
    [
      'a body that is too short',
      onRequest((socket) => {
        socket.write(`${OK}content-length: 10\r\n\r\nshort`);
        setTimeout(() => socket.resetAndDestroy(), 10);
      }),
    ],
    ['a broken chunk', onRequest((socket) => socket.write(`${OK}transfer-encoding: chunked\r\n\r\nzz\r\nnot a chunk`))],
    ['a body after HEAD', onRequest((socket) => socket.write(`${OK}content-length: 3\r\n\r\nabc`))],
  ])('after the headers the status counts, and the next check asks anew: %s', async (_, onSocket) => {
    const server = await bench.raw(onSocket);
    const prober = bench.prober();
    for (let i = 0; i < 3; i++) {
      const { finding, ms } = await timed(prober.probe(at(server.port, httpCheck({ method: 'HEAD', timeout }))));
      expect(finding).toEqual({ status: 'passing', reason: 'answered 200' });
      expect(ms).toBeLessThan(TIMEOUT_MS);
      await sleep(30);
    }
  });
});

describe('SEC4: a connection that is kept', () => {
  test('is closed when the target talks without being asked', async () => {
    const server = await bench.raw((socket) => {
      socket.on('data', () => {
        socket.write(`${OK}content-length: 0\r\n\r\n`);
        setTimeout(() => flood(socket, Buffer.alloc(65_536, 'x'), 1024 ** 3), 20);
      });
    });
    const prober = bench.prober();
    expect((await prober.probe(at(server.port, httpCheck()))).status).toBe('passing');
    await sleep(10);
    expect(server.open.size).toBe(1);
    await sleep(60);
    expect(server.open.size).toBe(0);
    expect((await prober.probe(at(server.port, httpCheck()))).status).toBe('passing');
  });
});

describe('SEC4: text from targets cannot lie to terminals, logs and pages', () => {
  test('a body is one short line without control characters', async () => {
    const server = await bench.http((_, response) => {
      response.statusCode = 500;
      response.end(
        `\u001b[31mred\u001b[0m \r\n\t<b>down</b>\u0000 \u202Eevil\u2066 \u200Bzero\uFEFF\u2028line\u0085${'é'.repeat(500)}`,
      );
    });
    const { reason } = await bench.prober().probe(at(server.port, httpCheck()));
    const said = reason.split('answered 500: ')[1] ?? '';
    expect(said).toMatch(/^\[31mred \[0m <b>down<\/b> evil zero line é+…$/);
    expect(said.length).toBe(100);
  });

  test('bytes that are no text say nothing', async () => {
    const server = await bench.http((_, response) => {
      response.statusCode = 500;
      response.end(Buffer.alloc(300, 0xfe));
    });
    const { reason } = await bench.prober().probe(at(server.port, httpCheck()));
    expect(reason).toMatch(/answered 500$/);
  });

  test('a character is not cut in half, and a reason has at most 300 characters', async () => {
    const server = await bench.http((_, response) => {
      response.writeHead(302, { location: `/${'a'.repeat(2000)}` }).end();
    });
    const path = `/${'{serviceId}'.repeat(90)}`;
    const moved = await bench.prober().probe(at(server.port, httpCheck({ path })));
    expect(moved.reason.length).toBeLessThanOrEqual(300);
    expect(moved.reason).toMatch(/… answered 302: the redirect to \/a+… is not followed$/);
    const emoji = await bench.http((_, response) => {
      response.statusCode = 500;
      response.end(`${'a'.repeat(98)}${'😀'.repeat(9)}`);
    });
    const { reason } = await bench.prober().probe(at(emoji.port, httpCheck()));
    expect(reason).toMatch(/: a{98}…$/);
  });
});

describe('INS1: many targets at once', () => {
  test('two hundred that hang are all told in time, and a good one among them is not delayed', async () => {
    const [hanging, good] = [await bench.raw(silent), await bench.http((_, response) => response.end())];
    const prober = bench.prober();
    const all = Array.from({ length: 200 }, (_, i) => {
      const check = i % 4 === 0 ? grpcCheck({ timeout: '1s' }) : httpCheck({ timeout: '1s' });
      return timed(prober.probe(at(hanging.port, check)));
    });
    await sleep(300);
    const { finding, ms } = await timed(prober.probe(at(good.port, httpCheck())));
    expect(finding.status).toBe('passing');
    expect(ms).toBeLessThan(1000);
    for (const each of await Promise.all(all)) {
      expect(each.finding).toEqual({ status: 'critical', reason: 'no answer within 1s' });
      expect(each.ms).toBeLessThan(2500);
    }
  });
});
