import { expect, test } from '@jest/globals';
import { Throttle } from '../../src/audit/throttle.ts';
import type { AuditEntry } from '../../src/domain/audit.ts';

const refusal = (more: Partial<AuditEntry> = {}): AuditEntry => ({
  at: 1,
  category: 'refusal',
  subject: 'eve',
  action: 'catalog.write',
  result: 'forbidden',
  address: '10.0.0.7',
  ...more,
});

const throttle = (more = {}): Throttle => new Throttle({ perWindow: 3, windowMs: 60_000, maxSorts: 10, ...more });

test('SEC5 of what is alike a window takes the first few, and says how many more there were', () => {
  const bound = throttle();
  const taken = Array.from({ length: 1203 }, (_, i) => bound.takes(refusal({ at: i, requestId: `r${i}` }), 5));
  expect(taken.map(Number).reduce((sum, n) => sum + n)).toBe(3);
  expect(taken.slice(0, 4)).toEqual([true, true, true, false]);
  expect(bound.summaries(60_004)).toEqual([]);
  expect(bound.summaries(60_005)).toEqual([
    refusal({ at: 1202, detail: 'and 1,200 more like this in the last minute' }),
  ]);
  expect(bound.summaries(60_005)).toEqual([]);
  expect(bound.takes(refusal(), 60_006)).toBe(true);
});

test('SEC5 a window that was not full has nothing to add', () => {
  const bound = throttle();
  expect([0, 1, 2].map((now) => bound.takes(refusal(), now))).toEqual([true, true, true]);
  expect(bound.summaries(100_000)).toEqual([]);
});

test('SEC5 other addresses, subjects, actions and results are other sorts', () => {
  const bound = throttle({ perWindow: 1 });
  const others = [
    {},
    { address: '10.0.0.8' },
    { subject: 'mallory' },
    { action: 'audit.read' },
    { result: 'conflict' },
  ];
  for (const other of others) expect(bound.takes(refusal(other), 0)).toBe(true);
  for (const other of others) expect(bound.takes(refusal({ ...other, target: 'regions/us' }), 0)).toBe(false);
});

test('SEC5 a summary names the target and the service only where they are those of all', () => {
  const bound = throttle({ perWindow: 0 });
  const about = (service: string, id: string) => ({ service, target: `services/${service}/versions/${id}` });
  bound.takes(refusal(about('iam.test', 'v1')), 0);
  bound.takes(refusal(about('iam.test', 'v1')), 0);
  expect(bound.summaries(0, { all: true })).toMatchObject([about('iam.test', 'v1')]);
  bound.takes(refusal(about('iam.test', 'v1')), 0);
  bound.takes(refusal(about('iam.test', 'v2')), 0);
  const [summary] = bound.summaries(0, { all: true });
  expect([summary?.service, summary?.target]).toEqual(['iam.test', undefined]);
  bound.takes(refusal(about('iam.test', 'v1')), 0);
  bound.takes(refusal(about('shop.test', 'v1')), 0);
  expect(bound.summaries(0, { all: true })[0]).not.toHaveProperty('service');
});

test('SEC5 more sorts than are told apart cost no more memory: the rest are one', () => {
  const bound = throttle({ perWindow: 2, maxSorts: 5 });
  const taken = Array.from({ length: 1000 }, (_, i) => bound.takes(refusal({ address: `10.0.${i}.1` }), 0));
  expect(taken.filter(Boolean)).toHaveLength(5 + 2);
  expect(bound.summaries(60_000)).toEqual([
    {
      at: 1,
      category: 'refusal',
      subject: 'eve',
      action: 'catalog.write',
      result: 'forbidden',
      detail: 'and 993 more like this in the last minute',
    },
  ]);
});
