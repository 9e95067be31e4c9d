import { createHash } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { addTo, digestHex, emptyDigest, murmur3, removeFrom } from '../../src/domain/digest.ts';
import { topicOf, type Selector } from '../../src/domain/selector.ts';
import { ClientFrames, ServerFrames } from '../../src/protocol/frames.ts';
import { parseClientFrame } from '../../src/protocol/parse-frame.ts';
import { agreeOn, PROTOCOL, PROTOCOL_HASH, PROTOCOL_VERSION, SPOKEN } from '../../src/protocol/version.ts';

// What is only added, as openapi/PUSH.md says under "Versions", is a new hash and no new number: registrations, filters, codes
// of errors, `resumeWithin`, the reason `fenced`. Anything else is a new number, beside the old one.
test('the frames are those of the protocol number: a changed schema adds something, or needs a new number, or is a mistake', () => {
  const hash = createHash('sha256').update(JSON.stringify({ ClientFrames, ServerFrames })).digest('hex');
  expect({ PROTOCOL, PROTOCOL_VERSION, hash }).toEqual({
    PROTOCOL: 'signalbox.v1',
    PROTOCOL_VERSION: 1,
    hash: PROTOCOL_HASH,
  });
});

test('both sides speak the newest version that both know, whatever the order of the offers', () => {
  const spoken = [
    { name: 'signalbox.v3', version: 3 },
    { name: 'signalbox.v2', version: 2 },
  ];
  const agreed = (...offered: string[]): number | undefined => agreeOn(offered, spoken)?.version;
  expect(agreed('signalbox.v2', 'signalbox.v3')).toBe(3);
  expect(agreed('signalbox.v3', 'signalbox.v2', 'graphql-ws')).toBe(3);
  expect(agreed('signalbox.v4', 'signalbox.v2', 'signalbox.v1')).toBe(2);
  expect(agreed('signalbox.v1', 'signalbox.v4')).toBeUndefined();
  // Who offers nothing knows nothing newer.
  expect(agreed()).toBe(2);
  const versions = SPOKEN.map(({ version }) => version);
  expect(versions).toEqual(versions.toSorted((a, b) => b - a));
  expect(new Set(SPOKEN.map(({ name }) => name)).size).toBe(SPOKEN.length);
});

test('PUSH8: the digest is the one that PUSH.md describes', () => {
  // Published vectors of MurmurHash3_x86_32.
  expect(murmur3('', 0)).toBe(0);
  expect(murmur3('', 1)).toBe(0x514e28b7);
  expect(murmur3('test', 0)).toBe(0xba6bd213);
  expect(murmur3('test', 0x9747b28c)).toBe(0x704b81dc);
  expect(murmur3('Hello, world!', 0)).toBe(0xc0363e43);
  expect(murmur3('Hello, world!', 0x9747b28c)).toBe(0x24884cba);
  expect(murmur3('The quick brown fox jumps over the lazy dog', 0x9747b28c)).toBe(0x2fa826cd);
  const digest = emptyDigest();
  expect(digestHex(digest)).toBe('0000000000000000');
  addTo(digest, 'regions/us-east', 1);
  addTo(digest, 'regions/eu-west', 2);
  expect(digestHex(digest)).toBe('45dcaf2e3c087d8a');
  removeFrom(digest, 'regions/us-east', 1);
  removeFrom(digest, 'regions/eu-west', 2);
  expect(digestHex(digest)).toBe('0000000000000000');
});

test('PUSH10: equal selections have equal topics, different ones do not', () => {
  expect(topicOf({ kind: 'deployment', services: ['b', 'a', 'b'], labels: { y: '2', x: '1' } })).toBe(
    topicOf({ labels: { x: '1', y: '2' }, services: ['a', 'b'], kind: 'deployment' }),
  );
  expect(topicOf({ kind: '*', labels: { a: 'b,c=d' } })).not.toBe(topicOf({ kind: '*', labels: { a: 'b', c: 'd' } }));
  expect(topicOf({ kind: '*', services: ['a'] })).not.toBe(topicOf({ kind: '*', regions: ['a'] }));
  expect(topicOf({ kind: 'instance', passing: true, tags: { b: '1', a: '2' }, versions: ['v2', 'v1'] })).toBe(
    topicOf({ versions: ['v1', 'v2', 'v1'], tags: { a: '2', b: '1' }, passing: true, kind: 'instance' }),
  );
  const different: Selector[] = [
    { kind: '*' },
    { kind: '*', environments: [''] },
    { kind: '*', environments: ['', 'prod'] },
    { kind: '*', protocols: ['prod'] },
    { kind: '*', versions: ['prod'] },
    { kind: '*', tags: { prod: '' } },
    { kind: '*', labels: { prod: '' } },
    { kind: '*', passing: true },
    { kind: '*', passing: false },
  ];
  expect(new Set(different.map(topicOf)).size).toBe(different.length);
});

test.each([
  ['', 'bad-frame', 'not JSON'],
  ['[]', 'bad-frame', 'JSON object'],
  ['null', 'bad-frame', 'JSON object'],
  ['{"type":"shout"}', 'bad-frame', 'type is one of subscribe'],
  ['{"type":"__proto__"}', 'bad-frame', 'type is one of'],
  ['{"type":"subscribe","id":"1"}', 'bad-frame', 'select'],
  ['{"type":"subscribe","id":"1","select":{"kind":"planet"}}', 'bad-select', 'region'],
  ['{"type":"subscribe","id":"1","select":{"kind":"*","colour":1}}', 'bad-select', 'colour'],
  ['{"type":"subscribe","id":"","select":{"kind":"*"}}', 'bad-frame', '/id'],
  ['{"type":"subscribe","id":"1","select":{"kind":"instance","passing":"yes"}}', 'bad-select', 'passing'],
  ['{"type":"subscribe","id":"1","select":{"kind":"*","protocols":[""]}}', 'bad-select', 'protocols'],
  ['{"type":"subscribe","id":"1","select":{"kind":"*","environments":[]}}', 'bad-select', 'environments'],
  ['{"type":"subscribe","id":"1","select":{"kind":"*","tags":{"a":1}}}', 'bad-select', 'tags'],
  ['{"type":"register","id":"1"}', 'bad-frame', 'instance'],
  ['{"type":"register","id":"1","instance":"x"}', 'bad-frame', '/instance must be object'],
  ['{"type":"register","instance":{}}', 'bad-frame', 'id'],
  ['{"type":"renew","instances":[]}', 'bad-frame', '/instances'],
  ['{"type":"renew","instances":["x"]}', 'bad-frame', '/instances/0'],
  ['{"type":"deregister","id":"1","instance":"../regions/us"}', 'bad-frame', '/instance'],
  ['{"type":"subscribe","id":"1","select":{"kind":"*"},"since":7}', 'bad-frame', '/since'],
  ['{"type":"subscribe","id":"1","select":{"kind":"*"},"since":{"epoch":"e","revision":-1}}', 'bad-frame', 'revision'],
])('the client frame %s is refused with what is wrong', (text, code, message) => {
  const parsed = parseClientFrame(text);
  expect(parsed).toMatchObject({ error: { code, message: expect.stringContaining(message) } });
});

test.each([
  '{"type":"subscribe","id":"1","select":{"kind":"instance","environments":[""],"protocols":["http"],"versions":["v1"],"tags":{"a":"b"},"passing":false}}',
  '{"type":"register","id":"1","instance":{"anything":["the registry will say"]}}',
  '{"type":"renew"}',
  '{"type":"renew","id":"1","instances":["00112233445566778899aabb"]}',
  '{"type":"deregister","id":"1","instance":"00112233445566778899aabb"}',
])('the client frame %s is of the protocol', (text) => {
  expect(parseClientFrame(text)).toEqual({ frame: JSON.parse(text) });
});

test.each([
  ['services', ['\ud800']],
  ['regions', ['a\u2028']],
  ['environments', ['\udfff']],
  ['tags', { k: '\ud800' }],
  ['labels', { 'k=a': 'b' }],
  ['tags', { '\ud800': 'b' }],
])('PUSH9 a selection that no text can stand for is refused, and breaks nothing: %s', (filter, value) => {
  const frame = { type: 'subscribe', id: 'a', select: { kind: '*', [filter]: value } };
  expect(parseClientFrame(JSON.stringify(frame))).toMatchObject({
    error: { code: 'bad-select', id: 'a', message: expect.stringMatching(/^\/select\/[a-z]+.* must /) },
  });
});
