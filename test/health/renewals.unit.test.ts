import { expect, test } from '@jest/globals';
import { SLACK_MS } from '../../src/health/lease.ts';
import { Renewals } from '../../src/health/renewals.ts';

test('INS3 a renewal that took too long to be stored is not acknowledged: its instance may be given up already', async () => {
  let now = 0;
  let takes = 0;
  const stored: number[] = [];
  const renewals = new Renewals({
    leases: {
      renew: (batch) => {
        now += takes;
        stored.push(batch.length);
        return Promise.resolve();
      },
    },
    mayKeep: () => true,
    soon: (run) => run(),
    now: () => now,
  });
  const put = (): Promise<string | undefined> =>
    new Promise((resolve) => {
      renewals.put('a:1', now, (error) => resolve(error?.code));
    });
  expect(await put()).toBeUndefined();
  takes = SLACK_MS + 1;
  expect(await put()).toBe('leases-unavailable');
  // It is there all the same, and nothing is kept here.
  expect(stored).toEqual([1, 1]);
  expect(renewals.isSettled).toBe(true);
});
