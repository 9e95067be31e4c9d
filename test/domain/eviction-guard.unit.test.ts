import { describe, expect, test } from '@jest/globals';
import { EvictionGuard, type GuardLimits } from '../../src/domain/instances/eviction-guard.ts';
import { Random } from '../support/random.ts';

const LIMITS: GuardLimits = { min: 5, share: 0.5, windowMs: 60_000, holdMs: 300_000 };

/** A group in which whatever is admitted is written at once. */
class Group {
  readonly guard: EvictionGuard;
  readonly up = new Set<string>();
  readonly critical = new Set<string>();
  readonly failing = new Set<string>();
  off = false;

  constructor(size: number, limits = LIMITS) {
    this.guard = new EvictionGuard(limits);
    for (let i = 0; i < size; i++) this.up.add(`i${i}`);
  }

  fail(count: number): void {
    for (const id of this.up) {
      if (count <= 0) return;
      if (!this.failing.has(id) && count-- > 0) this.failing.add(id);
    }
  }

  recover(id: string): void {
    this.failing.delete(id);
    if (!this.critical.delete(id)) return;
    this.up.add(id);
    this.guard.back(id);
  }

  /** Returns how many became critical. */
  at(now: number): number {
    const { failing, up, critical, off } = this;
    const numbers = { failing: failing.size, pending: 0, up: up.size, critical: critical.size, off };
    const admitted = this.guard.admit(numbers, now);
    for (const id of [...failing].slice(0, admitted)) {
      failing.delete(id);
      up.delete(id);
      critical.add(id);
      this.guard.lost(id, now);
    }
    return admitted;
  }
}

describe('the eviction guard', () => {
  test('INS4: however often it changes hands, a hold ends when it was to end', () => {
    const group = new Group(10);
    group.fail(10);
    expect(group.at(0)).toBe(5);
    let until = group.guard.until ?? 0;
    for (const now of [100_000, 200_000, 290_000]) {
      group.guard.standDown();
      for (const id of group.critical) group.guard.lost(id, now);
      group.guard.inherit(until, now);
      expect(group.at(now)).toBe(0);
      until = group.guard.until ?? 0;
      expect(until).toBe(300_000);
    }
    group.guard.standDown();
    group.guard.inherit(until, 310_000);
    expect(group.at(310_000)).toBe(5);
    expect(group.guard.until).toBeUndefined();
  });

  test('INS4: what another guard has held long ago says nothing about a mass failure of now', () => {
    const group = new Group(10);
    group.guard.inherit(50_000, 10_000);
    group.fail(10);
    expect(group.at(70_001)).toBe(5);
    expect(group.guard.until).toBe(70_001 + LIMITS.holdMs);
  });

  test('INS4: half of a group may go, the others are held for five minutes and then go at once', () => {
    const group = new Group(10);
    group.fail(8);
    expect(group.at(0)).toBe(5);
    expect(group.guard.until).toBe(300_000);
    expect([1000, 61_000, 150_000, 299_999].map((now) => group.at(now))).toEqual([0, 0, 0, 0]);
    expect(group.at(300_000)).toBe(3);
    expect(group.guard.until).toBeUndefined();
  });

  test('INS4: having let go, it does not trip again before the group has recovered', () => {
    const group = new Group(10);
    group.fail(8);
    group.at(0);
    group.at(300_000);
    group.fail(1);
    expect(group.at(301_000)).toBe(1);
    // A whole window in which nobody fails; then only one is left, too few to be guarded.
    for (const id of group.critical) group.recover(id);
    group.at(301_100);
    group.fail(8);
    expect(group.at(301_200)).toBe(5);
    expect(group.guard.until).toBe(601_200);
  });

  test('INS4: a window without failures is a recovery too', () => {
    const group = new Group(30);
    group.fail(20);
    expect(group.at(0)).toBe(15);
    expect(group.at(300_000)).toBe(5);
    group.at(359_999);
    expect(group.guard.atRest).toBe(false);
    group.at(360_000);
    expect(group.guard.atRest).toBe(true);
    group.fail(10);
    expect(group.at(360_100)).toBe(5);
  });

  test('INS4: the window slides, and who has gone in it counts for what there was', () => {
    const group = new Group(10);
    group.fail(5);
    expect(group.at(0)).toBe(5);
    expect(group.guard.until).toBeUndefined();
    group.fail(2);
    // Five of the ten of a minute ago are gone already.
    expect(group.at(59_999)).toBe(0);
    for (const id of group.failing) group.recover(id);
    group.at(60_000);
    group.at(120_000);
    expect(group.guard.atRest).toBe(true);
    group.fail(2);
    expect(group.at(120_001)).toBe(2);
  });

  test('INS4: small groups are not guarded', () => {
    const group = new Group(4);
    group.fail(4);
    expect(group.at(0)).toBe(4);
  });

  test('INS4: who recovers while it is held stays; when none fails for a window, it ends', () => {
    const group = new Group(6);
    group.fail(5);
    expect(group.at(0)).toBe(3);
    for (const id of group.failing) group.recover(id);
    expect(group.at(1000)).toBe(0);
    expect(group.guard.until).toBe(300_000);
    group.at(59_000);
    expect(group.guard.until).toBe(300_000);
    group.at(60_000);
    expect(group.guard.until).toBeUndefined();
  });

  test('INS4: an override lifts it at once and keeps it off', () => {
    const group = new Group(10);
    group.fail(8);
    expect(group.at(0)).toBe(5);
    group.off = true;
    expect(group.at(100)).toBe(3);
    expect(group.guard.until).toBeUndefined();
    group.fail(2);
    expect(group.at(200)).toBe(2);
  });

  test('what is under way counts as gone', () => {
    const guard = new EvictionGuard(LIMITS);
    expect(guard.admit({ failing: 3, pending: 4, up: 10, critical: 0, off: false }, 0)).toBe(1);
  });

  test('INS4: a command that fails while the guard lets go does not make it trip again', () => {
    const guard = new EvictionGuard(LIMITS);
    const numbers = { pending: 0, up: 10, critical: 0, off: false };
    expect(guard.admit({ ...numbers, failing: 8 }, 0)).toBe(5);
    expect(guard.admit({ ...numbers, failing: 8 }, 300_000)).toBe(8);
    expect(guard.admit({ ...numbers, failing: 8 }, 301_000)).toBe(8);
    expect(guard.until).toBeUndefined();
  });

  test('INS4: of random groups, nobody who fails on and on is held for longer than the hold, and no more go than the share', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = new Random(seed);
      const limits = { min: 2 + random.below(5), share: random.next(), windowMs: 5000, holdMs: 20_000 };
      const group = new Group(1 + random.below(20), limits);
      const since = new Map<string, number>();
      let went: { at: number; id: string }[] = [];
      let spentAt = -Infinity;
      for (let now = 0; now < 120_000; now += 100) {
        if (random.chance(0.02)) group.fail(random.below(20));
        if (random.chance(0.02))
          for (const id of [...group.failing, ...group.critical]) if (random.chance(0.7)) group.recover(id);
        for (const id of group.failing) if (!since.has(id)) since.set(id, now);
        const before = new Set(group.critical);
        const wasHolding = group.guard.until;
        const size = group.up.size;
        group.at(now);
        if (wasHolding !== undefined && now >= wasHolding) spentAt = now;
        for (const id of group.critical) if (!before.has(id)) went.push({ at: now, id });
        went = went.filter(({ at, id }) => now - at < limits.windowMs && group.critical.has(id));
        if (group.critical.size > before.size && spentAt >= now - limits.windowMs) spentAt = now;
        const baseline = size + went.length - (group.critical.size - before.size);
        const isBound = baseline >= limits.min && now - spentAt >= limits.windowMs && group.critical.size > before.size;
        const share = Math.floor(baseline * limits.share + 1e-9);
        if (isBound && went.length > share)
          throw new Error(`seed ${seed}: ${went.length} of ${baseline} went at ${now}`);
        for (const id of since.keys()) if (!group.failing.has(id)) since.delete(id);
        for (const at of since.values())
          if (now - at > limits.holdMs) throw new Error(`seed ${seed}: held since ${at}`);
      }
    }
  });
});
