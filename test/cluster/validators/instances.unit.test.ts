import { describe, expect, test } from '@jest/globals';
import type { Absence, Death, FaultRecord, InstanceEvent, Life, Told } from '../record.ts';
import { gone } from './gone.ts';
import { ins1, type Deaths } from './ins1.ts';
import { ins3 } from './ins3.ts';

const LEASE_MS = 3000;
const BOUND_MS = 4000;

const life = (rest: Partial<Life> = {}): Life => ({
  name: 'instances/a',
  group: 's/eu',
  check: 'ttl',
  everyMs: LEASE_MS,
  boundMs: BOUND_MS,
  renewals: [],
  deaths: [],
  leavings: [],
  ...rest,
});

/** Signalbox says that it is critical, between these two moments. */
const critical = (after: number, before: number, rest: Partial<InstanceEvent> = {}): InstanceEvent => ({
  name: 'instances/a',
  revision: 10,
  op: 'put',
  status: 'critical',
  passing: false,
  group: 's/eu',
  isOwn: true,
  after,
  before,
  ...rest,
});
const passing = (at: number, rest: Partial<InstanceEvent> = {}): InstanceEvent =>
  critical(at, at + 10, { revision: 1, status: 'passing', passing: true, isOwn: false, ...rest });

describe('gone: who renewed in time is never given up', () => {
  const renewed = (...at: number[]): Life =>
    life({ renewals: at.map((sentAt) => ({ sentAt, answeredAt: sentAt + 10 })) });

  test('complains when an acknowledged renewal still held', () => {
    expect(gone([renewed(5000)], [critical(7000, 7040)])).toMatchObject([{ promise: 'INS1' }]);
    expect(gone([renewed(5000)], [critical(7000, 7040, { op: 'delete' })])).toHaveLength(1);
  });

  test('takes it when the lease had run out, or may have, or the renewal came as the decision was made', () => {
    expect(gone([renewed(5000)], [critical(8000, 8040)])).toEqual([]);
    expect(gone([renewed(5000)], [critical(7990, 8010)])).toEqual([]);
    expect(gone([renewed(5000)], [critical(5005, 5040)])).toEqual([]);
  });

  test('takes it when it renewed as the lease had run out already, and not when that was long ago', () => {
    expect(gone([renewed(1000, 6990)], [critical(7010, 7040)])).toEqual([]);
    expect(gone([renewed(1000, 6000, 8000, 10_000, 12_000)], [critical(13_000, 13_040)])).toHaveLength(1);
  });

  test('takes what its owner asked for', () => {
    expect(gone([renewed(5000)], [critical(7000, 7040, { op: 'delete', isOwn: false })])).toEqual([]);
  });

  test('complains when somebody who is checked answered all the time, and not when it was dead or nobody could answer', () => {
    const checked = (deaths: Death[]): Life => life({ check: 'http', everyMs: 1000, deaths });
    const event = critical(20_000, 20_040);
    expect(gone([checked([])], [event])).toHaveLength(1);
    expect(gone([checked([{ from: 18_000, until: 19_000, isLoose: false }])], [event])).toEqual([]);
    expect(gone([checked([{ from: 1000, until: 2000, isLoose: false }])], [event])).toHaveLength(1);
    expect(gone([checked([])], [event], [{ from: 19_000, until: 19_500 }])).toEqual([]);
  });
});

describe('INS1 the validator', () => {
  const death = (rest: Partial<Death> = {}): Death => ({ from: 10_000, until: Infinity, isLoose: false, ...rest });
  const told = (at: number, rest: Partial<Told> = {}): Told => ({
    name: 'instances/a',
    revision: 10,
    at,
    watcher: 'w',
    node: 'node-1',
    since: 0,
    ...rest,
  });
  const run = (rest: Partial<Deaths>): Deaths => ({
    lives: [life({ deaths: [death()] })],
    events: [passing(0), critical(12_900, 12_940)],
    told: [told(13_000)],
    absences: [],
    faults: [],
    stalls: [],
    holds: [],
    guarded: new Set(),
    ...rest,
  });

  test('takes a death that was told in time, and says how long that took', () => {
    expect(ins1(run({}))).toEqual({ violations: [], detections: [3000] });
  });

  test.each<[string, Partial<Deaths>]>([
    ['nobody noticed', { events: [passing(0)], told: [] }],
    ['nobody was told', { told: [] }],
    ['it was told too late', { told: [told(14_001)] }],
    ['one of the watchers was told too late', { told: [told(13_000), told(14_500, { watcher: 'v' })] }],
  ])('complains when %s', (_what, rest) => {
    expect(ins1(run(rest)).violations).toMatchObject([{ promise: 'INS1' }]);
  });

  test('does not hold it against a watcher that has just come, or whose node was in trouble', () => {
    const late = told(14_500, { watcher: 'v' });
    expect(ins1(run({ told: [told(13_000), { ...late, since: 11_000 }] })).violations).toEqual([]);
    const fault: FaultRecord = { kind: 'kill', target: 'node-1', from: 11_000, healed: 12_000, recovered: 13_000 };
    expect(ins1(run({ told: [told(13_000, { node: 'node-2' }), late], faults: [fault] })).violations).toEqual([]);
  });

  test('an absence within the bound moves it to a bound after its end, and no further', () => {
    const absences: Absence[] = [{ from: 12_000, until: 20_000, why: 'redis' }];
    const at = (ms: number): Partial<Deaths> => ({
      absences,
      events: [passing(0), critical(ms - 50, ms - 20)],
      told: [told(ms)],
    });
    expect(ins1(run(at(24_000)))).toEqual({ violations: [], detections: [] });
    expect(ins1(run(at(24_001))).violations).toHaveLength(1);
    const leasesOnly = absences.map((absence) => ({ ...absence, ofLeasesOnly: true }));
    const late = { ...run(at(24_000)), absences: leasesOnly };
    expect(ins1(late).violations).toEqual([]);
    expect(ins1({ ...late, lives: [life({ check: 'http', deaths: [death()] })] }).violations).toHaveLength(1);
    const early: Absence[] = [{ from: 1000, until: 9000, why: 'redis' }];
    expect(ins1(run({ ...at(14_001), absences: early })).violations).toHaveLength(1);
  });

  test('for what is checked, leases that are away while a node is lost are as one more loss, and nothing without it', () => {
    const absences: Absence[] = [{ from: 12_000, until: 13_000, why: 'redis', ofLeasesOnly: true }];
    const fault: FaultRecord = { kind: 'kill', target: 'node-2', from: 10_500, healed: 11_000, recovered: 12_000 };
    const lives = [life({ check: 'http', deaths: [death()] })];
    const at = (ms: number, faults: FaultRecord[]): number =>
      ins1(run({ lives, absences, faults, events: [passing(0), critical(ms - 50, ms - 20)], told: [told(ms)] }))
        .violations.length;
    expect([at(19_000, [fault]), at(19_001, [fault])]).toEqual([0, 1]);
    expect([at(14_000, []), at(14_001, [])]).toEqual([0, 1]);
  });

  test('the bound has the loss of one node in it; each further one adds as much again', () => {
    const kill = (target: string, from: number): FaultRecord => ({
      kind: 'kill',
      target,
      from,
      healed: from + 100,
      recovered: from + 200,
    });
    const at = (ms: number, faults: readonly FaultRecord[]): number =>
      ins1(run({ faults, events: [passing(0), critical(ms - 50, ms - 20)], told: [told(ms)] })).violations.length;
    expect(at(14_001, [kill('node-0', 11_000)])).toBe(1);
    const two = [kill('node-0', 11_000), kill('node-2', 13_000)];
    expect(at(19_000, two)).toBe(0);
    expect(at(19_001, two)).toBe(1);
    // Before it died, or later than the bound, even of two, they have no part in it.
    expect(at(14_001, [kill('node-0', 9000), kill('node-2', 13_000)])).toBe(1);
    expect(at(19_001, [...two, kill('node-0', 19_000)])).toBe(1);
    expect(at(14_001, [kill('node-0', 11_000), kill('clients', 13_000)])).toBe(1);
    expect(at(14_001, [kill('node-0', 11_000), { ...kill('node-2', 13_000), kind: 'slow-redis' }])).toBe(1);
  });

  test('INS4 while the guard holds its group, and says so, nobody has to be told; the bound runs anew after it', () => {
    const holds = [{ group: 's/eu', from: 12_000, until: 20_000 }];
    const at = (ms: number): Partial<Deaths> => ({
      holds,
      events: [passing(0), critical(ms - 50, ms - 20)],
      told: [told(ms)],
    });
    expect(ins1(run(at(24_000)))).toEqual({ violations: [], detections: [] });
    expect(ins1(run(at(24_001))).violations).toHaveLength(1);
    const elsewhere = holds.map((hold) => ({ ...hold, group: 's/us' }));
    expect(ins1(run({ ...at(24_000), holds: elsewhere })).violations).toHaveLength(1);
    expect(ins1(run({ ...at(20_000), holds: [{ ...holds[0]!, from: 14_001 }] })).violations).toHaveLength(1);
  });

  test('who came back before the bound, was out already, or was guarded proves nothing', () => {
    const nobody = { told: [], events: [passing(0)] };
    expect(ins1(run({ ...nobody, lives: [life({ deaths: [death({ until: 13_900 })] })] })).violations).toEqual([]);
    expect(ins1(run({ ...nobody, lives: [life({ deaths: [death({ until: 14_100 })] })] })).violations).toHaveLength(1);
    expect(ins1(run({ told: [], events: [critical(100, 140)] })).violations).toEqual([]);
    expect(ins1(run({ ...nobody, guarded: new Set(['s/eu']) })).violations).toEqual([]);
    expect(ins1(run({ ...nobody, lives: [life({ deaths: [death({ isLoose: true })] })] })).violations).toEqual([]);
  });
});

describe('INS3 the validator', () => {
  const absences: Absence[] = [{ from: 10_000, until: 20_000, why: 'redis was away' }];

  test('complains of a lease that runs out during an absence, or less than its length after it', () => {
    for (const at of [15_000, 20_500, 22_900]) {
      expect(ins3([life()], [critical(at, at + 40)], absences)).toMatchObject([{ promise: 'INS3' }]);
    }
  });

  test('takes one that runs out a full length after, or before, or as it begins', () => {
    for (const at of [9000, 10_500, 23_000]) expect(ins3([life()], [critical(at, at + 40)], absences)).toEqual([]);
    expect(ins3([life()], [critical(15_000, 15_040)], [{ from: 14_000, until: 15_000, why: 'short' }])).toEqual([]);
  });
});
