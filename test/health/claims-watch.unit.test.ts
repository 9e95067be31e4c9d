import { expect, test } from '@jest/globals';
import type { Claims } from '../../src/health/claims.ts';
import { ClaimsWatch } from '../../src/health/claims-watch.ts';

const TIMEOUT_MS = 3000;

/** What a node has, by a clock that is its own and everybody's. */
function open() {
  const claims: { -readonly [K in keyof Claims]: Claims[K] } = {
    fence: 7,
    stands: true,
    owns: () => true,
    ownsSlot: () => true,
    sharedNow: 50_000,
    gapFrom: 0,
    undecidedFrom: undefined,
    awakeSince: 0,
    leasesRun: true,
    leasesRunSince: 0,
    timesLost: 0,
    heardAt: 0,
    wereOthersThere: () => false,
  };
  const watch = new ClaimsWatch({ claims, timeoutMs: TIMEOUT_MS });
  return {
    claims,
    look: (ms = 100) => {
      claims.sharedNow += ms;
      return watch.look(claims.sharedNow);
    },
  };
}

test('INS3 leases that did not run run again', () => {
  const { claims, look } = open();
  look();
  expect(look().resumes).toBe(false);
  claims.leasesRun = false;
  expect(look().resumes).toBe(false);
  claims.leasesRun = true;
  expect(look().resumes).toBe(true);
  expect(look().resumes).toBe(false);
});

test('INS3 in a term of which this node has not heard they may not have run; in the next one it would have heard', () => {
  const { claims, look } = open();
  claims.leasesRunSince = undefined;
  expect(look().resumes).toBe(false);
  claims.fence = 8;
  expect(look().resumes).toBe(false);
  claims.fence = 10;
  expect(look().resumes).toBe(true);
  expect(look().resumes).toBe(false);
  // Where they do not run now, they do not run again.
  claims.fence = 12;
  claims.leasesRun = false;
  expect(look().resumes).toBe(false);
});

test('INS1 who takes over takes nothing for decided that whoever had it last had no time for', () => {
  const { claims, look } = open();
  Object.assign(claims, { fence: 8, gapFrom: 50_000 });
  const { decidedUntil } = look().gap;
  Object.assign(claims, { fence: 9, undecidedFrom: 47_000 });
  expect(look().gap).toMatchObject({ from: 50_000, decidedUntil: decidedUntil - 3000 });
});

test('INS1 where the membership says since when they run, terms of which this node has not heard extend nothing', () => {
  const { claims, look } = open();
  look();
  claims.fence = 10;
  expect(look().resumes).toBe(false);
});

test('INS1 in a term of which this node has not heard a node may have been lost that was heard of shortly before', () => {
  const { claims, look } = open();
  look();
  const lookedAt = claims.sharedNow;
  Object.assign(claims, { fence: 9, gapFrom: lookedAt + 4000 });
  expect(look(5000).gap).toMatchObject({ from: lookedAt - 2 * TIMEOUT_MS, isDeath: true });
  Object.assign(claims, { fence: 10, gapFrom: claims.sharedNow });
  expect(look().gap).toMatchObject({ from: claims.sharedNow - 100, isDeath: false });
});
