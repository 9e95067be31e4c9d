import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { embeddedHome, type EmbeddedHome } from '../acceptance/homes.ts';
import { runAbsence } from './absence.ts';
import { violationsOf } from './judge.ts';
import { linesOf } from './report.ts';
import type { Record } from './record.ts';

/** `npm run chaos -- --minutes 10` is the same for as long as you like. */
const AWAY_MS = 15_000;
const EVERY_MS = 50;
/** Five from the beginning without the dead one, and three that start meanwhile. */
const MEMBERS = 7;

const SIGNALS = ['SIGTERM', 'SIGKILL'] as const;
const homes: EmbeddedHome[] = [];
const runs = new Map<string, Promise<Record>>();

beforeAll(async () => {
  // They wait most of the time: together they take half of it.
  for (const signal of SIGNALS) {
    const home = await embeddedHome();
    homes.push(home);
    const options = { signal, awayMs: AWAY_MS, everyMs: EVERY_MS, ttl: '10s', lookMs: 2000, dataDir: home.path };
    runs.set(signal, runAbsence({ ...options, onProgress: () => {} }));
  }
  await Promise.allSettled(runs.values());
}, 240_000);
afterAll(async () => {
  await Promise.allSettled(homes.map((home) => home.drop()));
});

describe.each(SIGNALS)('Signalbox is away after %s while services call each other, and one of them dies', (signal) => {
  test('PUSH5 PUSH8 INS1 INS3 calls go on; after its return all copies are its own by digest, the dead one is gone, and nobody else', async () => {
    const record = await (runs.get(signal) as Promise<Record>);
    expect({ violations: violationsOf(record), lines: linesOf(record) }).toMatchObject({ violations: [] });
    // Enough was seen to say so.
    const { times, views, looks } = record;
    expect(times.readyAt - times.awayAt).toBeGreaterThanOrEqual(AWAY_MS);
    expect(views.flatMap(({ caches }) => caches)).toHaveLength(MEMBERS * 3);
    const away = looks.filter(({ at }) => at > times.awayAt && at < times.returnAt);
    const answered = away.flatMap(({ members }) => members.map(({ figures }) => figures.answered));
    const calls = answered.reduce((sum, count) => sum + count, 0);
    // Two thousand where there is room for them; how many is the machine's affair, that everybody was answered all the time is judged.
    expect(calls).toBeGreaterThan(100);
  });
});
