import { describe, expect, test } from '@jest/globals';
import { Random } from '../support/random.ts';
import { absencesOf } from './absences.ts';
import { schedule, targetOf, timetable, type Fault } from './faults.ts';
import type { FaultRecord } from './record.ts';
import { QUIET_MS, RUN_MS, SEEDS } from './seeds.ts';

const LEASE_MS = 3000;

function faults(seed: number, count: number): (readonly Fault[])[] {
  const steps = schedule(new Random(seed), 3, LEASE_MS);
  return Array.from({ length: count }, () => steps.next().value);
}

describe('a schedule of faults', () => {
  test('is the same for the same seed, and another for another', () => {
    expect(faults(1, 100)).toEqual(faults(1, 100));
    expect(faults(2, 100)).not.toEqual(faults(1, 100));
  });

  test('has every kind within a round, and two at once only on different targets', () => {
    const steps = faults(3, 22).flat();
    expect(new Set(steps.map(({ kind }) => kind)).size).toBe(22);
    const pairs = faults(4, 500).filter((step) => step.length === 2);
    expect(pairs.length).toBeGreaterThan(20);
    for (const pair of pairs) expect(new Set(pair.map(targetOf)).size).toBe(2);
  });

  test('a pause is longer than a lease', () => {
    const pauses = faults(5, 300)
      .flat()
      .filter(({ kind }) => kind === 'pause');
    expect(pauses.length).toBeGreaterThan(5);
    for (const { forMs } of pauses) expect(forMs).toBeGreaterThan(LEASE_MS);
  });
});

describe('the seeds of the cluster tests', () => {
  /** More than it takes until all is well again, on average: half of the faults take less than a second. */
  const RECOVERY_MS = 3000;
  const kindsOf = (seed: number): string[] => {
    const kinds: string[] = [];
    let at = 0;
    for (const { step, quietMs } of timetable(seed, { nodes: 3, leaseMs: LEASE_MS, quietMs: QUIET_MS })) {
      kinds.push(...step.map(({ kind }) => kind));
      at += Math.max(...step.map(({ forMs }) => forMs)) + RECOVERY_MS + quietMs;
      if (at > RUN_MS) break;
    }
    return kinds;
  };

  test('come to every kind of fault within their time, all together', () => {
    const all = new Set(faults(3, 22).flatMap((step) => step.map(({ kind }) => kind)));
    expect(new Set(SEEDS.flatMap(kindsOf))).toEqual(all);
    expect(new Set([1, 2, 3].flatMap(kindsOf)).size).toBeLessThan(all.size);
  });

  test('a timetable is the schedule of its seed, whatever the pauses', () => {
    const steps = (quietMs: number): (readonly Fault[])[] => {
      const all = timetable(7, { nodes: 3, leaseMs: LEASE_MS, quietMs });
      return Array.from({ length: 60 }, () => all.next().value.step);
    };
    expect(steps(500)).toEqual(steps(3000));
  });
});

describe('when Signalbox was away', () => {
  const fault = (kind: string, target: string, from: number): FaultRecord => ({
    kind,
    target,
    from,
    healed: from + 1000,
    recovered: from + 2000,
  });
  const shared = { nodes: 3, end: 'recovered' } as const;

  test('one node is not enough, and all of them at once are', () => {
    const two = [fault('kill', 'node-0', 1000), fault('pause', 'node-1', 1500)];
    expect(absencesOf(two, shared)).toEqual([]);
    expect(absencesOf([...two, fault('kill', 'node-2', 2500)], shared)).not.toEqual([]);
  });

  test('with PostgreSQL or Redis, until what was asked for', () => {
    for (const one of [fault('postgres-crash', 'postgres', 1000), fault('redis-kill', 'redis', 1000)]) {
      const until = one.target === 'redis' ? 4000 : 3000;
      expect(absencesOf([one], shared)).toMatchObject([{ from: 1000, until }]);
      expect(absencesOf([one], { ...shared, end: 'healed' })).toMatchObject([{ from: 1000, until: 2000 }]);
    }
  });

  test('not while Redis was slow, or clients were cut off, or a clock was wrong', () => {
    const harmless = ['slow-redis', 'cut-clients', 'clock', 'half-open-clients'];
    expect(
      absencesOf(
        harmless.map((kind) => fault(kind, 'node-0', 1000)),
        shared,
      ),
    ).toEqual([]);
  });

  test('a node that does not reach Redis is one for leases, once it is noticed, and one that was cut off when it is back', () => {
    const silent: FaultRecord = { ...fault('half-open-redis', 'node-1', 1000), healed: 6000, recovered: 7000 };
    const terminated = fault('postgres-terminate', 'postgres', 1000);
    expect(absencesOf([terminated], shared)).toMatchObject([{ from: 1000, until: 3000, ofLeasesOnly: false }]);
    expect(absencesOf([terminated], { ...shared, end: 'healed' })).toEqual([]);
    expect(absencesOf([silent], shared)).toMatchObject([{ from: 1000, until: 8000, ofLeasesOnly: true }]);
    expect(absencesOf([silent], { ...shared, end: 'healed' })).toMatchObject([{ from: 4000, until: 6000 }]);
    expect(absencesOf([fault('half-open-redis', 'node-1', 1000)], { ...shared, end: 'healed' })).toEqual([]);
    const cut = [fault('partition', 'node-1', 1000)];
    expect(absencesOf(cut, shared)).toMatchObject([{ from: 1000, until: 4000, ofLeasesOnly: true }]);
    expect(absencesOf(cut, { ...shared, end: 'healed' })).toEqual([]);
  });

  test('a node that does not reach Redis while the database is away, or it is cut off from that, may have kept nothing', () => {
    const ends = { ...shared, end: 'healed' } as const;
    const refused: FaultRecord = { ...fault('refuse-redis', 'node-1', 1000), healed: 4000, recovered: 5000 };
    expect(absencesOf([refused], ends)).toMatchObject([{ from: 1000, until: 4000, ofLeasesOnly: true }]);
    const crash = fault('postgres-crash', 'postgres', 1000);
    expect(absencesOf([refused, crash], ends)).toMatchObject([{ from: 1000, until: 2000, ofLeasesOnly: false }]);
    expect(absencesOf([refused, fault('cut-postgres', 'node-1', 1000)], ends)).toEqual([]);
    // Another node's trouble, an earlier one, or that of its clients, is not this one's.
    for (const other of [
      fault('cut-postgres', 'node-2', 1000),
      fault('kill', 'node-1', -3000),
      fault('cut-clients', 'node-1', 1000),
      fault('slow-postgres', 'node-1', 1000),
    ])
      expect(absencesOf([refused, other], ends)).toMatchObject([{ from: 1000, until: 4000 }]);
  });

  test('not while the database was slow for a node', () => {
    expect(absencesOf([fault('slow-postgres', 'node-1', 1000)], shared)).toEqual([]);
  });
});
