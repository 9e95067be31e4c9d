import { expect, test } from '@jest/globals';
import fc from '../support/properties.ts';
import { EventParser, EventTooLong, type ServerSentEvent } from '../../src/sdk/links/event-parser.ts';

const RECORDED = [
  ': a comment\r\n\r\n',
  'event: welcome\ndata: {"type":"welcome"}\n\n',
  'event: synced\r\nid: k3:41\r\ndata: {"type":"synced",\r\ndata: "title":"Zürich 🚉"}\r\n\r\n',
  'id: k3:42\rdata:no space\r\r',
  'id: reset:0\nevent:reset\ndata\n\n',
  ':\n\n',
  'retry: 250\nevent: close\ndata: {"code":4000}\n\n',
  'event: nothing\n\nid: with\0nul\ndata: last\n\n',
].join('');

const EVENTS: readonly ServerSentEvent[] = [
  { event: 'welcome', data: '{"type":"welcome"}', id: '' },
  { event: 'synced', data: '{"type":"synced",\n"title":"Zürich 🚉"}', id: 'k3:41' },
  { event: 'message', data: 'no space', id: 'k3:42' },
  { event: 'reset', data: '', id: 'reset:0' },
  { event: 'close', data: '{"code":4000}', id: 'reset:0' },
  { event: 'message', data: 'last', id: 'reset:0' },
];

/** As the carrier reads: bytes, which may end within a character. */
function parse(pieces: readonly Uint8Array[]): ServerSentEvent[] {
  const parser = new EventParser();
  const decoder = new TextDecoder('utf-8', { fatal: true });
  return pieces.flatMap((piece) => parser.push(decoder.decode(piece, { stream: true })));
}

test('a stream is the same events wherever it is split in two, or in single bytes', () => {
  const bytes = new TextEncoder().encode(RECORDED);
  for (let at = 0; at <= bytes.length; at++) expect(parse([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(EVENTS);
  expect(parse([...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(EVENTS);
});

test('a stream is the same events however it is split', () => {
  const bytes = new TextEncoder().encode(RECORDED);
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length), { maxLength: 20 }), (cuts) => {
      const places = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
      const pieces = places.slice(1).map((end, i) => bytes.subarray(places[i], end));
      expect(parse(pieces)).toEqual(EVENTS);
    }),
  );
});

test('what holds more than a message may is refused, in one line or in many; what ended before takes no room', () => {
  const event = `data: ${'x'.repeat(80)}\n\n`;
  const parser = new EventParser(100);
  for (let i = 0; i < 50; i++) expect(parser.push(`${event}: ${'c'.repeat(80)}\n`)).toHaveLength(1);
  expect(() => new EventParser(100).push('x'.repeat(101))).toThrow(EventTooLong);
  const inLines = new EventParser(100);
  expect(() => {
    for (let i = 0; i < 50; i++) inLines.push('data: 1234\n');
  }).toThrow(EventTooLong);
});
