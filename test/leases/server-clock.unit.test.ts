import { describe, expect, test } from '@jest/globals';
import { ServerClock } from '../../src/leases/server-clock.ts';
import { SHARDS, shardOf } from '../../src/leases/shard-of.ts';

describe('the clock of a server', () => {
  const LEAD = 1_700_000_000_000;

  test('INS3 a step is found in both directions, once', () => {
    const clock = new ServerClock();
    expect(clock.wasSet(LEAD, 0, 10)).toBe(false);
    expect(clock.wasSet(LEAD + 1000 + 1200, 1000, 1010)).toBe(true);
    expect(clock.wasSet(LEAD + 2000 + 1200, 2000, 2010)).toBe(false);
    expect(clock.wasSet(LEAD + 3000, 3000, 3010)).toBe(true);
    expect(clock.wasSet(LEAD + 4000, 4000, 4010)).toBe(false);
  });

  test('a slow answer is no step, and hides none that comes after it', () => {
    const clock = new ServerClock();
    clock.wasSet(LEAD, 0, 0);
    expect(clock.wasSet(LEAD + 1000, 1000, 4000)).toBe(false);
    expect(clock.wasSet(LEAD + 4000, 1000, 4000)).toBe(false);
    expect(clock.wasSet(LEAD + 5000 - 1200, 5000, 5000)).toBe(true);
  });

  test('clocks drift apart, a little at a time', () => {
    const clock = new ServerClock();
    for (let at = 0; at < 100; at++) expect(clock.wasSet(LEAD + at * 1900, at * 1000, at * 1000 + 5)).toBe(false);
  });

  test('another server has another clock', () => {
    const clock = new ServerClock();
    clock.wasSet(LEAD, 0, 0);
    clock.forget();
    expect(clock.wasSet(LEAD * 2, 1, 1)).toBe(false);
  });
});

test('keys are divided among all shards alike, as every version divides them', () => {
  const counts = Array.from({ length: SHARDS }, () => 0);
  for (let i = 0; i < 16_000; i++) {
    const shard = shardOf(`${i.toString(16).padStart(24, '0')}:${i % 3}`);
    counts[shard] = (counts[shard] ?? 0) + 1;
  }
  for (const count of counts) {
    expect(count).toBeGreaterThan(800);
    expect(count).toBeLessThan(1200);
  }
  expect(['', 'a', 'ab:1', '0123456789abcdef01234567:12'].map(shardOf)).toEqual([9, 0, 0, 12]);
});
