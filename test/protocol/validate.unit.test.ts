import { expect, test } from '@jest/globals';
import type { Kind } from '../../src/domain/resources.ts';
import { isEndpoint } from '../../src/protocol/formats.ts';
import { validateResource } from '../../src/protocol/validate.ts';

const deployment = { regionalEndpoint: 'us.iam.test', currentVersion: 'v1' };
const service = { displayName: 'iam', globalEndpoint: 'iam.test', primaryRegion: 'us' };

test.each<[kind: Kind, value: unknown]>([
  ['region', { title: 'Europe (Zürich) 🚉' }],
  ['region', { title: 'x', location: {}, labels: { a: '', 'a.b/c-d_e': 'any thing, really = fine' } }],
  ['project', { title: 'x' }],
  ['serviceAccount', {}],
  ['service', service],
  [
    'service',
    { ...service, project: 'core', creator: 'projects/core/service-accounts/x', apiId: 'abc', uses: ['a.b'] },
  ],
  ['version', {}],
  [
    'version',
    { imports: [{ service: 'a.b', version: 'v1' }], lifecycle: { state: 'deprecated', sunset: '2030-02-28' } },
  ],
  ['resourceType', { plural: 'Devices', versions: [{ version: 'v1' }] }],
  ['deployment', { ...deployment, privateEndpoint: '10.0.0.1:80', localNetworkId: 'vpc' }],
  ['bundle', { members: ['a.b'], rules: { everyRegion: true } }],
])('a %s may be %j', (kind, value) => {
  expect(validateResource(kind, value)).toEqual([]);
});

test('what the server assigns may come along and is passed over', () => {
  const assigned = {
    name: 'regions/eu',
    revision: 3,
    createTime: '2026-01-15T00:00:00.000Z',
    updateTime: '2026-01-15T00:00:00.000Z',
  };
  expect(validateResource('region', { ...assigned, title: 'x', warnings: [] })).toEqual([]);
  expect(validateResource('service', { ...assigned, ...service, effectiveUses: ['a.b'] })).toEqual([]);
});

test.each<[kind: Kind, value: unknown, pointer: string, detail: string]>([
  ['region', null, '', 'must be an object, not null'],
  ['region', [], '', 'must be an object, not an array'],
  ['region', {}, '/title', 'is required: What people call the region.'],
  ['region', { title: 3 }, '/title', 'must be a string, not a number'],
  ['region', { title: '' }, '/title', 'must not be empty; leave it out instead'],
  ['region', { title: 'x'.repeat(129) }, '/title', 'must have at most 128 characters'],
  ['region', { title: 'a\u0000b' }, '/title', 'must not contain control characters'],
  ['region', { title: 'a\nb' }, '/title', 'must not contain control characters'],
  ['region', { title: 'a\ud800b' }, '/title', 'lone surrogates'],
  ['region', { title: 'a\u202eb' }, '/title', 'text direction overrides'],
  ['region', { title: 'x', titel: 'y' }, '/titel', '"titel" is not known here; known: name, title, location, labels'],
  ['region', { title: 'x', 'a/b~c': 1 }, '/a~1b~0c', '"a/b~c" is not known here'],
  ['region', { title: 'x', location: { planet: 'Mars' } }, '/location/planet', 'known: continent, country'],
  ['region', { title: 'x', labels: { Team: 'a' } }, '/labels', 'the key "Team" must be 1 to 63 lower-case letters'],
  ['region', { title: 'x', labels: { '-a': 'a' } }, '/labels', 'the key "-a" must be'],
  ['region', { title: 'x', labels: { ['a'.repeat(64)]: 'a' } }, '/labels', 'must have at most 63 characters'],
  ['region', { title: 'x', labels: { a: 'b'.repeat(64) } }, '/labels/a', 'must have at most 63 characters'],
  ['region', { title: 'x', labels: { a: 1 } }, '/labels/a', 'must be a string, not a number'],
  [
    'region',
    { title: 'x', labels: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, ''])) },
    '/labels',
    'at most 64 entries',
  ],
  ['region', JSON.parse('{"title":"x","__proto__":{"a":1}}'), '/__proto__', 'is not known here'],
  ['region', JSON.parse('{"title":"x","labels":{"__proto__":"1"}}'), '/labels', 'the key "__proto__" must be'],
  ['service', { ...service, apiId: 'a b' }, '/apiId', 'must be 1 to 64 letters'],
  ['service', { ...service, uses: ['A.b'] }, '/uses/0', 'must be a lower-case domain name'],
  ['service', { ...service, primaryRegion: 'US' }, '/primaryRegion', 'must be 2 to 63 lower-case letters'],
  ['service', { ...service, public: 'true' }, '/public', 'must be a boolean, not a string'],
  ['version', { imports: [{ service: 'a.b', version: '1' }] }, '/imports/0/version', 'must be a version such as'],
  ['version', { imports: [{ service: 'a.b' }] }, '/imports/0/version', 'is required'],
  ['version', { lifecycle: { state: 'gone' } }, '/lifecycle/state', 'must be one of active, deprecated, retired'],
  ['version', { lifecycle: {} }, '/lifecycle/state', 'is required: one of active, deprecated, retired'],
  ['version', { lifecycle: { state: 'deprecated' } }, '/lifecycle/sunset', 'is required: The day it goes away.'],
  [
    'version',
    { lifecycle: { state: 'deprecated', sunset: '2030-02-30' } },
    '/lifecycle/sunset',
    'must be a date such as',
  ],
  [
    'version',
    { lifecycle: { state: 'active', sunset: '2030-01-01' } },
    '/lifecycle/sunset',
    '"sunset" is not known here; known: state',
  ],
  ['resourceType', { plural: 'devices', versions: [{ version: 'v1' }] }, '/plural', 'the first of them upper-case'],
  ['resourceType', { plural: 'Devices', versions: [] }, '/versions', 'must have at least 1 entry'],
  [
    'deployment',
    { ...deployment, regionalEndpoint: 'https://a.b' },
    '/regionalEndpoint',
    'without a scheme, such as "iam.example.com:443"',
  ],
  ['deployment', { ...deployment, privateEndpoint: 'a.b' }, '', 'privateEndpoint needs localNetworkId beside it'],
  ['deployment', { ...deployment, currentVersion: 'latest' }, '/currentVersion', 'must be a version'],
  ['bundle', { members: [] }, '/members', 'must have at least 1 entry'],
  ['bundle', { members: ['a.b'], rules: { all: true } }, '/rules/all', 'known: deployedTogether'],
])('a %s may not be %j', (kind, value, pointer, detail) => {
  const errors = validateResource(kind, value);
  expect(errors).toHaveLength(1);
  expect(errors[0]?.pointer).toBe(pointer);
  expect(errors[0]?.detail).toContain(detail);
});

test.each([
  'a.b',
  'a.b:1',
  'a.b:65535',
  'localhost',
  'xn--bcher-kva.example',
  '1.2.3.4',
  '1.2.3.4:5',
  '[::1]',
  '[2001:db8::1]:443',
  '::1',
  'a'.repeat(63),
  `${'a'.repeat(61)}.${'b'.repeat(61)}.${'c'.repeat(61)}.${'d'.repeat(61)}`,
  '1a.b',
  'a.b1',
])('%s is an endpoint', (text) => {
  expect(isEndpoint(text)).toBe(true);
});

test.each([
  '',
  '.',
  'a.',
  '.a',
  'a..b',
  '-a.b',
  'a-.b',
  'A.b',
  'a_b',
  'a b',
  'a.b:',
  'a.b:0',
  'a.b:65536',
  'a.b:080',
  'a.b:x',
  '1.2.3',
  '1.2.3.256',
  '1.2.3.4.5',
  'a.1',
  '[::1',
  '::1]',
  '[::1]:0',
  '[1.2.3.4]',
  'http://a.b',
  'a.b/c',
  'user@a.b',
  'a'.repeat(64),
  `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(63)}`,
  'a.b\n',
])('%j is no endpoint', (text) => {
  expect(isEndpoint(text)).toBe(false);
});
