import { afterEach, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { createResolver, type Lookup } from '../../src/health/resolve.ts';
import { at, Bench, grpcCheck, httpCheck, silent, tcpCheck, timed } from './targets.ts';

const bench = new Bench();
afterEach(() => bench.close());

const METADATA = '169.254.169.254';
const NAME = 'iam.internal';

describe('SEC4: the address that was judged is the one that is connected to', () => {
  test.each([httpCheck(), httpCheck({ tls: true }), tcpCheck(), grpcCheck(), grpcCheck({ tls: true })])(
    'a denied address is not connected to, by itself or by a name: $type',
    async (check) => {
      const server = await bench.raw(silent);
      const prober = bench.prober({ policy: { allowLoopback: false }, lookup: async () => ['127.0.0.1', METADATA] });
      expect(await prober.probe(at(server.port, check))).toEqual({
        status: 'critical',
        reason: 'the egress policy denies 127.0.0.1 because it is a loopback address',
      });
      expect(await prober.probe(at(server.port, check, NAME))).toEqual({
        status: 'critical',
        reason: `the egress policy denies ${NAME}, which is 127.0.0.1, because it is a loopback address`,
      });
      for (const spelling of ['::ffff:127.0.0.1', '::ffff:7f00:1', '64:ff9b::7f00:1', '2002:7f00:1::'])
        expect((await prober.probe(at(server.port, check, spelling))).reason).toMatch(/a loopback address$/);
      expect(server.connections).toBe(0);
    },
  );

  test('of several addresses the first that is allowed is taken', async () => {
    const server = await bench.raw(silent);
    const prober = bench.prober({
      lookup: async () => [METADATA, 'fe80::1%lo', '10.0.0.1', '127.0.0.1', '::1'],
      policy: { deny: ['10.0.0.0/8'] },
    });
    expect((await prober.probe(at(server.port, tcpCheck(), NAME))).status).toBe('passing');
    expect(server.connections).toBe(1);
  });

  test.each([httpCheck(), tcpCheck(), grpcCheck({ timeout: '100ms' })])(
    'a name that changes after it was judged is not resolved again: $type',
    async (check) => {
      let lookups = 0;
      const lookup: Lookup = async () => {
        lookups += 1;
        return lookups === 1 ? ['127.0.0.1'] : [METADATA];
      };
      const server = await bench.http((_, response) => response.end());
      await bench.prober({ lookup }).probe(at(server.port, check, NAME));
      expect([server.connections, lookups]).toEqual([1, 1]);
    },
  );

  test('a connection that is kept to an address that the name no longer has is not used', async () => {
    let clock = 0;
    let address = '127.0.0.1';
    const server = await bench.http((_, response) => response.end());
    const resolver = createResolver({ now: () => clock, lookup: async () => [address] });
    const prober = bench.prober({ resolver });
    const target = at(server.port, httpCheck(), NAME);
    for (let i = 0; i < 3; i++) {
      expect((await prober.probe(target)).status).toBe('passing');
      await sleep(5);
    }
    expect(server.connections).toBe(1);
    clock += 11_000;
    address = METADATA;
    expect((await prober.probe(target)).reason).toMatch(/^the egress policy denies iam.internal, which is 169/);
    clock += 11_000;
    // Nobody listens on this address of the machine.
    address = '127.0.0.9';
    expect((await prober.probe(target)).reason).toMatch(/connection refused$/);
  });

  test.each(['0x7f.1', '2130706433', '127.1', '0177.0.0.1', 'localhost', 'LOCALHOST'])(
    'as the operating system resolves it, "%s" is loopback',
    async (address) => {
      const server = await bench.raw(silent);
      const denied = await bench
        .prober({ policy: { allowLoopback: false } })
        .probe(at(server.port, tcpCheck(), address));
      expect(denied.reason).toMatch(/ because it is a loopback address$/);
      expect(server.connections).toBe(0);
      const allowed = await bench.prober().probe(at(server.port, tcpCheck(), address));
      expect(allowed.status).toBe('passing');
    },
  );

  test('what a lookup says that is no address is not connected to', async () => {
    const prober = bench.prober({ lookup: async () => ['localhost'] });
    expect((await prober.probe(at(1, tcpCheck(), NAME))).reason).toBe(
      `the egress policy denies ${NAME}, which is localhost, because it is no IP address`,
    );
  });
});

describe('names', () => {
  const failing =
    (code: string): Lookup =>
    async () => {
      throw Object.assign(new Error('lookup failed'), { code });
    };

  test.each<[string, Lookup, string]>([
    ['does not exist', failing('ENOTFOUND'), `the name ${NAME} does not exist`],
    ['cannot be resolved now', failing('EAI_AGAIN'), `the name ${NAME} could not be resolved`],
    ['has no address', async () => [], `the name ${NAME} has no address`],
  ])('one that %s is critical', async (_, lookup, reason) => {
    expect(await bench.prober({ lookup }).probe(at(1, tcpCheck(), NAME))).toEqual({ status: 'critical', reason });
  });

  test('INS1: one whose lookup hangs is critical in time, and targets with addresses are not delayed', async () => {
    const lookup: Lookup = () => new Promise(() => undefined);
    const server = await bench.raw(silent);
    const prober = bench.prober({ lookup });
    const hanging = Array.from({ length: 20 }, (_, i) =>
      timed(prober.probe(at(server.port, tcpCheck({ timeout: '200ms' }), `${i}.internal`))),
    );
    expect((await prober.probe(at(server.port, tcpCheck()))).status).toBe('passing');
    for (const { finding, ms } of await Promise.all(hanging)) {
      expect(finding.reason).toMatch(/^the name \d+.internal was not resolved in time$/);
      expect(ms).toBeLessThan(1500);
    }
  });

  test('IP addresses are never looked up', async () => {
    const resolver = createResolver({ now: () => 0, lookup: failing('ENOTFOUND') });
    for (const ip of ['127.0.0.1', '::1', '::ffff:1.2.3.4', 'fe80::1%lo'])
      expect(await resolver.resolve(ip, 100)).toEqual({ addresses: [ip] });
  });

  test('what was found is kept for ten seconds, and that nothing was for one', async () => {
    let clock = 1000;
    let lookups = 0;
    let lookup: Lookup = async () => [`10.0.0.${lookups}`];
    const resolver = createResolver({ now: () => clock, lookup: (host) => ((lookups += 1), lookup(host)) });
    const after = async (ms: number) => {
      clock += ms;
      return resolver.resolve(NAME, 100);
    };
    expect(await after(0)).toEqual({ addresses: ['10.0.0.1'] });
    expect(await after(9999)).toEqual({ addresses: ['10.0.0.1'] });
    expect(await after(1)).toEqual({ addresses: ['10.0.0.2'] });
    lookup = failing('ENOTFOUND');
    expect(await after(10_000)).toEqual({ reason: `the name ${NAME} does not exist` });
    expect(lookups).toBe(3);
    expect(await after(999)).toHaveProperty('reason');
    expect(lookups).toBe(3);
    expect(await after(1)).toHaveProperty('reason');
    expect(lookups).toBe(4);
  });

  test('while DNS does not answer, what it said last serves for a minute', async () => {
    let clock = 0;
    let lookup: Lookup = async () => ['10.0.0.1'];
    const resolver = createResolver({ now: () => clock, lookup: (host) => lookup(host) });
    await resolver.resolve(NAME, 100);
    for (const outage of [failing('EAI_AGAIN'), () => new Promise<never>(() => undefined)]) {
      lookup = outage;
      clock += 20_000;
      expect(await resolver.resolve(NAME, 200)).toEqual({ addresses: ['10.0.0.1'] });
    }
    clock += 20_000;
    expect(await resolver.resolve(NAME, 50)).toEqual({ reason: `the name ${NAME} was not resolved in time` });
  });

  test('those who ask for the same name share a lookup, and two names at most are looked up at once', async () => {
    const running = new Set<string>();
    const order: string[] = [];
    let most = 0;
    const lookup: Lookup = async (host) => {
      order.push(host);
      running.add(host);
      most = Math.max(most, running.size);
      await sleep(2);
      running.delete(host);
      return ['10.0.0.1'];
    };
    const resolver = createResolver({ now: () => 0, lookup });
    const names = Array.from({ length: 30 }, (_, i) => `${i % 10}.internal`);
    await Promise.all(names.map((name) => resolver.resolve(name, 1000)));
    expect(most).toBe(2);
    expect(order).toEqual(names.slice(0, 10));
  });

  test('a name that nobody waits for any more is not looked up', async () => {
    const order: string[] = [];
    const release: (() => void)[] = [];
    const lookup: Lookup = (host) => {
      order.push(host);
      return new Promise((resolve) => release.push(() => resolve(['10.0.0.1'])));
    };
    const resolver = createResolver({ now: () => 0, lookup });
    await Promise.all(['a', 'b', 'c', 'd'].map((name) => resolver.resolve(name, 20)));
    const late = resolver.resolve('e', 1000);
    for (const each of release.splice(0)) each();
    await sleep(5);
    for (const each of release.splice(0)) each();
    expect(await late).toEqual({ addresses: ['10.0.0.1'] });
    expect(order).toEqual(['a', 'b', 'e']);
    // What came too late for those who waited serves those who ask next.
    expect(await resolver.resolve('a', 20)).toEqual({ addresses: ['10.0.0.1'] });
  });
});
