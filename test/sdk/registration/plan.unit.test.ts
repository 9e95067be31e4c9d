import { describe, expect, test } from '@jest/globals';
import { KeepPlan } from '../../../src/sdk/registration/plan.ts';

const SECOND = 1000;
const planned = (waitMs?: number, random = () => 0): KeepPlan => new KeepPlan({ waitMs, random });

describe('keeping an instance registered', () => {
  test('it is registered once its port is open', () => {
    const plan = planned(30 * SECOND);
    expect(plan.first()).toEqual({ action: 'look', afterMs: 0 });
    expect(plan.next('look', { type: 'closed' }, 0)).toEqual({ action: 'look', afterMs: 100 });
    expect(plan.next('look', { type: 'open' }, 100)).toEqual({ action: 'register', afterMs: 0 });
  });

  test('a port that stays closed is told once, and looked at more slowly', () => {
    const plan = planned(2 * SECOND);
    plan.first();
    expect(plan.next('look', { type: 'closed' }, 1999)).toEqual({ action: 'look', afterMs: 100 });
    expect(plan.next('look', { type: 'closed' }, 2000)).toEqual({ action: 'look', afterMs: 1000, say: 'closed' });
    expect(plan.next('look', { type: 'closed' }, 3000)).toEqual({ action: 'look', afterMs: 1000 });
    expect(plan.next('look', { type: 'open' }, 4000)).toEqual({ action: 'register', afterMs: 0 });
  });

  test('without waiting it is registered at once', () => {
    expect(planned().first()).toEqual({ action: 'register', afterMs: 0 });
  });

  test('a lease is renewed at a third of it, or some time before', () => {
    for (const random of [0, 0.5, 0.999]) {
      const step = planned(undefined, () => random).next('register', { type: 'registered', leaseMs: 15 * SECOND }, 0);
      expect(step).toMatchObject({ action: 'renew', say: 'registered' });
      expect(step.afterMs).toBeGreaterThanOrEqual(4 * SECOND);
      expect(step.afterMs).toBeLessThanOrEqual(5 * SECOND);
    }
  });

  test('a renewal is nothing to talk about, and the next one follows', () => {
    const plan = planned();
    plan.next('register', { type: 'registered', leaseMs: 15 * SECOND }, 0);
    expect(plan.next('renew', { type: 'renewed' }, 1)).toEqual({ action: 'renew', afterMs: 5 * SECOND });
  });

  test('what Signalbox does not have any more is registered again at once', () => {
    const plan = planned();
    plan.next('register', { type: 'registered', leaseMs: 15 * SECOND }, 0);
    expect(plan.next('renew', { type: 'gone' }, 1)).toEqual({ action: 'register', afterMs: 0, say: 'lost' });
    expect(plan.next('register', { type: 'registered', leaseMs: 15 * SECOND }, 2)).toMatchObject({
      action: 'renew',
      say: 'registered-again',
    });
  });

  test('while Signalbox is away it is tried again with full jitter; both ends are told once', () => {
    const plan = planned(undefined, () => 0.5);
    plan.next('register', { type: 'registered', leaseMs: 60 * SECOND }, 0);
    const steps = Array.from({ length: 8 }, () => plan.next('renew', { type: 'away' }, 1));
    expect(steps.map(({ say }) => say)).toEqual(['away', ...Array.from({ length: 7 }, () => undefined)]);
    expect(steps.map(({ afterMs }) => afterMs)).toEqual([125, 250, 500, 1000, 2000, 2500, 2500, 2500]);
    expect(steps.every(({ action }) => action === 'renew')).toBe(true);
    expect(plan.next('renew', { type: 'renewed' }, 2)).toMatchObject({ say: 'back' });
    expect(plan.next('renew', { type: 'renewed' }, 3).say).toBeUndefined();
    // What is counted is what has failed since.
    expect(plan.next('renew', { type: 'away' }, 4)).toMatchObject({ afterMs: 125, say: 'away' });
  });

  test('attempts are not further apart than a sixth of the lease, and wait as long as they are asked to', () => {
    const plan = planned(undefined, () => 1);
    plan.next('register', { type: 'registered', leaseMs: 1500 }, 0);
    for (let i = 0; i < 5; i++) expect(plan.next('renew', { type: 'away' }, 1).afterMs).toBeLessThanOrEqual(250);
    expect(plan.next('renew', { type: 'away', retryAfterMs: 3000 }, 1).afterMs).toBe(3000);
  });

  test('a registration that is refused is tried now and then, for somebody may change what is in its way', () => {
    const plan = planned();
    expect(plan.next('register', { type: 'refused' }, 0)).toEqual({
      action: 'register',
      afterMs: 30 * SECOND,
      say: 'refused',
    });
    expect(plan.next('register', { type: 'refused' }, 1).say).toBeUndefined();
    expect(plan.next('register', { type: 'registered', leaseMs: 1500 }, 2)).toMatchObject({ say: 'registered' });
  });
});
