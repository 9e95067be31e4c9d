import { describe, expect, test } from '@jest/globals';
import { makeItem, type AnyItem, type Change } from '../../../src/domain/item.ts';
import type { Value } from '../../../src/domain/resources.ts';
import type { Write } from '../record.ts';
import { rev1, rev2, rev3 } from './rev.ts';
import { sameState } from './state.ts';

const region = (title: string, revision: number): AnyItem =>
  makeItem({ name: 'regions/aa', title, labels: {}, revision } as unknown as Value);
const put = (item: AnyItem): Change => ({ op: 'put', item });

describe('the validators of the log complain', () => {
  test('REV1 of a gap, and of a revision that comes twice', () => {
    expect(rev1(4, { revision: 5 })).toEqual([]);
    expect(rev1(4, { revision: 6 })).toMatchObject([{ promise: 'REV1' }]);
    expect(rev1(4, { revision: 4 })).toMatchObject([{ promise: 'REV1' }]);
  });

  test('REV3 of a revision that changes nothing', () => {
    const before = (): AnyItem => region('old', 4);
    const entry = (...changes: Change[]) => ({ revision: 5, author: 'x', changes });
    expect(rev3(entry(put(region('new', 5))), before)).toEqual([]);
    expect(rev3(entry(put(region('old', 5))), before)).toMatchObject([{ promise: 'REV3' }]);
    expect(rev3(entry(put(region('old', 5)), put(region('new', 5))), before)).toEqual([]);
    expect(rev3(entry(), before)).toMatchObject([{ promise: 'REV3' }]);
    // Who may see it has changed, which is no part of the value.
    expect(rev3(entry({ op: 'put', item: region('old', 5), audienceBefore: null }), before)).toEqual([]);
    const remove: Change = { op: 'delete', kind: 'region', name: 'regions/aa', was: {} };
    expect(rev3(entry(remove), before)).toEqual([]);
    expect(rev3(entry(remove), () => undefined)).toMatchObject([{ promise: 'REV3' }]);
  });
});

describe('REV2 the validator of writes', () => {
  const write = (outcome: Write['outcome'], revision?: number): Write => ({
    node: 'node-0',
    name: 'regions/aa',
    mark: 'm 1',
    sentAt: 0,
    answeredAt: 1,
    outcome,
    ...(revision !== undefined && { revision }),
  });
  const marks = (...revisions: number[]) => new Map([['regions/aa m 1', revisions]]);

  test('takes what is in order, also what was made without an answer and sent again', () => {
    expect(rev2([write('acknowledged', 7)], marks(7))).toEqual([]);
    expect(rev2([write('unknown'), write('acknowledged', 7)], marks(7))).toEqual([]);
    expect(rev2([write('unknown')], marks(7))).toEqual([]);
    expect(rev2([write('unknown')], new Map())).toEqual([]);
    expect(rev2([write('refused'), write('unknown')], marks(7))).toEqual([]);
    expect(rev2([write('refused')], new Map())).toEqual([]);
  });

  test.each([
    ['what was acknowledged and is not there', [write('acknowledged', 7)], new Map<string, number[]>()],
    ['what was acknowledged with another revision', [write('acknowledged', 7)], marks(8)],
    ['what was made twice', [write('unknown'), write('acknowledged', 7)], marks(7, 9)],
    ['what was made though it was refused', [write('refused')], marks(7)],
  ])('complains of %s', (_what, writes, made) => {
    expect(rev2(writes, made)).toEqual(expect.arrayContaining([expect.objectContaining({ promise: 'REV2' })]));
  });

  test('a node that differs from the log, by more, by less or by other content', () => {
    const model = { 'regions/aa': { title: 'A' } };
    expect(sameState('node-1', model, { ...model })).toEqual([]);
    for (const state of [{}, { ...model, 'regions/bb': {} }, { 'regions/aa': { title: 'B' } }]) {
      expect(sameState('node-1', state, model)).toMatchObject([{ promise: 'REV2' }]);
    }
  });
});
