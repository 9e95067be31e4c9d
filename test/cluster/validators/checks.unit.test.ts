import { expect, test } from '@jest/globals';
import type { Asking, FaultRecord, InstanceEvent, Life } from '../record.ts';
import { checks, type Checks } from './checks.ts';

const EVERY_MS = 1000;

const life = (asked: (number | Asking)[], rest: Partial<Life> = {}): Life => ({
  name: 'instances/a',
  group: 's/eu',
  check: 'http',
  everyMs: EVERY_MS,
  boundMs: 9000,
  renewals: [],
  deaths: [],
  leavings: [],
  asked: asked.map((one) => (typeof one === 'number' ? { at: one, by: 'node-0' } : one)),
  ...rest,
});
const DECIDED: InstanceEvent = {
  name: 'instances/a',
  revision: 2,
  op: 'put',
  status: 'passing',
  passing: true,
  group: 's/eu',
  isOwn: true,
  after: 0,
  before: 10,
};
const each = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i * EVERY_MS);
const run = (one: Life, rest: Partial<Checks> = {}): string[] =>
  checks({
    lives: [one],
    events: [DECIDED],
    absences: [],
    faults: [],
    stalls: [],
    from: 0,
    until: Infinity,
    ...rest,
  }).map(({ promise }) => promise);
const fault = (kind: string, from: number, recovered: number): FaultRecord => ({
  kind,
  target: 'node-0',
  from,
  healed: recovered,
  recovered,
});

test('takes checks that come at their turn, a little early or late', () => {
  expect(run(life([10_000, 11_120, 11_990, 13_000, 14_900]))).toEqual([]);
});

test('each loss of a node may leave somebody out for as long as a takeover takes', () => {
  const kill = fault('kill', 12_000, 13_000);
  const after = (ms: number): Life => life([...each(10_000, 3), ...each(12_000 + ms, 3)]);
  expect(run(after(7050), { faults: [kill] })).toEqual([]);
  expect(run(after(7051), { faults: [kill] })).toEqual(['checks']);
  expect(run(after(12_050), { faults: [kill, fault('pause', 14_000, 18_000)] })).toEqual([]);
  expect(run(after(12_051), { faults: [kill, fault('pause', 14_000, 18_000)] })).toEqual(['checks']);
});

test('complains of two within an interval, unless nodes were lost or came just then, or this process stood still', () => {
  const twice = life([...each(10_000, 5), 14_100, ...each(15_000, 3)]);
  expect(run(twice)).toEqual(['checks']);
  expect(run(twice, { faults: [fault('slow-redis', 13_000, 15_000)] })).toEqual(['checks']);
  expect(run(twice, { faults: [fault('kill', 1000, 3000)] })).toEqual(['checks']);
  expect(run(twice, { faults: [fault('kill', 13_000, 15_000)] })).toEqual([]);
  expect(run(twice, { faults: [fault('kill', 8000, 10_000)] })).toEqual([]);
  expect(run(twice, { stalls: [{ from: 14_020, until: 14_200 }] })).toEqual([]);
});

test('a node that is late makes its checks up, but two nodes do not share that', () => {
  // Slots at full seconds: those of 12 to 16 s, each at another time too late; and that of 12 s when 13 s was due, too.
  const slowly = [...each(10_000, 2), 12_200, 13_500, 15_400, 16_450, 16_550, ...each(17_000, 3)];
  const atOnce = [...each(10_000, 2), 13_040, 13_050, ...each(14_000, 3)];
  const by = (all: number[], node: (at: number) => number): Asking[] =>
    all.map((at) => ({ at, by: `node-${node(at)}` }));
  for (const late of [slowly, atOnce]) expect(run(life(late))).toEqual([]);
  expect(run(life(by(slowly, (at) => Number(at === 16_550))))).toEqual(['checks', 'checks']);
  expect(run(life(by(atOnce, (at) => Number(at >= 13_050))))).toEqual(['checks']);
  // One slot twice, however late another one was once.
  expect(run(life([...slowly, 20_000, 20_005, 21_000]))).toEqual(['checks']);
  expect(run(life([...each(10_000, 2), 13_040, 13_045, 13_050, ...each(14_000, 3)]))).not.toEqual([]);
});

test('complains when checks do not say of which node they are', () => {
  expect(run(life([...each(10_000, 2), { at: 12_000, by: undefined }]))).toEqual(['checks']);
});

test('complains of somebody who is left out, and for longer than a takeover takes when a node was lost', () => {
  const left = (forMs: number): Life => life([...each(10_000, 3), 12_000 + forMs]);
  expect(run(left(2000))).toEqual([]);
  expect(run(left(2100))).toEqual(['checks']);
  expect(run(left(7000), { faults: [fault('kill', 12_500, 16_000)] })).toEqual([]);
  expect(run(left(7100), { faults: [fault('kill', 12_500, 16_000)] })).toEqual(['checks']);
  expect(run(left(9000), { absences: [{ from: 13_000, until: 20_000, why: 'postgres' }] })).toEqual([]);
  expect(run({ ...left(9000), deaths: [{ from: 13_000, until: 20_000, isLoose: false }] })).toEqual([]);
});

test('before and after, nothing is looked at', () => {
  const twice = life([10_000, 10_100, 20_000, 21_000, 31_000]);
  expect(run(twice, { from: 10_050, until: 25_000 })).toEqual(['checks']);
  expect(run(twice, { from: 20_000, until: 25_000 })).toEqual([]);
  expect(run(twice, { from: 10_050, until: 25_000, events: [{ ...DECIDED, before: 19_000 }] })).toEqual([]);
});
