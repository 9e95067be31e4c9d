import { expect, test } from '@jest/globals';
import { BUS_PROTOCOL, decodeAnnouncement, encodeAnnouncement } from '../../src/bus/wire.ts';
import { entry } from './contract.ts';

const announcement = { epoch: 'e', from: 7, to: 8, entries: [entry(7), entry(8)] };

/** The same message with something more in each of its objects, but for labels, which are what they are. */
function withMore(message: string): string {
  const at = message.indexOf('{');
  const more = (key: string, value: unknown): unknown =>
    typeof value !== 'object' || value === null || Array.isArray(value) || key === 'labels' || key === 'was'
      ? value
      : { later: { list: [1] }, ...value, andMore: 'text' };
  return message.slice(0, at) + JSON.stringify(JSON.parse(message.slice(at), more));
}

test('PUSH11 what a later version says beside is passed over, and kept where it is of a resource', () => {
  const { epoch, from, to, entries } = decodeAnnouncement(withMore(encodeAnnouncement('node', announcement)));
  expect({ epoch, from, to }).toEqual({ epoch: 'e', from: 7, to: 8 });
  expect(entries?.map(({ revision, at, author }) => ({ revision, at, author }))).toEqual(
    announcement.entries.map(({ revision, at, author }) => ({ revision, at, author })),
  );
  const changes = entries?.flatMap((each) => each.changes) ?? [];
  const told = announcement.entries.flatMap((each) => each.changes);
  expect(changes.map((change) => (change.op === 'put' ? change.item.name : change.name))).toEqual(
    told.map((change) => (change.op === 'put' ? change.item.name : change.name)),
  );
  // Whoever applies it holds what the log holds, and so do all who watch here.
  for (const change of changes) {
    if (change.op === 'put') expect(JSON.parse(change.item.json)).toMatchObject({ andMore: 'text' });
    expect(Object.keys(change)).not.toContain('andMore');
  }
});

test('PUSH11 a message of another number is none that can be read, whatever is in it', () => {
  const message = encodeAnnouncement('node', announcement);
  for (const number of [BUS_PROTOCOL + 1, 0, 999_999_999]) {
    expect(() => decodeAnnouncement(message.replace(/^\d+/, String(number)))).toThrow(`of protocol ${number}`);
  }
});
