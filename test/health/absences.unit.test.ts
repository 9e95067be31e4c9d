import { expect, test } from '@jest/globals';
import { detectionBoundMs } from '../../src/domain/instances/check.ts';
import { TICK_MS } from '../../src/health/moment.ts';
import { Bench, TTL } from './bench.ts';

/** Instances run out ten seconds after this; four seconds later the absence begins, which is over four seconds after that. */
async function criticalAfter(
  isAway: (b: Bench, hears: () => void) => Promise<void>,
  hears: (b: Bench) => void,
): Promise<number> {
  const b = new Bench();
  const id = b.register(1, TTL);
  const from = b.now;
  await b.run(4000);
  b.claims.stands = false;
  await isAway(b, () => hears(b));
  b.claims.stands = true;
  b.change(true, from + 4000);
  while (b.get(id)?.status !== 'critical') await b.run(TICK_MS);
  return b.now - from;
}

const wasLost = (b: Bench): void => void (b.claims.timesLost = 1);
const EXTENDED_MS = 8000 + 10_000;

/** A heartbeat tells what became of its share, other calls that the database or the leases are back: in whatever order. */
test.each<[string, (b: Bench, hears: () => void) => Promise<void>]>([
  [
    'stood still',
    async (b, hears) => {
      b.now += 4000;
      await b.run(TICK_MS);
      expect(b.warnings[0]).toMatch(/stood still for 4100 ms/);
      hears();
    },
  ],
  [
    'was without the database',
    async (b, hears) => {
      b.monitor.storeAway();
      await b.run(4000);
      b.monitor.storeBack();
      await b.run(TICK_MS);
      hears();
    },
  ],
  [
    'was without the database, and is heard before it is back',
    async (b, hears) => {
      b.monitor.storeAway();
      await b.run(4000);
      hears();
      b.monitor.storeAway();
      await b.run(TICK_MS);
      b.monitor.storeBack();
    },
  ],
  [
    'was without the database, which it notices when a call has waited in vain, and is heard before',
    async (b, hears) => {
      b.monitor.storeBack();
      await b.run(4000);
      hears();
      b.monitor.storeAway();
      await b.run(TICK_MS);
      b.monitor.storeBack();
    },
  ],
  [
    'was without the leases',
    async (b, hears) => {
      b.monitor.leasesAway();
      await b.run(4000);
      b.monitor.leasesBack();
      hears();
    },
  ],
  [
    'was without the leases, and is heard before they are back',
    async (b, hears) => {
      b.monitor.leasesAway();
      await b.run(4000);
      hears();
      b.monitor.leasesAway();
      await b.run(TICK_MS);
      b.monitor.leasesBack();
    },
  ],
  [
    'was without the leases, which it notices when a call has waited in vain, and is heard before',
    async (b, hears) => {
      b.monitor.storeBack();
      await b.run(4000);
      hears();
      b.monitor.leasesAway();
      await b.run(TICK_MS);
      b.monitor.leasesBack();
    },
  ],
  [
    'was without either, of which the database is back first',
    async (b, hears) => {
      b.monitor.storeAway();
      b.monitor.leasesAway();
      await b.run(4000);
      b.monitor.storeBack();
      hears();
      b.monitor.storeBack();
      await b.run(TICK_MS);
      b.monitor.leasesBack();
    },
  ],
])('INS1 INS3 who %s extends its leases, but not where others had its share meanwhile', async (_what, isAway) => {
  expect(await criticalAfter(isAway, wasLost)).toBeLessThanOrEqual(detectionBoundMs(TTL));
  expect(await criticalAfter(isAway, () => undefined)).toBeGreaterThanOrEqual(EXTENDED_MS);
});

const withoutEither = async (b: Bench, hears: () => void): Promise<void> => {
  b.monitor.storeAway();
  b.monitor.leasesAway();
  await b.run(4000);
  hears();
  b.monitor.storeBack();
  b.monitor.leasesBack();
};

test.each<[string, (b: Bench) => void]>([
  ['the leases of all were away', (b) => void (b.claims.leasesRunSince = b.now)],
  ['nobody was there to take its share', (b) => void (b.claims.awakeSince = b.now)],
  ['what the leases knew was lost', (b) => b.monitor.leasesLost()],
])('INS3 others having had its share hides no absence of all: %s', async (_what, happens) => {
  const hears = (b: Bench): void => {
    wasLost(b);
    happens(b);
  };
  expect(await criticalAfter(withoutEither, hears)).toBeGreaterThanOrEqual(EXTENDED_MS);
});

test('INS3 an absence that is over later hides none that nobody made good', async () => {
  const isAway = async (b: Bench, hears: () => void): Promise<void> => {
    b.monitor.leasesAway();
    await b.run(2000);
    hears();
    b.monitor.storeBack();
    b.monitor.storeAway();
    await b.run(2000);
    b.monitor.storeBack();
    b.monitor.leasesBack();
  };
  expect(await criticalAfter(isAway, wasLost)).toBeGreaterThanOrEqual(EXTENDED_MS);
});

test('INS1 INS3 what was over before others had its share stands, whatever comes later', async () => {
  const b = new Bench();
  const id = b.register(1, TTL);
  await b.run(4000);
  b.monitor.storeAway();
  await b.run(12_000);
  b.monitor.storeBack();
  const from = b.now;
  await b.run(500);
  // It was heard, and its share was its own.
  b.claims.heardAt = b.now;
  await b.run(500);
  b.claims.stands = false;
  b.monitor.storeAway();
  await b.run(3500);
  b.monitor.storeBack();
  wasLost(b);
  b.claims.stands = true;
  b.change(true, from + 500);
  while (b.get(id)?.status !== 'critical') await b.run(TICK_MS);
  expect(b.now - from).toBeGreaterThanOrEqual(10_000);
  expect(b.now - from).toBeLessThanOrEqual(detectionBoundMs(TTL));
});

test('INS1 INS3 who alone was without the database extends nothing, as soon as it hears that others had it all the time', async () => {
  const extendedBy = async (wereThere: boolean): Promise<number> => {
    const b = new Bench();
    const id = b.register(1, TTL);
    b.monitor.storeBack();
    await b.run(9000);
    b.monitor.storeAway();
    await b.run(2500);
    b.monitor.storeBack();
    const [from, until] = [b.now - 2500, b.now];
    await b.run(1000);
    // It begins and ends well within the time in which the others were there.
    b.claims.wereOthersThere = (since, to) => wereThere && since <= from && to === until;
    b.claims.heardAt = b.now;
    while (b.get(id)?.status !== 'critical') await b.run(TICK_MS);
    return b.now - until;
  };
  expect(await extendedBy(true)).toBeLessThan(1500);
  expect(await extendedBy(false)).toBeGreaterThanOrEqual(10_000);
});
