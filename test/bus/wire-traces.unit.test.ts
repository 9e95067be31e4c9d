import { expect, test } from '@jest/globals';
import { MAX_TRACES } from '../../src/bus/port.ts';
import { decodeAnnouncement, encodeAnnouncement } from '../../src/bus/wire.ts';

const NEWS = { epoch: 'e1', from: 3, to: 4 };
const PARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const ENTRY = { revision: 3, at: 5, author: 'a', changes: [] };
const withTrace = (trace: unknown): string =>
  encodeAnnouncement('n1', NEWS).replace(/\}$/, `,"trace":${JSON.stringify(trace)}}`);

test('an announcement carries traces, with and without entries', () => {
  const trace = [
    { revision: 3, parent: PARENT },
    { revision: 4, parent: PARENT.replace('4bf9', '0000') },
  ];
  for (const news of [{ ...NEWS, trace }, { ...NEWS, trace, entries: [ENTRY] }, { ...NEWS, entries: [ENTRY] }, NEWS]) {
    expect(decodeAnnouncement(encodeAnnouncement('n1', news))).toEqual(news);
  }
});

test.each([
  null,
  'text',
  { revision: 3, parent: PARENT },
  [null, 7, [], {}, { revision: 3 }, { parent: PARENT }, { revision: -1, parent: PARENT }],
  [{ revision: 3, parent: `${PARENT} ` }],
  [{ revision: 3, parent: PARENT.replace('00-', 'ff-') }],
  [{ revision: 3, parent: PARENT.toUpperCase() }],
  [{ revision: 3, parent: `00-${'0'.repeat(32)}-00f067aa0ba902b7-01` }],
  [{ revision: 3, parent: `00-4bf92f3577b34da6a3ce929d0e0e4736-${'0'.repeat(16)}-01` }],
  [{ revision: 3, parent: '0'.repeat(55) }],
])('a trace that cannot be read is left out, and the news is taken: %j', (trace) => {
  expect(decodeAnnouncement(withTrace(trace))).toEqual({ ...NEWS, trace: [] });
});

test('of too many traces the first are taken', () => {
  const many = Array.from({ length: 50 }, (_, i) => ({ revision: i, parent: PARENT }));
  expect(decodeAnnouncement(withTrace(many)).trace).toEqual(many.slice(0, MAX_TRACES));
});
