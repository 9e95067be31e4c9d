import { expect, test } from '@jest/globals';
import type { FaultRecord, InstanceEvent, Life } from '../record.ts';
import { gone } from './gone.ts';
import { HEARD_WITHIN_MS, heardOf } from './signs.ts';

/** It registered at 1000, and its node has spoken to it ever since. */
const attached: Life = {
  name: 'instances/a',
  group: 's/eu',
  check: 'ttl',
  everyMs: 5000,
  boundMs: 9000,
  renewals: [{ sentAt: 990, answeredAt: 1000 }],
  deaths: [],
  leavings: [],
  signs: Array.from({ length: 40 }, (_, i) => ({ at: 1500 + 500 * i, node: 'node-1' })),
};
const critical = (at: number): InstanceEvent => ({
  name: 'instances/a',
  revision: 10,
  op: 'put',
  status: 'critical',
  passing: false,
  group: 's/eu',
  isOwn: true,
  after: at - 20,
  before: at + 20,
});
const fault = (target: string, from: number, recovered: number): FaultRecord => ({
  kind: 'pause',
  target,
  from,
  healed: recovered,
  recovered,
});
const complaints = (at: number, faults: FaultRecord[] = [], stalls: { from: number; until: number }[] = []): number =>
  gone([heardOf(attached, faults, stalls)], [critical(at)]).length;

test('INS1 who answers the pings of its node is not to be given up', () => {
  expect(complaints(15_000)).toBe(1);
  // Its registration is a renewal, too, and no sign is one of the time before it.
  expect(complaints(4000)).toBe(1);
  expect(heardOf(attached, [], []).renewals.slice(0, 2)).toEqual([
    { sentAt: 990, answeredAt: 1000 },
    { sentAt: 3500 - HEARD_WITHIN_MS, answeredAt: 3500 },
  ]);
});

test('INS1 it is when the lease ran out, by what its node must have heard', () => {
  const last = 1500 + 500 * 39;
  expect(complaints(last - HEARD_WITHIN_MS + 5000 - 100)).toBe(1);
  expect(complaints(last - HEARD_WITHIN_MS + 5000 + 100)).toBe(0);
});

test('INS1 what a node says with which something is wrong says nothing; of another node, nothing is wrong with this one', () => {
  expect(complaints(15_000, [fault('node-1', 9000, 16_000)])).toBe(0);
  expect(complaints(15_000, [fault('redis', 9000, 16_000)])).toBe(0);
  expect(complaints(15_000, [fault('node-2', 9000, 16_000)])).toBe(1);
  expect(complaints(15_000, [fault('node-1', 13_500, 16_000)])).toBe(1);
});

test('INS1 what this process may have read late says less, and not nothing', () => {
  expect(complaints(15_000, [], [{ from: 9000, until: 14_990 }])).toBe(0);
  const often = Array.from({ length: 20 }, (_, i) => ({ from: 1000 * i, until: 1000 * i + 150 }));
  expect(complaints(15_000, [], often)).toBe(1);
});

test('those that renew by themselves are as they are', () => {
  const { signs: _, ...leased } = attached;
  expect(heardOf(leased, [], [])).toBe(leased);
});
