import { describe, expect, test } from '@jest/globals';
import { networkOf, RateLimits, type RateLimitSettings } from '../../src/auth/rate-limits.ts';
import { rateClassOf } from '../../src/auth/rate-class.ts';
import type { Caller } from '../../src/domain/command.ts';
import { RATE_CLASSES } from '../../src/domain/rate.ts';

const account = (name: string, subject = name): Caller => ({
  kind: 'serviceAccount',
  subject,
  account: `projects/core/service-accounts/${name}`,
});
const person = (subject: string): Caller => ({
  kind: 'person',
  subject,
  reader: true,
  owns: { apiIds: [], services: [], groups: [] },
});
const ADMIN: Caller = { kind: 'administrator', subject: 'root' };
const one = { perSecond: 1, burst: 1 };

function open(settings: RateLimitSettings, maxRemembered = 100) {
  const world = { now: 0, lag: 0, refused: [] as string[] };
  const limits = new RateLimits({
    settings,
    now: () => world.now,
    lag: () => world.lag,
    refused: (rateClass, why) => world.refused.push(`${rateClass} ${why}`),
    maxRemembered,
  });
  return { limits, world };
}

const ALL = Object.fromEntries(RATE_CLASSES.map((rateClass) => [rateClass, one]));

describe('limits of callers', () => {
  test('each caller has a bucket for each class, and none of another', () => {
    const { limits, world } = open({ rates: ALL });
    for (const rateClass of RATE_CLASSES) {
      for (const caller of [account('a'), account('b'), person('p'), ADMIN]) {
        expect(limits.caller(caller, rateClass)).toBeUndefined();
        expect(limits.caller(caller, rateClass)).toEqual({ why: 'caller', rateClass, waitMs: 1000 });
      }
    }
    expect(world.refused).toHaveLength(20);
    world.now += 1000;
    expect(limits.caller(account('a'), 'write')).toBeUndefined();
  });

  test('the tokens and sockets of one caller share its bucket; callers of one subject do not', () => {
    const { limits } = open({ rates: ALL });
    expect(limits.caller(account('a', 'one token'), 'list')).toBeUndefined();
    expect(limits.caller(account('a', 'another'), 'list')).toBeDefined();
    expect(limits.caller(person('projects/core/service-accounts/b'), 'list')).toBeUndefined();
    expect(limits.caller(account('b'), 'list')).toBeUndefined();
  });

  test('a class without a rate is not limited', () => {
    const { limits, world } = open({ rates: { write: one } });
    for (let i = 0; i < 100; i++) expect(limits.caller(account('a'), 'read')).toBeUndefined();
    for (let i = 0; i < 100; i++) expect(limits.unknown('10.0.0.1')).toBeUndefined();
    expect(world.refused).toEqual([]);
  });

  test('a node that is late serves leases longest, and administrators always', () => {
    const { limits, world } = open({ rates: {}, bearableLagMs: 100 });
    const served = () => RATE_CLASSES.filter((rateClass) => limits.caller(account('a'), rateClass) === undefined);
    world.lag = 500;
    expect(served()).toEqual(['renew', 'resume']);
    expect(limits.caller(account('a'), 'write')).toMatchObject({ why: 'node', waitMs: 1000 });
    expect(limits.caller(ADMIN, 'write')).toBeUndefined();
    world.lag = 0;
    expect(served()).toEqual([...RATE_CLASSES]);
  });

  test('who is turned away by the node takes nothing from its own bucket', () => {
    const { limits, world } = open({ rates: ALL, bearableLagMs: 100 });
    world.lag = 500;
    for (let i = 0; i < 10; i++) expect(limits.caller(account('a'), 'write')).toMatchObject({ why: 'node' });
    world.lag = 0;
    expect(limits.caller(account('a'), 'write')).toBeUndefined();
  });
});

describe('limits of addresses', () => {
  test('who is not known is counted by address, and an IPv6 network counts as one', () => {
    const { limits } = open({ rates: {}, unknown: one });
    expect(limits.unknown('10.0.0.1')).toBeUndefined();
    expect(limits.unknown('10.0.0.1')).toMatchObject({ rateClass: 'unknown' });
    expect(limits.unknown('10.0.0.2')).toBeUndefined();
    expect(limits.unknown('2001:db8:1:2::1')).toBeUndefined();
    expect(limits.unknown('2001:db8:1:2:ffff::9')).toBeDefined();
    expect(limits.unknown('2001:db8:1:3::1')).toBeUndefined();
  });

  test.each([
    ['10.0.0.1', '10.0.0.1'],
    ['::ffff:10.0.0.1', '::ffff:10.0.0.1'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8:0:0:1:2:3:4', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['', ''],
  ])('%s is of %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });

  test('strangers, however many, cost bounded memory and do not make the node forget callers', () => {
    const { limits } = open({ rates: ALL, unknown: one }, 10);
    expect(limits.caller(account('a'), 'write')).toBeUndefined();
    for (let i = 0; i < 10_000; i++) limits.unknown(`10.0.${i >> 8}.${i & 255}`);
    expect(limits.caller(account('a'), 'write')).toBeDefined();
    // What is forgotten is full again: that errs on the side of the caller.
    expect(limits.unknown('10.0.0.0')).toBeUndefined();
  });

  test('who keeps asking is not forgotten, whoever else comes', () => {
    const { limits } = open({ rates: ALL }, 10);
    expect(limits.caller(account('a'), 'write')).toBeUndefined();
    for (let i = 0; i < 1000; i++) {
      limits.caller(account(`other-${i}`), 'write');
      expect(limits.caller(account('a'), 'write')).toBeDefined();
    }
  });
});

describe('what a route is for', () => {
  test.each([
    ['POST', '/v1/instances/:instance/renew', 'instance.register', 'renew'],
    ['POST', '/v1/instances/renew', 'instance.register', 'renew'],
    ['POST', '/v1/instances', 'instance.register', 'write'],
    ['DELETE', '/v1/instances/:instance', 'instance.register', 'write'],
    ['GET', '/v1/watch', 'feed.watch', 'resume'],
    ['GET', '/v1/services/:service/instances', 'instance.read', 'read'],
    ['GET', '/v1/services/:service', 'catalog.read', 'read'],
    ['GET', '/v1/instances/:instance/override', 'instance.read', 'read'],
    ['GET', '/v1/services', 'catalog.read', 'list'],
    ['GET', '/v1/services/:service/versions', 'catalog.read', 'list'],
    ['HEAD', '/v1/instances', 'instance.read', 'list'],
    ['GET', '/v1/export', 'catalog.export', 'list'],
    ['GET', '/v1/changes', 'log.read', 'list'],
    ['GET', '/v1/state', 'log.read', 'read'],
    ['GET', '/v1/coverage', 'coverage.read', 'list'],
    ['POST', '/v1/apply', 'catalog.apply', 'write'],
    ['PUT', '/v1/regions/:region', 'catalog.write', 'write'],
    ['GET', '/docs/static/*', 'docs.read', 'read'],
    ['GET', '/livez', 'health.read', undefined],
  ] as const)('%s %s', (method, url, action, expected) => {
    expect(rateClassOf({ method, url, action })).toBe(expected);
  });
});
