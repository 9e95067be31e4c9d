import { afterEach, expect, jest, test } from '@jest/globals';
import { realTime } from '../../src/sdk/time.ts';

afterEach(() => {
  jest.useRealTimers();
});

const DAY_MS = 86_400_000;

test('a time that is too long for one timer is waited for in several, and Infinity is never over', () => {
  jest.useFakeTimers();
  const called: string[] = [];
  realTime.after(60 * DAY_MS, () => void called.push('sixty days'));
  realTime.after(Infinity, () => void called.push('never'));
  const cancel = realTime.after(60 * DAY_MS, () => void called.push('called off'));
  expect(jest.getTimerCount()).toBe(2);
  jest.advanceTimersByTime(40 * DAY_MS);
  cancel();
  jest.advanceTimersByTime(20 * DAY_MS - 1);
  expect(called).toEqual([]);
  jest.advanceTimersByTime(1);
  expect(called).toEqual(['sixty days']);
  expect(jest.getTimerCount()).toBe(0);
});
