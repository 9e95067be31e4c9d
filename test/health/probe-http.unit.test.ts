import { afterEach, describe, expect, test } from '@jest/globals';
import type { IncomingHttpHeaders } from 'node:http';
import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises';
import type { HttpCheck } from '../../src/domain/instances/check.ts';
import { at, Bench, httpCheck, silent, tcpCheck, timed } from './targets.ts';

const bench = new Bench();
afterEach(() => bench.close());

/** A server that answers `/<status>` with that status. */
const statuses = () =>
  bench.http((request, response) => {
    response.statusCode = Number(request.url?.slice(1));
    response.end(response.statusCode === 204 || response.statusCode === 304 ? undefined : `said "${request.url}"`);
  });

describe('what an HTTP answer says', () => {
  test.each([
    [200, 'passing'],
    [201, 'passing'],
    [204, 'passing'],
    [299, 'passing'],
    [304, 'critical'],
    [400, 'critical'],
    [401, 'critical'],
    [404, 'critical'],
    [429, 'warning'],
    [500, 'critical'],
    [503, 'critical'],
    [599, 'critical'],
  ])('%i is %s', async (code, status) => {
    const { port } = await statuses();
    const finding = await bench.prober().probe(at(port, httpCheck({ path: `/${code}` })));
    const asked = `GET http://127.0.0.1:${port}/${code} answered ${code}`;
    const said = code === 304 ? asked : `${asked}: said "/${code}"`;
    expect(finding).toEqual({ status, reason: status === 'critical' ? said : `answered ${code}` });
  });

  test.each([
    [['204'], 204, 'passing'],
    [['204'], 200, 'critical'],
    [['200-299'], 299, 'passing'],
    [['200-299'], 300, 'critical'],
    [['200', '400-404'], 401, 'passing'],
    [['200', '400-404'], 405, 'critical'],
    [['429'], 429, 'passing'],
    [['200'], 429, 'critical'],
    [['302'], 302, 'passing'],
    [['500-599'], 503, 'passing'],
    [[], 200, 'critical'],
  ])('where %j is expected, %i is %s', async (expectedStatuses, code, status) => {
    const { port } = await statuses();
    const finding = await bench.prober().probe(at(port, httpCheck({ path: `/${code}`, expectedStatuses })));
    expect(finding.status).toBe(status);
  });

  test.each(['GET', 'HEAD', 'OPTIONS'] as const)('%s is asked', async (method) => {
    const seen: (string | undefined)[] = [];
    const { port } = await bench.http((request, response) => {
      seen.push(request.method);
      response.end('ok');
    });
    expect(await bench.prober().probe(at(port, httpCheck({ method })))).toEqual({
      status: 'passing',
      reason: 'answered 200',
    });
    expect(seen).toEqual([method]);
  });
});

describe('what is asked', () => {
  async function asked(own: Partial<HttpCheck>, address?: string): Promise<[string, IncomingHttpHeaders, number]> {
    let seen: [string, IncomingHttpHeaders] = ['', {}];
    const { port } = await bench.http(
      (request, response) => {
        seen = [request.url ?? '', request.headers];
        response.end();
      },
      address === '::1' ? '::1' : undefined,
    );
    const prober = bench.prober({ lookup: async () => ['127.0.0.1'] });
    const finding = await prober.probe(at(port, httpCheck(own), address));
    expect(finding).toEqual({ status: 'passing', reason: 'answered 200' });
    return [...seen, port];
  }

  test('the registered address as the host, and who asks', async () => {
    const [path, headers, port] = await asked({});
    expect(path).toBe('/health');
    expect(headers).toEqual({
      host: `127.0.0.1:${port}`,
      'user-agent': 'signalbox-check',
      accept: '*/*',
      connection: 'keep-alive',
    });
  });

  test('a name stays the host, whatever it resolves to', async () => {
    const [, headers, port] = await asked({}, 'iam.internal');
    expect(headers.host).toBe(`iam.internal:${port}`);
  });

  test('an IPv6 address is connected to, and in brackets as the host', async () => {
    const [, headers, port] = await asked({}, '::1');
    expect(headers.host).toBe(`[::1]:${port}`);
  });

  test('the headers of the check, but none that belong to the connection', async () => {
    const headers = { authorization: 'Bearer x', host: 'other.example', 'user-agent': 'mine', 'x-a': 'b' };
    const connection = { connection: 'close', 'transfer-encoding': 'chunked', expect: '100-continue', te: 'trailers' };
    const [, seen] = await asked({ headers: { ...headers, ...connection, upgrade: 'h2c', 'content-length': '5' } });
    expect(seen).toEqual({ ...headers, accept: '*/*', connection: 'keep-alive' });
  });

  test('INS6: the id of the service stands in the path', async () => {
    const [path] = await asked({ path: '/health/{serviceId}?of={serviceId}&$&' });
    expect(path).toBe('/health/iam.example?of=iam.example&$&');
  });

  test('INS6: an id with odd characters cannot change the path', async () => {
    let seen = '';
    const { port } = await bench.http((request, response) => {
      seen = request.url ?? '';
      response.end();
    });
    const target = { ...at(port, httpCheck({ path: '/health/{serviceId}' })), service: '../$& x?y#z\r\nA: b' };
    expect((await bench.prober().probe(target)).status).toBe('passing');
    expect(seen).toBe('/health/..%2F%24%26%20x%3Fy%23z%0D%0AA%3A%20b');
  });

  test("the check's own port, where it has one", async () => {
    const { port } = await statuses();
    const unused = await bench.unusedPort();
    const prober = bench.prober();
    expect((await prober.probe(at(unused, httpCheck({ path: '/200', port })))).status).toBe('passing');
    expect((await prober.probe(at(unused, tcpCheck({ port })))).status).toBe('passing');
    expect((await prober.probe(at(port, tcpCheck({ port: unused })))).status).toBe('critical');
  });

  test.each([
    ['a header', { headers: { 'x-a': 'b\r\nx-c: d' } }],
    ['the name of a header', { headers: { 'x a': 'b' } }],
    ['a path', { path: '/a b\r\nX: y' }],
    ['a timeout', { timeout: 'soon' }],
  ])('%s that cannot be sent is critical and sends nothing', async (_, own) => {
    const server = await statuses();
    const finding = await bench.prober().probe(at(server.port, httpCheck(own)));
    expect(finding.status).toBe('critical');
    expect(finding.reason).toMatch(/^the check failed: /);
    expect(server.connections).toBe(0);
  });
});

describe('SEC4: redirects', () => {
  test.each([301, 302, 303, 307, 308])('%i is critical, says where to, and is not followed', async (code) => {
    const elsewhere = await statuses();
    const { port } = await bench.http((_, response) => {
      response.writeHead(code, { location: `http://127.0.0.1:${elsewhere.port}/200` }).end('moved');
    });
    const finding = await bench.prober().probe(at(port, httpCheck()));
    expect(finding).toEqual({
      status: 'critical',
      reason: `GET http://127.0.0.1:${port}/health answered ${code}: the redirect to http://127.0.0.1:${elsewhere.port}/200 is not followed`,
    });
    await sleep(20);
    expect(elsewhere.connections).toBe(0);
  });
});

describe('connections', () => {
  test('one connection serves twenty checks', async () => {
    const server = await statuses();
    const prober = bench.prober();
    for (let i = 0; i < 20; i++) {
      const { status } = await prober.probe(at(server.port, httpCheck({ path: i % 2 === 0 ? '/200' : '/503' })));
      expect(status).toBe(i % 2 === 0 ? 'passing' : 'critical');
      // The body comes after the finding, and with it the end of the answer.
      await sleep(1);
    }
    expect(server.connections).toBe(1);
  });

  test('a connection that the target closes just when it is used again is no failure', async () => {
    const server = await bench.raw((socket) => {
      let requests = 0;
      socket.on('data', () => {
        requests += 1;
        if (requests === 1) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
        else socket.resetAndDestroy();
      });
    });
    const prober = bench.prober();
    for (let i = 0; i < 5; i++) {
      const finding = await prober.probe(at(server.port, httpCheck()));
      expect(finding).toEqual({ status: 'passing', reason: 'answered 200' });
      await sleep(5);
    }
    expect(server.connections).toBe(5);
  });

  test('a target that closes every connection without an answer is tried once more at most', async () => {
    let answers = true;
    const server = await bench.raw((socket) => {
      socket.on('data', () => {
        if (answers) socket.write('HTTP/1.1 204 No Content\r\n\r\n');
        else socket.destroy();
      });
    });
    const prober = bench.prober();
    await prober.probe(at(server.port, httpCheck()));
    await sleep(5);
    answers = false;
    const finding = await prober.probe(at(server.port, httpCheck()));
    expect(finding.reason).toBe(
      `GET http://127.0.0.1:${server.port}/health: the connection was closed without an answer`,
    );
    expect(server.connections).toBe(2);
  });

  test('the second try is on a new connection, though another one is idle', async () => {
    const server = await bench.raw((socket) => {
      const worn = server.connections <= 2;
      let requests = 0;
      socket.on('data', () => {
        requests += 1;
        if (requests === 1 || !worn) socket.write('HTTP/1.1 204 No Content\r\n\r\n');
        else setTimeout(() => socket.destroy(), 30);
      });
    });
    const prober = bench.prober();
    await prober.probe(at(server.port, httpCheck()));
    await sleep(5);
    const [first, second] = await Promise.all([1, 2].map(() => prober.probe(at(server.port, httpCheck()))));
    expect([first?.status, second?.status]).toEqual(['passing', 'passing']);
    expect(server.connections).toBe(3);
  });

  test('the second try has only what is left of the time', async () => {
    const server = await bench.raw((socket) => {
      if (server.connections > 1) return;
      socket.once('data', () => {
        socket.write('HTTP/1.1 204 No Content\r\n\r\n');
        socket.once('data', () => setTimeout(() => socket.destroy(), 150));
      });
    });
    const prober = bench.prober();
    const check = httpCheck({ timeout: '250ms' });
    await prober.probe(at(server.port, check));
    await sleep(5);
    const { finding, ms } = await timed(prober.probe(at(server.port, check)));
    expect(finding.reason).toBe('no answer within 250ms');
    expect(ms).toBeLessThan(1500);
    expect(server.connections).toBe(2);
  });

  test('a target that is forgotten is let go, and others are not', async () => {
    const [server, other] = [await statuses(), await statuses()];
    const prober = bench.prober();
    for (const { port } of [server, other]) await prober.probe(at(port, httpCheck({ path: '/200' })));
    await sleep(20);
    expect([server.open.size, other.open.size]).toEqual([1, 1]);
    prober.forget({ address: '127.0.0.1', port: server.port });
    prober.forget({ address: '127.0.0.1', port: 1 });
    await sleep(20);
    expect([server.open.size, other.open.size]).toEqual([0, 1]);
    expect((await prober.probe(at(server.port, httpCheck({ path: '/200' })))).status).toBe('passing');
  });

  test('a check that is under way while its target is forgotten goes on, and its connection is not kept', async () => {
    const server = await bench.http((_, response) => setTimeout(() => response.end(), 50));
    const prober = bench.prober();
    const finding = prober.probe(at(server.port, httpCheck()));
    await sleep(20);
    prober.forget({ address: '127.0.0.1', port: server.port });
    expect((await finding).status).toBe('passing');
    await sleep(20);
    expect(server.open.size).toBe(0);
  });

  test('a slow check does not hold up another one of the same address and port', async () => {
    const server = await bench.http((request, response) => {
      if (request.url === '/fast') response.end();
    });
    const prober = bench.prober();
    const slow = prober.probe(at(server.port, httpCheck({ path: '/slow', timeout: '200ms' })));
    await sleep(10);
    const { finding, ms } = await timed(prober.probe(at(server.port, httpCheck({ path: '/fast' }))));
    expect(finding.status).toBe('passing');
    expect(ms).toBeLessThan(1000);
    expect((await slow).reason).toBe('no answer within 200ms');
  });

  test('INS1: what was answered in time while this process stood still is read before the time is up', async () => {
    const target = await bench.apart(100);
    const finding = bench.prober().probe(at(target.port, httpCheck({ timeout: '400ms' })));
    while (target.asked() === 0) await sleep(5);
    // Timers are what comes next after an immediate.
    await immediate();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 800);
    expect(await finding).toEqual({ status: 'passing', reason: 'answered 200' });
  });

  test('closing ends what is under way and lets go of everything; nothing is checked after it', async () => {
    const hanging = await bench.raw(silent);
    const server = await statuses();
    const prober = bench.prober();
    await prober.probe(at(server.port, httpCheck({ path: '/200' })));
    const under = prober.probe(at(hanging.port, httpCheck()));
    await sleep(20);
    prober.close();
    prober.close();
    expect((await under).reason).toBe('Signalbox has stopped checking');
    await sleep(20);
    expect([server.open.size, hanging.open.size]).toEqual([0, 0]);
    expect((await prober.probe(at(server.port, httpCheck({ path: '/200' })))).status).toBe('critical');
    expect(server.connections).toBe(1);
  });
});

describe('a TCP check', () => {
  test('passes when a connection is accepted, and closes it at once', async () => {
    const server = await bench.raw(silent);
    const finding = await bench.prober().probe(at(server.port, tcpCheck()));
    expect(finding).toEqual({ status: 'passing', reason: 'accepted a connection' });
    await sleep(20);
    expect([server.connections, server.open.size]).toEqual([1, 0]);
  });

  test('is critical when nobody listens', async () => {
    const port = await bench.unusedPort();
    const prober = bench.prober();
    expect(await prober.probe(at(port, tcpCheck()))).toEqual({ status: 'critical', reason: 'connection refused' });
    const { reason } = await prober.probe(at(port, httpCheck()));
    expect(reason).toBe(`GET http://127.0.0.1:${port}/health: connection refused`);
  });

  test('reaches IPv6', async () => {
    const server = await bench.raw(silent, '::1');
    expect((await bench.prober().probe(at(server.port, tcpCheck(), '::1'))).status).toBe('passing');
  });
});
