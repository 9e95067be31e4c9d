import { expect, test } from '@jest/globals';
import { slotAt, slotsOf } from '../../src/health/slots.ts';
import { TICK_MS } from '../../src/health/moment.ts';
import { Bench, CONCURRENCY, gate, TCP, TTL } from './bench.ts';

/** What has region us is this node's, always. */
function keepsUs(b: Bench, ownsOthersAt: (at: number) => boolean): void {
  const isUs = (group: string): boolean => group.endsWith(' us');
  b.claims.owns = (group) => isUs(group) || ownsOthersAt(b.now);
  b.claims.ownsSlot = (group, at) => isUs(group) || ownsOthersAt(at);
}

/** Its group is about to go when its lease runs out: it is read, and nothing is decided about it. */
async function readAndGone(b: Bench, id: string): Promise<void> {
  keepsUs(b, (at) => b.owned && at < Number.POSITIVE_INFINITY);
  b.monitor.claimsChanged();
  await b.run(13_000);
  b.change(false);
  for (let i = 0; i < 20; i++) {
    await b.renewElsewhere(id);
    await b.run(3000);
  }
  await b.renewElsewhere(id);
  expect([b.get(id)?.status, b.commands]).toEqual(['passing', []]);
}

test.each<[string, (b: Bench, id: string) => void]>([
  [
    'comes back',
    (b) => {
      keepsUs(b, () => true);
      b.change(true);
    },
  ],
  ['comes with another region', (b) => void b.register(1, TTL, 'us')],
])('INS3 what was read about a lease before it went to another node says nothing when it %s', async (_what, comes) => {
  const b = new Bench();
  const id = b.register(1, TTL, 'eu');
  await readAndGone(b, id);
  comes(b, id);
  await b.run(9000);
  expect([b.get(id)?.status, b.commands]).toEqual(['passing', []]);
  await b.run(3000);
  expect(b.get(id)?.status).toBe('critical');
});

/** It goes when its slot has just come, before anything was looked at: that check is still made here. */
async function goesWhenDue(b: Bench, id: string): Promise<number> {
  const slots = slotsOf(id, 10_000);
  while (slotAt(slots, b.now + TICK_MS) === slotAt(slots, b.now)) await b.run(TICK_MS);
  b.now += TICK_MS;
  b.claims.sharedNow = b.now;
  const wentAt = b.now;
  keepsUs(b, (at) => at < wentAt);
  b.started.length = 0;
  b.change(false);
  expect(b.monitor.report(id)).toBeUndefined();
  return wentAt;
}

test('INS1 a check that was still made when its instance went is one: those after it count, each at its slot', async () => {
  const b = new Bench();
  const id = b.register(1, TCP, 'eu');
  await b.run(2000);
  expect([await goesWhenDue(b, id)]).toEqual(b.started);
  await b.run(64_000);
  expect(b.started).toHaveLength(1);
  b.register(1, TCP, 'us');
  expect(b.monitor.report(id)).toBeDefined();
  b.finding = 'critical';
  await b.run(30_000);
  const slots = slotsOf(id, 10_000);
  expect(b.started.slice(1).map((at) => at - slotAt(slots, at) < 2 * TICK_MS)).toEqual([true, true, true]);
  await b.run(TICK_MS);
  expect(b.get(id)?.status).toBe('critical');
});

test.each<[string, (b: Bench) => void]>([
  [
    'comes back',
    (b) => {
      keepsUs(b, () => true);
      b.change(true);
    },
  ],
  ['comes with another region', (b) => void b.register(1, TCP, 'us')],
])(
  'INS1 a check that waits for its turn when its instance goes, and still when it %s, counts',
  async (_what, comes) => {
    const b = new Bench();
    const id = b.register(1, TCP, 'eu');
    await b.run(2000);
    const { closed, open } = gate();
    b.hanging = closed;
    for (let n = 0; n < CONCURRENCY; n++) b.register(100 + n, TCP, 'us');
    await b.run(1500);
    expect(b.monitor.checksInFlight).toBe(CONCURRENCY);
    await goesWhenDue(b, id);
    comes(b);
    expect([b.started, b.monitor.checksWaiting]).toEqual([[], 1]);
    b.finding = 'critical';
    b.hanging = undefined;
    open();
    await b.run(TICK_MS);
    expect(b.monitor.report(id)?.consecutiveFailures).toBe(1);
    // And the next is at its slot.
    await b.run(9000);
    expect(b.monitor.report(id)?.consecutiveFailures).toBe(1);
    await b.run(1500);
    expect(b.monitor.report(id)?.consecutiveFailures).toBe(2);
  },
);
