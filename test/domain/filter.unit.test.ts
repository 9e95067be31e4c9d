import { expect, test } from '@jest/globals';
import fc from '../support/properties.ts';
import { FIELDS } from '../../src/protocol/fields.ts';
import { matchesFilter, parseFilter } from '../../src/domain/filter.ts';
import { makeItem, type AnyItem } from '../../src/domain/item.ts';
import type { Kind, Value } from '../../src/domain/resources.ts';

const assigned = { revision: 7, createTime: '2026-01-15T00:00:00.000Z', updateTime: '2026-01-15T00:00:00.000Z' };
const itemOf = (value: object): AnyItem => makeItem({ ...assigned, labels: {}, ...value } as unknown as Value);

const SERVICE = itemOf({
  name: 'services/iam.test',
  displayName: 'Identity & Access',
  apiId: 'iam',
  project: 'core',
  creator: 'projects/core/service-accounts/deployer',
  globalEndpoint: 'iam.test:443',
  primaryRegion: 'eu',
  public: true,
  uses: ['audit.test', 'logs.test'],
  effectiveUses: ['audit.test', 'logs.test', 'meta.test'],
  labels: { team: 'identity', tier: '1', 'a.b/c': "it's" },
});
const VERSION = itemOf({
  name: 'services/iam.test/versions/v1',
  imports: [
    { service: 'audit.test', version: 'v1' },
    { service: 'logs.test', version: 'v2' },
  ],
  lifecycle: { state: 'active' },
});
const REGION = itemOf({ name: 'regions/eu', title: 'Europe', location: { city: 'Frankfurt am Main' } });

function asked(text: string, item: AnyItem): boolean {
  const parsed = parseFilter(text, FIELDS[item.kind]);
  if (!parsed.ok) throw new Error(parsed.error.message);
  return matchesFilter(parsed.value, item);
}

function fault(text: string, kind: Kind = 'service'): string {
  const parsed = parseFilter(text, FIELDS[kind]);
  return parsed.ok ? 'no error' : parsed.error.message;
}

test.each<[filter: string, item: AnyItem, expected: boolean]>([
  ['', SERVICE, true],
  ['   ', SERVICE, true],
  ['displayName = "Identity & Access"', SERVICE, true],
  ["displayName = 'Identity & Access'", SERVICE, true],
  ['displayName:Access', SERVICE, true],
  ['displayName:access', SERVICE, false],
  ['apiId=iam', SERVICE, true],
  ['apiId != iam', SERVICE, false],
  ['apiId in (x, iam)', SERVICE, true],
  ['not apiId IN (x, y)', SERVICE, true],
  ['public = true', SERVICE, true],
  ['public = "true"', SERVICE, false],
  ['revision = 7', SERVICE, true],
  ['revision = 7.0', SERVICE, true],
  ['revision = "7"', SERVICE, false],
  ['uses = audit.test', SERVICE, true],
  ['uses != audit.test', SERVICE, false],
  ['uses:audit.test', SERVICE, true],
  ['uses:audit', SERVICE, false],
  ['uses in (nope, logs.test)', SERVICE, true],
  ['labels.team = identity', SERVICE, true],
  ['labels.tier = 1', SERVICE, true],
  ['labels.a.b/c = "it\'s"', SERVICE, true],
  ["labels.\"a.b/c\" = 'it\\'s'", SERVICE, true],
  ['labels:team', SERVICE, true],
  ['labels:"a.b/c"', SERVICE, true],
  ['labels:toString', SERVICE, false],
  ['labels.none = x', SERVICE, false],
  ['labels.none != x', SERVICE, true],
  ['labels.__proto__ = x', SERVICE, false],
  ['globalEndpoint = "iam.test:443"', SERVICE, true],
  ['name = services/iam.test', SERVICE, true],
  ['id = iam.test', SERVICE, true],
  ['parent = iam.test and id = v1', VERSION, true],
  ['imports.service = logs.test', VERSION, true],
  ['imports.service:logs', VERSION, true],
  ['imports.service = v2', VERSION, false],
  ['lifecycle.state = active', VERSION, true],
  ['lifecycle.sunset = 2030-01-01', VERSION, false],
  ['location.city:Main', REGION, true],
  ['location.country = DE', REGION, false],
  ['location.country != DE', REGION, true],
  ['apiId = x or apiId = iam and public = false', SERVICE, false],
  ['apiId = iam or apiId = x and public = false', SERVICE, true],
  ['(apiId = iam or apiId = x) and public = false', SERVICE, false],
  ['not not apiId = iam', SERVICE, true],
  ['not (apiId = x or not public = true)', SERVICE, true],
])('filter %s', (filter, item, expected) => {
  expect(asked(filter, item)).toBe(expected);
});

test.each<[filter: string, message: string]>([
  ['nme = x', 'at character 1: there is no field "nme"; there are name, id, revision'],
  ['displayName', 'at character 12: expected "=", "!=", ":" or "in", found the end'],
  ['displayName =', 'at character 14: expected a value, found the end'],
  ['displayName = a b', 'at character 17: expected "and", "or" or the end'],
  ['displayName = "a', 'at character 15: the string that begins here has no closing "'],
  ['displayName = "a\\n"', 'at character 17: in a string, \\ may only stand before " or another \\'],
  ['displayName < 3', 'at character 13: "<" is not known here'],
  ['displayName ! x', 'at character 13: expected "!="'],
  ['globalEndpoint = a:443', 'at character 19: expected "and", "or" or the end (quote a value'],
  ['labels = x', 'at character 1: labels is a map; write labels.KEY = ...'],
  ['labels in (x)', 'at character 1: labels is a map'],
  ['displayName in x', 'at character 16: expected "(" and the values'],
  ['displayName in (x', 'at character 18: expected "," or ")"'],
  ['displayName in ()', 'at character 17: expected a value'],
  ['(apiId = x', 'at character 11: expected "and", "or" or ")" for the "(" at character 1'],
  ['apiId = x)', 'at character 10: expected "and"'],
  ['and', 'at character 1: there is no field "and"'],
  ['apiId = x and', 'at character 14: expected a field, "not" or "("'],
  ['"apiId" = x', 'at character 1: expected a field'],
])('a filter that cannot be read says where and what was expected: %s', (filter, message) => {
  expect(fault(filter)).toContain(message);
});

test('a group of fields is no field', () => {
  expect(fault('location = x', 'region')).toContain('name one of location.continent, location.country');
});

test('length, depth and number of values are bounded', () => {
  expect(fault(`apiId = ${'x'.repeat(2100)}`)).toBe('at character 2049: a filter has at most 2048 characters');
  expect(fault(`${'('.repeat(32)}apiId = x${')'.repeat(32)}`)).toBe('no error');
  expect(fault(`${'('.repeat(33)}apiId = x${')'.repeat(33)}`)).toContain('nested 32 deep at most');
  expect(fault(`${'not '.repeat(400)}apiId = x`)).toContain('nested 32 deep at most');
  expect(fault('('.repeat(2048))).toContain('nested 32 deep at most');
  expect(fault(`apiId in (${'1,'.repeat(128)}1)`)).toContain('at most 128 values');
});

/** The filter as a tree together with what it means, worked out without the parser, the tokens or the evaluator. */
interface Modelled {
  readonly text: string;
  readonly meaning: (item: Subject) => boolean;
}

interface Subject {
  readonly displayName: string;
  readonly public: boolean;
  readonly uses: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

const words = fc.constantFrom('a', 'b', 'ab', 'a b', "it's", 'say "x"', 'back\\slash', 'true', '1', 'é');
const labelKeys = fc.constantFrom('k', 'x.y/z', 'true');
const quoted = (text: string, sign: '"' | "'"): string =>
  sign + text.replaceAll('\\', '\\\\').replaceAll(sign, `\\${sign}`) + sign;
const literal = fc
  .tuple(words, fc.constantFrom<'"' | "'">('"', "'"))
  .map(([value, sign]) => ({ value, text: quoted(value, sign) }));

const conditions: fc.Arbitrary<Modelled> = fc.oneof(
  literal.map(({ value, text }) => ({ text: `displayName=${text}`, meaning: (s: Subject) => s.displayName === value })),
  literal.map(({ value, text }) => ({
    text: `displayName : ${text}`,
    meaning: (s: Subject) => s.displayName.includes(value),
  })),
  literal.map(({ value, text }) => ({ text: `uses != ${text}`, meaning: (s: Subject) => !s.uses.includes(value) })),
  fc.array(literal, { minLength: 1, maxLength: 3 }).map((all) => ({
    text: `uses in (${all.map(({ text }) => text).join(', ')})`,
    meaning: (s: Subject) => all.some(({ value }) => s.uses.includes(value)),
  })),
  fc.boolean().map((value) => ({ text: `public = ${value}`, meaning: (s: Subject) => s.public === value })),
  fc.tuple(labelKeys, literal).map(([key, { value, text }]) => ({
    text: `labels."${key}" = ${text}`,
    meaning: (s: Subject) => s.labels[key] === value,
  })),
  labelKeys.map((key) => ({ text: `labels:"${key}"`, meaning: (s: Subject) => key in s.labels })),
);

const { filter: modelled } = fc.letrec<{ filter: Modelled }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    conditions,
    tie('filter').map((one) => ({ text: `not (${one.text})`, meaning: (s: Subject) => !one.meaning(s) })),
    fc.tuple(tie('filter'), tie('filter'), fc.boolean()).map(([a, b, and]) => ({
      text: `(${a.text}) ${and ? 'and' : 'or'} (${b.text})`,
      meaning: (s: Subject) => (and ? a.meaning(s) && b.meaning(s) : a.meaning(s) || b.meaning(s)),
    })),
  ),
}));

const subjects = fc.record({
  displayName: words,
  public: fc.boolean(),
  uses: fc.uniqueArray(words, { maxLength: 3 }),
  labels: fc.dictionary(labelKeys, words, { noNullPrototype: true }),
});

test('a filter means what a naive reading of it means', () => {
  fc.assert(
    fc.property(modelled, subjects, ({ text, meaning }, subject) => {
      fc.pre(text.length <= 2048);
      const item = itemOf({ ...subject, name: 'services/iam.test', apiId: 'iam', effectiveUses: [] });
      expect(asked(text, item)).toBe(meaning(subject));
    }),
    { numRuns: 1000 },
  );
});

test('no text makes the parser do anything but answer', () => {
  const pieces = fc.constantFrom(
    '(',
    ')',
    ',',
    '=',
    '!=',
    ':',
    'and',
    'or',
    'not',
    'in',
    'apiId',
    'labels.',
    '"',
    "'",
    '\\',
    ' ',
    'x',
    '1',
    '💥',
    '\u0000',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 60 }), (parts) => {
      const parsed = parseFilter(parts.join(''), FIELDS.service);
      if (!parsed.ok) expect(parsed.error.position).toBeGreaterThan(0);
    }),
    { numRuns: 2000 },
  );
});
