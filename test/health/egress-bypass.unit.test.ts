import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createServer, type RequestListener } from 'node:http';
import { gzipSync } from 'node:zlib';
import type { ActiveCheck } from '../../src/domain/instances/check.ts';
import type { Prober } from '../../src/health/probe.ts';
import { createResolver } from '../../src/health/resolve.ts';
import { DnsServer } from './dns-server.ts';
import { at, Bench, grpcCheck, httpCheck, tcpCheck, type Running } from './targets.ts';

/** What nothing may reach: a real server, as a metadata service would be one. */
const SECRET = '127.0.0.66';
/** The same, inside IPv6 addresses, in full. */
const MAPPED = '0:0:0:0:0:ffff:7f00:42';
const NAT64 = '64:ff9b:0:0:0:0:7f00:42';
const SIX_TO_FOUR = '2002:7f00:42:0:0:0:0:1';
const NAME = 'orders.test';

const bench = new Bench();
let dns: DnsServer;
let secret: Running;
let clock: number;
beforeEach(async () => {
  clock = 0;
  dns = await DnsServer.open();
  bench.onClose(() => dns.close());
  // Its port is needed at another address too, where somebody else may have it.
  do secret = await bench.http((_, response) => response.end('secret'), SECRET);
  while (!(await isFree(secret.port)));
});
afterEach(() => bench.close());

function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  return new Promise((resolve) => {
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

/** Whoever is allowed, at the port of the secret. */
async function allowed(listener: RequestListener = (_, response) => void response.end()): Promise<() => number> {
  const server = createServer(listener);
  let connections = 0;
  server.on('connection', () => (connections += 1));
  await new Promise<void>((resolve) => server.listen(secret.port, '127.0.0.1', resolve));
  bench.onClose(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(() => resolve()));
  });
  return () => connections;
}

const prober = (): Prober =>
  bench.prober({
    policy: { deny: [`${SECRET}/32`] },
    resolver: createResolver({ now: () => clock, lookup: dns.lookup() }),
  });

const CHECKS: ActiveCheck[] = [
  httpCheck(),
  httpCheck({ tls: true }),
  tcpCheck(),
  grpcCheck(),
  grpcCheck({ tls: true }),
];

describe('SEC4: names that lead elsewhere', () => {
  test.each(CHECKS)('to the secret alone, however it is written: $type', async (check) => {
    for (const records of [[SECRET], [MAPPED], [NAT64], [SIX_TO_FOUR], [SECRET, MAPPED]]) {
      dns.zone[NAME] = records;
      const { status, reason } = await prober().probe(at(secret.port, check, NAME));
      expect(status).toBe('critical');
      expect(reason).toMatch(
        /^the egress policy denies orders.test, which is .* because it is in a range that is denied/,
      );
    }
    expect(secret.connections).toBe(0);
  });

  test('to two addresses, first an allowed one and then the secret, or the other way round', async () => {
    const connections = await allowed();
    for (const records of [
      ['127.0.0.1', SECRET],
      [SECRET, '127.0.0.1'],
      [MAPPED, '127.0.0.1'],
    ]) {
      dns.zone[NAME] = records;
      expect((await prober().probe(at(secret.port, httpCheck(), NAME))).status).toBe('passing');
    }
    expect([connections(), secret.connections]).toEqual([3, 0]);
  });

  test('to an allowed address that refuses, so that the next would be tried', async () => {
    dns.zone[NAME] = ['127.0.0.1', SECRET];
    const found = await prober().probe(at(secret.port, tcpCheck(), NAME));
    expect(found).toMatchObject({ status: 'critical', reason: expect.stringContaining('refused') });
    expect(secret.connections).toBe(0);
  });

  test('along a chain of CNAMEs', async () => {
    dns.zone[NAME] = ['CNAME a.test', 'CNAME b.test', 'CNAME metadata.internal', SECRET];
    const { reason } = await prober().probe(at(secret.port, httpCheck(), NAME));
    expect(reason).toContain(`denies ${NAME}, which is ${SECRET},`);
    expect(secret.connections).toBe(0);
  });

  test.each(CHECKS)('rebinding: allowed when it is judged, the secret a moment later: $type', async (check) => {
    const connections = await allowed();
    dns.zone[NAME] = (time) => (time === 1 ? ['127.0.0.1'] : [SECRET]);
    const one = prober();
    const target = at(secret.port, { ...check, timeout: '300ms' }, NAME);
    for (let i = 0; i < 3; i++) await one.probe(target);
    expect(dns.asked).toEqual(expect.arrayContaining([`A ${NAME}`, `AAAA ${NAME}`]));
    expect(dns.asked).toHaveLength(2);
    expect(connections()).toBeGreaterThan(0);
    // It is asked again, and judged again, although a connection to the first may be kept.
    clock += 11_000;
    expect((await one.probe(target)).reason).toContain(`denies ${NAME}, which is ${SECRET},`);
    expect(secret.connections).toBe(0);
  });

  test('more addresses than anybody has: some are tried, and none that is denied', async () => {
    dns.zone[NAME] = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? SECRET : `127.0.1.${i}`));
    await prober().probe(at(secret.port, tcpCheck(), NAME));
    expect(secret.connections).toBe(0);
  });
});

describe('SEC4: other writings of the address, as the operating system reads them', () => {
  test.each([
    '2130706498',
    '0x7f000042',
    '0x7f.0x0.0x0.0x42',
    '0177.0.0.0102',
    '017700000102',
    '127.0.66',
    '127.66',
    '127.0.0.066',
    '127.0.0.66.',
    '127.000.000.066',
    '::ffff:127.0.0.66',
    '::FFFF:7F00:42',
    '0:0:0:0:0:ffff:127.0.0.66',
    '::127.0.0.66',
    '::ffff:0:127.0.0.66',
    '64:ff9b::127.0.0.66',
    '64:ff9b:1::127.0.0.66',
    '2002:7f00:42::',
    'fe80::5efe:127.0.0.66',
    '2001:db8::200:5efe:127.0.0.66',
    '::ffff:127.0.0.66%lo',
    '１２７.0.0.66',
    '127。0。0。66',
    'user@127.0.0.66',
    'allowed.test@127.0.0.66',
    '127.0.0.66#@127.0.0.1',
    '[127.0.0.66]',
    '[::ffff:7f00:42]',
    '127.0.0.66\u0000.test',
    '127.0.0.66 ',
  ])('%s', async (address) => {
    const one = bench.prober({ policy: { deny: [`${SECRET}/32`] } });
    for (const check of CHECKS) expect((await one.probe(at(secret.port, check, address))).status).toBe('critical');
    expect(secret.connections).toBe(0);
  });
});

describe('SEC4: answers that lead elsewhere, or nowhere', () => {
  test.each([
    [301, {}],
    [302, {}],
    [303, {}],
    [307, {}],
    [308, {}],
    [200, {}],
    [200, { refresh: '0' }],
    [305, {}],
  ])('%i with a Location is not followed', async (status, more) => {
    const connections = await allowed((_, response) => {
      const location = `http://${SECRET}:${secret.port}/latest/meta-data`;
      const headers = { location, 'content-location': location, 'alt-svc': `h2="${SECRET}:${secret.port}"` };
      response.writeHead(status, {
        ...headers,
        ...(Object.keys(more).length > 0 && { refresh: `0; url=${location}` }),
      });
      response.end();
    });
    dns.zone[NAME] = ['127.0.0.1'];
    const one = prober();
    for (let i = 0; i < 2; i++) await one.probe(at(secret.port, httpCheck(), NAME));
    expect([connections() > 0, secret.connections]).toEqual([true, 0]);
  });

  test('a proxy that the environment names is not used', async () => {
    const names = ['HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy'];
    const before = names.map((name) => process.env[name]);
    for (const name of names) process.env[name] = `http://${SECRET}:${secret.port}`;
    await allowed();
    dns.zone[NAME] = ['127.0.0.1'];
    const found = await prober().probe(at(secret.port, httpCheck(), NAME));
    names.forEach((name, i) => {
      if (before[i] === undefined) delete process.env[name];
      else process.env[name] = before[i];
    });
    expect([found.status, secret.connections]).toEqual(['passing', 0]);
  });

  test('what is compressed stays so: a bomb is some bytes that nobody reads to the end', async () => {
    const bomb = gzipSync(Buffer.alloc(200 * 1024 * 1024), { level: 9 });
    let asked: string | undefined;
    await allowed((request, response) => {
      asked = String(request.headers['accept-encoding']);
      response.writeHead(500, { 'content-encoding': 'gzip', 'content-type': 'text/plain' });
      response.end(bomb);
    });
    dns.zone[NAME] = ['127.0.0.1'];
    const before = process.memoryUsage().rss;
    const { status, reason } = await prober().probe(at(secret.port, httpCheck(), NAME));
    expect([status, asked]).toEqual(['critical', 'undefined']);
    expect(reason.length).toBeLessThan(300);
    expect(process.memoryUsage().rss - before).toBeLessThan(50 * 1024 * 1024);
  });
});
