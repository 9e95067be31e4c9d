import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { call, type Signalbox } from '../support/signalbox.ts';
import { postgresHome, type Home } from './homes.ts';
import { httpCheck, instance, passingOf, read, register } from './instance-api.ts';
import { Target, type Answering } from './instance-targets.ts';
import { startNode } from './nodes.ts';
import { until } from './until.ts';

/** Every check has come round at least twice. */
const ROUNDS_MS = 1600;
const SECRET = '127.0.0.66';

/** What a test started, ended after it in the reverse order. */
const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

async function listen(address?: string, port?: number): Promise<Target> {
  const target = await Target.listen(address, port);
  leftovers.push(() => target.close());
  return target;
}

describe('a node that may not call everything', () => {
  let home: Home;
  let node: Signalbox;
  beforeAll(async () => {
    home = await postgresHome();
    node = await startNode({ ...home.env, EGRESS_DENY: `${SECRET}/32,127.0.7.0/24` });
  }, 180_000);
  afterAll(async () => {
    await node.stop('SIGKILL');
    await home.drop();
  });

  const post = (service: string, port: number, rest: object) =>
    call(node.url, 'POST', '/v1/instances', instance(service, port, { check: httpCheck(), ...rest }));

  test('SEC4 an instance at an address that is never called, or that EGRESS_DENY names, is refused with a reason', async () => {
    const denied = [
      ['169.254.169.254', 'metadata'],
      ['169.254.1.1', 'link-local'],
      ['fe80::1', 'link-local'],
      ['fd00:ec2::254', 'metadata'],
      ['0.0.0.0', 'unspecified'],
      ['::', 'unspecified'],
      ['224.0.0.1', 'multicast'],
      ['ff02::1', 'multicast'],
      ['255.255.255.255', 'broadcast'],
      ['::ffff:169.254.169.254', 'metadata'],
      ['64:ff9b::a9fe:a9fe', 'metadata'],
      [SECRET, 'range that is denied'],
      [`::ffff:${SECRET}`, 'range that is denied'],
      ['127.0.7.9', 'range that is denied'],
    ];
    for (const type of ['http', 'tcp', 'grpc']) {
      for (const [address, why] of denied) {
        const answer = await post('denied.example.com', 80, { address, check: { type } });
        expect({ address, status: answer.status }).toEqual({ address, status: 400 });
        expect(answer.headers.get('content-type')).toContain('application/problem+json');
        expect(answer.body.errors[0]).toEqual({ pointer: '/address', detail: expect.stringContaining(why ?? '') });
      }
    }
    // Nobody calls an instance with a lease.
    expect((await post('leased.example.com', 80, { address: SECRET, check: { type: 'ttl' } })).status).toBe(201);
    // And what is no address is none.
    for (const address of [
      '[fe80::1]',
      '127.0.0.1:80',
      'http://127.0.0.1',
      '127.0.0.1/32',
      'fe80::1%lo',
      'a b',
      '127.1',
      '0177.0.0.1',
      '2130706433',
    ]) {
      expect({ address, status: (await post('odd.example.com', 80, { address })).status }).toEqual({
        address,
        status: 400,
      });
    }
  });

  test('SEC4 nothing reaches a denied address: not by name, nor by another writing of it, another port, a redirect or a proxy', async () => {
    const secret = await listen(SECRET);
    const { port } = secret;
    const open = await listen('127.0.0.1');
    // What is no address in any book is one to some resolvers.
    for (const address of [
      '0x7f000042',
      '0x7f.0.0.66',
      '127.0.0.0x42',
      '127.0.66',
      '2130706498',
      '0177.0.0.0102',
      '127.0.0.066',
    ]) {
      const { status } = await post('written.example.com', port, { address });
      expect({ address, isAnswered: status === 201 || status === 400 }).toEqual({ address, isAnswered: true });
    }
    const redirect: Answering = (_request, response) => {
      response.writeHead(302, { location: `http://${SECRET}:${port}/latest/meta-data` }).end();
    };
    open.answer = redirect;
    const { id } = await register(node.url, instance('redirects.example.com', open.port, { check: httpCheck() }));
    const other = await listen('127.0.7.7');
    const elsewhere = { ...httpCheck(), port: other.port, headers: { host: `${SECRET}:${port}` } };
    await register(node.url, instance('elsewhere.example.com', open.port, { check: elsewhere }));
    const absolute = httpCheck({ path: `//${SECRET}:${port}/` });
    await register(node.url, instance('absolute.example.com', open.port, { check: absolute }));
    await until('the others were asked', () => open.asked.length > 6);
    await sleep(ROUNDS_MS);
    expect(secret.asked).toEqual([]);
    expect(secret.connections).toBe(0);
    expect(other.asked).toEqual([]);
    const redirected = await read(node.url, id);
    expect(redirected).toMatchObject({ status: 'critical', passing: false });
    expect(redirected.report.lastChecks[0].reason).toContain('302');
    // The path is a path, and not a place.
    expect([...open.paths]).toContain(`//${SECRET}:${port}/`);
  });

  test('SEC4 a check may not carry credentials', async () => {
    for (const name of [
      'authorization',
      'Cookie',
      'Proxy-Authorization',
      'connection',
      'transfer-encoding',
      'expect',
    ]) {
      const answer = await post('headers.example.com', 80, { check: httpCheck({ headers: { [name]: 'x' } }) });
      expect({ name, status: answer.status }).toEqual({ name, status: 400 });
    }
  });
});

describe('a node that may call one network only', () => {
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

  test('SEC4 EGRESS_ALLOW: what it leaves out is not called, by address, by name or from before, and what is always denied it does not allow', async () => {
    const inside = await listen('127.0.0.77');
    const outside = await listen('127.0.0.78', inside.port);
    const local = await listen('127.0.0.1');
    const before = await listen('127.0.0.79');
    const check = httpCheck();
    await register(node.url, instance('before.example.com', before.port, { address: '127.0.0.79', check }));
    await until('it passes', async () => (await passingOf(node.url, 'before.example.com')).length === 1);
    await node.stop();
    const asked = before.asked.length;
    node = await startNode({ ...home.env, EGRESS_ALLOW: '127.0.0.77/32,169.254.0.0/16' });

    await register(node.url, instance('inside.example.com', inside.port, { address: '127.0.0.77', check }));
    for (const address of ['127.0.0.78', '127.0.0.1', '::1', '169.254.169.254', '169.254.7.7']) {
      const body = instance('out.example.com', inside.port, { address, check });
      const { status } = await call(node.url, 'POST', '/v1/instances', body);
      expect({ address, status }).toEqual({ address, status: 400 });
    }
    const named = await register(node.url, instance('named.example.com', local.port, { address: 'localhost', check }));
    await until('it is called', () => inside.asked.length > 2);
    await until('the old one is given up', async () => (await passingOf(node.url, 'before.example.com')).length === 0);
    await sleep(ROUNDS_MS);
    expect(outside.asked).toEqual([]);
    expect(local.asked).toEqual([]);
    expect(local.connections).toBe(0);
    expect(before.asked).toHaveLength(asked);
    const { report, status } = await read(node.url, named.id);
    expect(status).toBe('critical');
    expect(report.lastChecks[0].reason).toMatch(/egress policy denies localhost/);
  }, 60_000);
});
