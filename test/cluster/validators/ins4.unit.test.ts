import { describe, expect, test } from '@jest/globals';
import type { Absence, FaultRecord, Hold, InstanceEvent, Violation } from '../record.ts';
import { ins4 } from './ins4.ts';
import { sticks, type Held } from './sticks.ts';

const guard = { min: 5, share: 0.5, windowMs: 20_000, holdMs: 120_000 };
const names = Array.from({ length: 6 }, (_, i) => `instances/${i}`);
const is = (name: string, after: number, status: string): InstanceEvent => ({
  name,
  revision: 10,
  op: 'put',
  status,
  passing: status === 'passing',
  group: 's/eu',
  isOwn: status === 'critical',
  after,
  before: after + 40,
});
const lost = (count: number, at: number, everyMs = 100): InstanceEvent[] =>
  names.slice(0, count).map((name, i) => is(name, at + i * everyMs, 'critical'));
const back = (count: number, at: number): InstanceEvent[] =>
  names.slice(0, count).map((name) => is(name, at, 'passing'));
const all = back(6, 0);
const held = (from: number, until: number, group = 's/eu'): Hold => ({ group, from, until });
const fault = (kind: string, target: string, from: number, forMs: number): FaultRecord => ({
  kind,
  target,
  from,
  healed: from + forMs,
  recovered: from + forMs,
});

describe('INS4 the validator of what is given up', () => {
  const found = (events: readonly InstanceEvent[], holds: readonly Hold[] = [], faults: readonly FaultRecord[] = []) =>
    ins4({ events, holds, faults, guard });

  test('takes as many as the share allows, and complains of one more', () => {
    expect(found([...all, ...lost(3, 1000)])).toEqual([]);
    expect(found([...all, ...lost(4, 1000)])).toMatchObject([{ promise: 'INS4' }]);
  });

  test('takes more of them over a longer time, from a small group, or of their own will', () => {
    expect(found([...all, ...lost(4, 1000, 11_000)])).toEqual([]);
    expect(found([...all.slice(0, 4), ...lost(4, 1000)])).toEqual([]);
    const asked = lost(6, 1000).map((event): InstanceEvent => ({ ...event, op: 'delete', isOwn: false }));
    expect(found([...all, ...asked])).toEqual([]);
  });

  test('who is up again is not lost', () => {
    expect(found([...all, ...lost(3, 1000), ...back(3, 2000), ...lost(3, 3000)])).toEqual([]);
  });

  test('INS4 a budget that was full long ago excuses nothing', () => {
    expect(found([...all, ...lost(3, 1000), ...back(3, 30_000), ...lost(6, 200_000)])).toHaveLength(1);
  });

  // Three are given up at once and the others kept, until the guard lets go.
  const trip = [...all, ...lost(3, 1000)];
  const others = (at: number): InstanceEvent[] => names.slice(3).map((name) => is(name, at, 'critical'));
  const anew = (at: number): InstanceEvent[] => [...back(6, at), ...lost(6, at + 5000)];

  test('INS4 what is given up once the guard has let go is taken, and not what is before that, or under the hold of another group', () => {
    const early = [...trip, ...back(3, 90_000), ...lost(6, 100_000)];
    expect(found(early, [held(1500, 230_000)])).toHaveLength(1);
    const late = [...trip, ...back(3, 90_000), ...lost(6, 121_400)];
    expect(found(late, [held(1500, 121_600)])).toEqual([]);
    expect(found(late, [held(1500, 121_600, 's/us')])).toHaveLength(1);
    expect(found(late, [held(1500, Infinity)])).toEqual([]);
  });

  test('INS4 it goes on letting go until the group has recovered: nobody was given up for a window, or nobody is critical', () => {
    const letGo = [...trip, ...others(121_500)];
    const hold = [held(1500, 121_600)];
    // One stays critical all the time, so that only time says that it recovered.
    const again = (at: number): InstanceEvent[] => [...back(5, at - 5000), ...lost(5, at)];
    expect(found([...letGo, ...again(135_000)], hold)).toEqual([]);
    expect(found([...letGo, ...again(135_000), ...again(150_000)], hold)).toEqual([]);
    expect(found([...letGo, ...again(145_000)], hold)).toHaveLength(1);
    expect(found([...letGo, ...anew(130_000)], hold)).toHaveLength(1);
    // Not for long enough to be sure.
    expect(found([...letGo, ...back(6, 130_000), ...lost(6, 131_500)], hold)).toEqual([]);
  });

  test('INS4 a hold that ended before its time let nobody go', () => {
    const events = [...trip, ...back(2, 90_000), ...lost(6, 121_500)];
    expect(found(events, [held(1500, 110_000)])).toHaveLength(1);
    // Another node has taken it over, and its end still counts there.
    expect(found(events, [held(1500, 110_000)], [fault('kill', 'node-1', 105_000, 4000)])).toEqual([]);
    expect(found(events, [held(1500, 110_000)], [fault('stampede', 'clients', 105_000, 4000)])).toHaveLength(1);
  });

  test('INS4 a hold that was taken over ends when the first one was to end', () => {
    const events = [...trip, ...back(3, 90_000), ...lost(6, 121_500)];
    const holds = [held(1500, 80_000), held(85_000, 121_600)];
    expect(found(events, holds, [fault('kill', 'node-1', 70_000, 4000)])).toEqual([]);
    expect(found(events, holds)).toHaveLength(1);
  });

  test('INS4 while a commit waits, a trip is told late, and quiet proves nothing', () => {
    const away = fault('postgres-crash', 'postgres', 1000, 5000);
    const late = [...trip, ...back(3, 90_000), ...lost(6, 121_000)];
    expect(found(late, [held(6000, 121_600)])).toHaveLength(1);
    expect(found(late, [held(6000, 121_600)], [away])).toEqual([]);
    const letGo = [...trip, ...others(121_500), ...back(5, 140_000), ...lost(5, 145_000)];
    expect(found(letGo, [held(1500, 121_600)])).toHaveLength(1);
    expect(found(letGo, [held(1500, 121_600)], [{ ...away, from: 130_000, recovered: 135_000 }])).toEqual([]);
  });
});

describe('INS4 the guard does not stick', () => {
  const found = (hold: Hold, rest: Partial<Held> = {}): Violation[] =>
    sticks({ holds: [hold], absences: [], faults: [], guard, endedAt: 1_000_000, ...rest });

  test('a hold of its full length is taken, and one that lasts on is not', () => {
    expect(found(held(1000, 121_500))).toEqual([]);
    expect(found(held(1000, 151_000))).toEqual([]);
    expect(found(held(1000, 151_001))).toMatchObject([{ promise: 'INS4', what: 's/eu was held for 150 s' }]);
  });

  test('one that stands when the run ends lasts until then', () => {
    expect(found(held(1000, Infinity), { endedAt: 151_000 })).toEqual([]);
    expect(found(held(1000, Infinity), { endedAt: 160_000 })).toHaveLength(1);
  });

  test('the absences in it do not count; after one of everybody it may have tripped anew', () => {
    const absence: Absence = { from: 50_000, until: 60_000, why: 'postgres' };
    const absences = [absence, { ...absence, from: 55_000 }];
    expect(found(held(1000, 161_000), { absences })).toEqual([]);
    expect(found(held(1000, 161_001), { absences })).toHaveLength(1);
    expect(found(held(1000, 270_000), { absences: [{ ...absence, isOfAllNodes: true }] })).toEqual([]);
    expect(found(held(1000, 290_000), { absences: [{ ...absence, isOfAllNodes: true }] })).toHaveLength(1);
    expect(found(held(1000, 270_000), { absences: [{ ...absence, until: 66_000 }] })).toEqual([]);
    expect(found(held(1000, 270_000), { absences: [{ ...absence, until: 66_000, ofLeasesOnly: true }] })).toHaveLength(
      1,
    );
  });

  test('who takes the group over as it ends says so for a window more, and so does the next one', () => {
    const kills = [fault('kill', 'node-1', 148_000, 2000), fault('kill', 'node-2', 170_000, 2000)];
    expect(found(held(1000, 174_000), { faults: kills.slice(0, 1) })).toEqual([]);
    expect(found(held(1000, 176_000), { faults: kills.slice(0, 1) })).toHaveLength(1);
    expect(found(held(1000, 196_000), { faults: kills })).toEqual([]);
    expect(found(held(1000, 198_000), { faults: kills })).toHaveLength(1);
    expect(found(held(1000, 155_000), { faults: [fault('slow-redis', 'node-1', 148_000, 2000)] })).toHaveLength(1);
  });

  test('a wrong clock may lengthen it by as much again, if it told the end or took it over', () => {
    const clock = fault('clock', 'node-1', 50_000, 3000);
    const long = held(1000, 260_000);
    expect(found(long, { faults: [clock] })).toHaveLength(1);
    expect(found(long, { faults: [clock, fault('kill', 'node-2', 45_000, 2000)] })).toEqual([]);
    expect(found(long, { faults: [{ ...clock, from: 500 }] })).toEqual([]);
  });
});
