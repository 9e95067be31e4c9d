import { expect, test } from '@jest/globals';
import { detectionBoundMs } from '../../src/domain/instances/check.ts';
import { SLACK_MS } from '../../src/health/lease.ts';
import { TICK_MS } from '../../src/health/moment.ts';
import { CATCH_UP_MS, slotAt, slotsOf } from '../../src/health/slots.ts';
import { Bench, gate, TCP, TIMEOUT_MS, TTL, turns } from './bench.ts';

test('INS1 INS3 a lease is asked about before it runs out, and what was heard elsewhere keeps it', async () => {
  const b = new Bench();
  const id = b.register(1, TTL);
  await b.run(9000);
  await b.renewElsewhere(id);
  const heardAt = b.now;
  while (b.get(id)?.status !== 'critical') await b.run(TICK_MS);
  expect(b.now - heardAt).toBeGreaterThanOrEqual(10_000 + SLACK_MS);
  expect(b.now - heardAt).toBeLessThanOrEqual(detectionBoundMs(TTL));
  expect(b.commands.at(-1)).toMatchObject({ fence: 7, instances: [{ op: 'status', id, status: 'critical' }] });
  // It is critical, and a renewal at another node brings it back.
  await b.renewElsewhere(id);
  await b.run(1300);
  expect(b.get(id)?.status).toBe('passing');
});

test.each<[string, (b: Bench, id: string) => Promise<void>]>([
  ['its instance is heard here', async (b, id) => void b.monitor.renew(id)],
  ['every lease is extended', async (b) => b.monitor.leasesLost()],
  [
    'its instance is heard elsewhere',
    async (b, id) => {
      await b.renewElsewhere(id);
      await b.run(1200);
    },
  ],
])('INS1 INS3 a decision that waits for its commit is over when meanwhile %s', async (_what, happens) => {
  const b = new Bench();
  const id = b.register(1, TTL);
  const { closed, open } = gate();
  b.held = closed;
  while (b.commands.length === 0) await b.run(TICK_MS);
  await happens(b, id);
  b.held = undefined;
  open();
  await turns();
  expect(b.get(id)?.status).toBe('passing');
  await b.run(2000);
  expect(b.get(id)?.status).toBe('passing');
  // Nothing is forgotten over it.
  await b.run(11_000);
  expect(b.get(id)?.status).toBe('critical');
});

test('INS1 INS3 leases that answer late are asked once more: a renewal may have waited there behind the question', async () => {
  const b = new Bench();
  const id = b.register(1, TTL);
  while (b.now < 110_000 + SLACK_MS - TICK_MS) await b.run(TICK_MS);
  const { closed, open } = gate();
  b.server.answerDelay = () => closed;
  await b.run(800);
  b.server.answerDelay = undefined;
  await b.renewElsewhere(id, b.now - 109_000);
  open();
  await b.run(5000);
  expect([b.get(id)?.status, b.commands]).toEqual(['passing', []]);
  // And not more than once, however slow they always are.
  const delays: (() => void)[] = [];
  b.server.answerDelay = () => new Promise((done) => delays.push(done));
  for (let i = 0; i < 200 && b.get(id)?.status !== 'critical'; i++) {
    await b.run(600);
    delays.splice(0).forEach((done) => done());
  }
  expect(b.get(id)?.status).toBe('critical');
  expect(b.now).toBeLessThan(109_000 + 10_000 + 5000);
});

test('INS1 INS3 what runs out while it is about to go is given up by its next owner, and what ran out long before is not', async () => {
  const takenAfter = async (ms: number): Promise<number> => {
    const b = new Bench();
    const id = b.register(1, TTL);
    await b.run(1000);
    b.change(false);
    await b.renewElsewhere(id);
    await b.run(10_000 + ms);
    b.change(true);
    const from = b.now;
    while (b.get(id)?.status !== 'critical') await b.run(TICK_MS);
    return b.now - from;
  };
  // From two thirds of the timeout before a node takes over, nobody decides about what it takes over.
  expect(await takenAfter(1400)).toBeLessThan(1500);
  expect(await takenAfter(SLACK_MS + 1000 + (TIMEOUT_MS * 2) / 3 - TICK_MS)).toBeLessThan(1500);
  expect(await takenAfter(SLACK_MS + 1000 + (TIMEOUT_MS * 2) / 3 + 2 * TICK_MS)).toBeGreaterThanOrEqual(10_000);
});

test('INS3 nothing runs out while the leases are away, or a member keeps to itself what it hears; then for a full length', async () => {
  const b = new Bench();
  const id = b.register(1, TTL);
  b.server.failing = 'away';
  await b.run(30_000);
  b.server.comeBack();
  await b.run(9900);
  b.claims.leasesRun = false;
  await b.run(20_000);
  b.claims.leasesRun = true;
  await b.run(9900);
  b.server.lose();
  b.server.comeBack();
  await b.run(9900);
  b.claims.awakeSince = b.now;
  await b.run(9900);
  // They did not run under a term of which nobody here has heard.
  b.claims.leasesRunSince = b.now;
  await b.run(9900);
  expect([b.get(id)?.status, b.commands]).toEqual(['passing', []]);
  await b.run(1100);
  expect(b.get(id)?.status).toBe('critical');
});

test("nothing is decided, checked or reported by a node that does not stand, or about what is another node's", async () => {
  const b = new Bench();
  const ids = [b.register(1, TTL), b.register(2, TCP)];
  await b.run(2000);
  expect(b.monitor.tracked).toBe(2);
  b.claims.stands = false;
  b.finding = 'critical';
  const { length } = b.started;
  await b.run(60_000);
  expect([b.commands, b.started.length, b.monitor.tracked]).toEqual([[], length, 0]);
  expect(ids.map((id) => b.monitor.report(id))).toEqual([undefined, undefined]);
  b.claims.stands = true;
  b.change(false);
  await b.run(60_000);
  expect([b.commands, b.started.length, b.monitor.tracked]).toEqual([[], length, 0]);
});

test('what is fenced is decided again once the claims are others, and is no error', async () => {
  const b = new Bench();
  const id = b.register(1, TTL);
  b.isFenced = true;
  await b.run(11_500);
  expect(b.commands.map(({ fence }) => fence)).toContain(7);
  b.isFenced = false;
  b.change(true);
  await b.run(1200);
  expect(b.get(id)?.status).toBe('critical');
  expect(b.commands.at(-1)?.fence).toBe(8);
  expect(b.warnings).toEqual([]);
});

test('INS1 a check that a dead node may have left out is made up for, those that it has made are not; each at its slot', async () => {
  const b = new Bench();
  const id = b.register(1, TCP);
  await b.run(2000);
  b.change(false);
  const slots = slotsOf(id, 10_000);
  for (const isLeftOut of [true, false]) {
    await b.run(60_000);
    while (b.now - slotAt(slots, b.now) < 4000) await b.run(TICK_MS);
    while (b.now - slotAt(slots, b.now) >= 4000) await b.run(TICK_MS);
    await b.run(3800);
    // The last slot was some four seconds ago, and a check may take two.
    const gapFrom = isLeftOut ? b.now - 3500 : b.now - 500;
    b.started.length = 0;
    b.change(true, gapFrom);
    await b.run(CATCH_UP_MS + 100);
    expect(b.started.length).toBe(isLeftOut ? 1 : 0);
    await b.run(10_000);
    const late = b.started.slice(isLeftOut ? 1 : 0).map((at) => at - slotAt(slots, at));
    expect(late).toHaveLength(1);
    expect(Math.max(...late)).toBeLessThanOrEqual(TICK_MS);
    b.change(false);
  }
});

test('INS1 failures that another node has found are counted on, and those of long ago are not', async () => {
  for (const isFresh of [true, false]) {
    const b = new Bench();
    const id = b.register(1, TCP);
    await b.run(2000);
    b.finding = 'critical';
    await b.run(20_000);
    expect(b.monitor.report(id)?.consecutiveFailures).toBe(2);
    b.change(false);
    if (!isFresh) await b.run(30_000);
    b.change(true);
    await b.run(10_100);
    expect([isFresh, b.get(id)?.status]).toEqual([isFresh, isFresh ? 'critical' : 'passing']);
    expect(b.monitor.report(id)?.consecutiveFailures).toBe(isFresh ? 3 : 1);
  }
});

test('INS3 what ran out long before it came here, and was not given up by whoever had it, has its full length', async () => {
  const b = new Bench();
  const id = b.register(1, TTL);
  await b.run(1000);
  b.change(false);
  await b.run(60_000);
  b.change(true);
  await b.run(9900);
  expect(b.get(id)?.status).toBe('passing');
  await b.run(1500);
  expect(b.get(id)?.status).toBe('critical');
});

test('INS1 what ran out while nobody was in charge is given up at once', async () => {
  const b = new Bench();
  const id = b.register(1, TTL);
  await b.run(7500);
  b.change(false);
  await b.run(4000);
  b.change(true, b.now - TIMEOUT_MS - 500);
  await b.run(500);
  expect(b.get(id)?.status).toBe('critical');
});
