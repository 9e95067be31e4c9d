import { beforeEach, describe, expect, test } from '@jest/globals';
import { makeItem, type Change } from '../../../src/domain/item.ts';
import type { Value } from '../../../src/domain/resources.ts';
import type { ServerFrame } from '../../../src/protocol/frames.ts';
import { CheckedSubscription } from '../../feed/checked-client.ts';
import { FrameDesk } from '../frame-desk.ts';
import { Tracks } from '../tracks.ts';

const SELECT = { kind: 'region' } as const;
const TOPIC = 'region';

const item = (id: string, revision: number) =>
  makeItem({ name: `regions/${id}`, title: id, labels: {}, revision } as unknown as Value);
const remove = (id: string): Change => ({ op: 'delete', kind: 'region', name: `regions/${id}`, was: {} });

type Told = { op: 'put' | 'delete'; kind: 'region'; key: string; revision: number };
const put = (id: string, revision: number): Told => ({ op: 'put', kind: 'region', key: `regions/${id}`, revision });
const change = (revision: number, ...changes: Told[]): ServerFrame => ({
  type: 'change',
  topic: TOPIC,
  revision,
  changes,
});
const snapshot = (revision: number, ...items: { name: string; revision: number }[]): ServerFrame => ({
  type: 'snapshot',
  topic: TOPIC,
  revision,
  items,
  more: false,
});

describe('the validator of what subscribers are told', () => {
  let tracks: Tracks;
  let subscription: CheckedSubscription;
  const tell =
    (...frames: ServerFrame[]) =>
    () =>
      frames.forEach((frame) => subscription.receive(frame));
  const bookmark = (revision: number, digest = tracks.digest(revision, SELECT)): ServerFrame => ({
    type: 'bookmark',
    revision,
    digests: { [TOPIC]: digest },
  });
  const FIRST = snapshot(2, { name: 'regions/aa', revision: 1 }, { name: 'regions/bb', revision: 2 });

  // 1: a. 2: b. 3: c and a again, at once. 4: nothing for us. 5: b goes. 6: d.
  beforeEach(() => {
    tracks = new Tracks([SELECT, { kind: '*' }]);
    const log: Change[][] = [
      [{ op: 'put', item: item('aa', 1) }],
      [{ op: 'put', item: item('bb', 2) }],
      [
        { op: 'put', item: item('cc', 3) },
        { op: 'put', item: item('aa', 3) },
      ],
      [
        {
          op: 'put',
          item: makeItem({ name: 'projects/pp', title: 'pp', labels: {}, revision: 4 } as unknown as Value),
        },
      ],
      [remove('bb')],
      [{ op: 'put', item: item('dd', 6) }],
    ];
    log.forEach((changes, i) => tracks.record({ revision: i + 1, at: 0, author: '', changes }));
    subscription = new CheckedSubscription(tracks, SELECT);
    subscription.topic = TOPIC;
  });

  test('takes what is in order', () => {
    const gone: Told = { op: 'delete', kind: 'region', key: 'regions/bb', revision: 5 };
    tell(FIRST, change(3, put('cc', 3), put('aa', 3)), bookmark(4), change(6, gone, put('dd', 6)), bookmark(6))();
    expect([subscription.position, subscription.events]).toEqual([6, 4]);
  });

  test.each<[string, RegExp, () => ServerFrame[]]>([
    ['PUSH1 changes out of order', /PUSH1/, () => [FIRST, change(3, put('aa', 3), put('cc', 3))]],
    [
      'PUSH2 a change that comes twice',
      /PUSH2/,
      () => [FIRST, change(3, put('cc', 3), put('aa', 3)), change(3, put('cc', 3), put('aa', 3))],
    ],
    ['PUSH3 a change that is missing', /PUSH1-4/, () => [FIRST, change(6, put('dd', 6))]],
    ['PUSH3 a bookmark past what was never sent', /PUSH3/, () => [FIRST, bookmark(4)]],
    ['PUSH4 a revision that is split', /PUSH1-4/, () => [FIRST, change(3, put('cc', 3))]],
    ['PUSH6 a bookmark that goes back', /PUSH6/, () => [FIRST, bookmark(1)]],
    ['PUSH7 a change before the snapshot', /PUSH7/, () => [change(3, put('cc', 3), put('aa', 3))]],
    ['PUSH7 a snapshot that is not whole', /PUSH7/, () => [snapshot(2, { name: 'regions/aa', revision: 1 })]],
    ['PUSH7 a snapshot of another revision', /PUSH7/, () => [snapshot(6, { name: 'regions/aa', revision: 1 })]],
    ['PUSH8 a digest of something else', /PUSH8/, () => [FIRST, bookmark(2, '0000000000000001')]],
    ['a revision that is not in the log', /not in the log/, () => [FIRST, change(7, put('ee', 7))]],
  ])('complains of %s', (_what, complaint, frames) => {
    expect(tell(...frames())).toThrow(complaint);
  });

  test('what is forgotten is what nobody asks for', () => {
    tracks.forget(5);
    expect(tracks.expected(5, SELECT)).toEqual(['delete regions/bb@5']);
    expect(tracks.digest(6, SELECT)).not.toBe('0000000000000000');
    expect(() => tracks.digest(2, SELECT)).toThrow('forgotten');
  });

  test('PUSH3 complains of a value that the log has otherwise', () => {
    const desk = new FrameDesk((key, revision) => (key === 'regions/dd' && revision === 6 ? item('dd', 6) : undefined));
    const told = (title: string): Extract<ServerFrame, { type: 'change' }> => ({
      type: 'change',
      topic: TOPIC,
      revision: 6,
      changes: [{ ...put('dd', 6), value: { name: 'regions/dd', title, labels: {}, revision: 6 } }],
    });
    expect(() => desk.mustBeTrue(told('dd'))).not.toThrow();
    expect(() => desk.mustBeTrue(told('other'))).toThrow('PUSH3');
  });
});
