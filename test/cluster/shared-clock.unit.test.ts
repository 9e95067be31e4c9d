import { expect, test } from '@jest/globals';
import { SharedClock } from '../../src/cluster/shared-clock.ts';

test('the question that was held up least decides, and time does not go back for it', () => {
  let now = 0;
  const clock = new SharedClock(() => now);
  expect(clock.observe(1_000_010, 0, 100)).toBe(false);
  now = 100;
  const before = clock.now;
  expect(before).toBe(1_000_060);
  // 40 ms less, and exact.
  clock.observe(1_000_100 - 80, 100, 100);
  expect(clock.now).toBe(before);
  now = 300;
  expect(clock.now).toBe(1_000_220);
  clock.observe(1_000_900, 300, 1100);
  now = 1100;
  expect(clock.now).toBe(1_001_020);
});

test('a clock that was set is followed, back as well', () => {
  let now = 0;
  const clock = new SharedClock(() => now);
  clock.observe(5_000_000, 0, 2);
  now = 1000;
  expect(clock.observe(5_001_000, 1000, 1002)).toBe(false);
  expect(clock.observe(1_401_000, 1000, 1002)).toBe(true);
  expect(clock.now).toBe(1_400_999);
  expect(clock.observe(5_001_000, 1000, 1002)).toBe(true);
  expect(clock.now).toBe(5_000_999);
  // An answer that took long says little.
  expect(clock.observe(5_004_000, 1000, 7000)).toBe(false);
});
