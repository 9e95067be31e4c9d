import { expect, test } from '@jest/globals';
import { CoarseClock, MOST_PICKS } from '../../../src/sdk/discovery/coarse-clock.ts';

function counting() {
  const time = { ms: 0, reads: 0 };
  const clock = new CoarseClock(() => {
    time.reads += 1;
    return time.ms;
  });
  return { clock, time };
}

test('a clock that is asked all the time is seldom read, and behind by little', () => {
  const { clock, time } = counting();
  let behind = 0;
  for (let n = 0; n < 100_000; n++) {
    time.ms += 0.001;
    clock.tick();
    behind = Math.max(behind, time.ms - clock.at);
  }
  expect(time.reads).toBeLessThan(2000);
  expect(behind).toBeLessThan(1);
});

test('one that is asked now and then is read each time', () => {
  const { clock, time } = counting();
  for (let n = 0; n < 100; n++) {
    time.ms += 5;
    expect(clock.tick()).toBe(true);
    expect(clock.at).toBe(time.ms);
  }
});

test('after a burst and a pause it is read within 64 picks; at once where somebody else has looked', () => {
  const { clock, time } = counting();
  for (let n = 0; n < 1000; n++) clock.tick();
  time.ms += 1000;
  for (let n = 0; n < MOST_PICKS; n++) clock.tick();
  expect(clock.at).toBe(1000);
  for (let n = 0; n < 1000; n++) clock.tick();
  time.ms += 1000;
  clock.told(time.ms);
  expect(clock.tick()).toBe(true);
});
