import { describe, expect, test } from '@jest/globals';
import fc from '../support/properties.ts';
import { partsOf } from '../../src/domain/names.ts';
import { bodyOf, contradictions, hasBody, itemOf } from '../../src/domain/normalise.ts';
import { CATALOG_KINDS, type CatalogKind } from '../../src/domain/resources.ts';

const identity = {
  apiId: 'abcdefghij',
  project: 'core',
  creator: 'projects/core/service-accounts/deployer',
  effectiveUses: ['x.test'],
};
const assigned = { revision: 3, createTime: '2026-01-01T00:00:00.000Z', updateTime: '2026-01-02T00:00:00.000Z' };

const text = fc.string({ maxLength: 8 });
const labels = fc.option(fc.dictionary(text, text, { maxKeys: 4 }), { nil: undefined });
const versions = fc.constantFrom('v1', 'v2', 'v1.10', 'v2beta1');
const optional = { requiredKeys: [] as never[] };
const location = fc.record({ continent: text, country: text, agglomeration: text, city: text, cloud: text }, optional);
const DOCUMENTS: Readonly<Record<CatalogKind, [name: string, document: fc.Arbitrary<object>]>> = {
  region: ['regions/us', fc.record({ title: text, location, labels }, { requiredKeys: ['title'] })],
  project: ['projects/core', fc.record({ title: text, labels })],
  serviceAccount: [
    'projects/core/service-accounts/deployer',
    fc.record({ title: text, subject: text, clientId: text, labels }, optional),
  ],
  service: [
    'services/a.test',
    fc.record(
      {
        displayName: text,
        globalEndpoint: text,
        primaryRegion: text,
        public: fc.boolean(),
        uses: fc.array(text),
        labels,
      },
      {
        requiredKeys: ['displayName', 'globalEndpoint', 'primaryRegion'],
      },
    ),
  ],
  version: [
    'services/a.test/versions/v1',
    fc.record(
      {
        imports: fc.uniqueArray(fc.record({ service: text, version: versions }), { selector: (one) => one.service }),
        lifecycle: fc.constantFrom(
          { state: 'active' },
          { state: 'deprecated', sunset: '2027-01-01' },
          { state: 'retired' },
        ),
        labels,
      },
      optional,
    ),
  ],
  resourceType: [
    'services/a.test/resources/Thing',
    fc.record({
      plural: text,
      versions: fc.uniqueArray(fc.record({ version: versions, regional: fc.boolean() }), {
        selector: (one) => one.version,
      }),
      labels,
    }),
  ],
  deployment: [
    'services/a.test/deployments/us',
    fc.record(
      {
        regionalEndpoint: text,
        privateEndpoint: text,
        localNetworkId: text,
        currentVersion: versions,
        disabled: fc.boolean(),
        location,
        labels,
      },
      { requiredKeys: ['regionalEndpoint', 'currentVersion'] },
    ),
  ],
  bundle: [
    'bundles/core',
    fc.record(
      {
        title: text,
        members: fc.array(text),
        rules: fc.record({ public: fc.boolean(), everyRegion: fc.boolean() }, optional),
        labels,
      },
      { requiredKeys: ['members'] },
    ),
  ],
};

/** The same document said differently: keys and sets in another order. */
function reordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reordered).toReversed();
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, below]) => [key, reordered(below)] as const)
      .toReversed(),
  );
}

const encode = (kind: CatalogKind, document: object): string =>
  JSON.stringify(bodyOf(kind, document as Record<string, unknown>, { identity }));

describe('the canonical form', () => {
  test.each(CATALOG_KINDS)(
    'REV3: equal content of a %s has equal JSON, and the form of the form is the form',
    (kind) => {
      const [name, documents] = DOCUMENTS[kind];
      fc.assert(
        fc.property(documents, (document) => {
          const body = bodyOf(kind, document as Record<string, unknown>, { identity });
          const json = JSON.stringify(body);
          const item = itemOf(partsOf(name), { name, ...assigned }, body, json);
          expect(item.json).toBe(JSON.stringify(item.value));
          expect(hasBody(item, json)).toBe(true);
          expect(hasBody(item, JSON.stringify({ ...body, labels: { other: 'x' } }))).toBe(false);
          expect(encode(kind, reordered(document) as object)).toBe(json);
          expect(encode(kind, item.value)).toBe(json);
          expect(encode(kind, JSON.parse(item.json))).toBe(json);
        }),
        { numRuns: 200 },
      );
    },
  );

  test('fills in what is left out', () => {
    const empty = {};
    expect(bodyOf('version', empty)).toEqual({ imports: [], lifecycle: { state: 'active' }, labels: {} });
    expect(bodyOf('deployment', { regionalEndpoint: 'e', currentVersion: 'v1', location: {} })).toEqual({
      regionalEndpoint: 'e',
      currentVersion: 'v1',
      disabled: false,
      labels: {},
    });
    expect(bodyOf('service', { displayName: 'a', globalEndpoint: 'e', primaryRegion: 'us' }, { identity })).toEqual({
      displayName: 'a',
      ...identity,
      globalEndpoint: 'e',
      primaryRegion: 'us',
      public: false,
      uses: [],
      labels: {},
    });
    expect(bodyOf('bundle', { members: ['b', 'a', 'b'], rules: { public: true } })).toEqual({
      members: ['a', 'b'],
      rules: {
        deployedTogether: false,
        everyRegion: false,
        onePrimaryRegion: false,
        oneDomain: false,
        upgradedTogether: false,
        public: true,
        usedByEveryone: false,
      },
      labels: {},
    });
  });

  test('takes nothing that the server assigns, and drops what a state does not have', () => {
    const raw = { name: 'x', revision: 9, createTime: 'x', updateTime: 'x', title: 'T', unknown: 1 };
    expect(bodyOf('project', raw)).toEqual({ title: 'T', labels: {} });
    const lifecycle = { state: 'active', sunset: '2027-01-01' };
    expect(bodyOf('version', { lifecycle })).toMatchObject({ lifecycle: { state: 'active' } });
  });

  test('orders resource type versions newest first', () => {
    const regional = false;
    const versionsOf = ['v1', 'v1.10', 'v2beta1', 'v1.9'].map((version) => ({ version, regional }));
    const ordered = ['v2beta1', 'v1.10', 'v1.9', 'v1'].map((version) => ({ version, regional }));
    expect(bodyOf('resourceType', { plural: 'Things', versions: versionsOf })).toMatchObject({ versions: ordered });
  });

  test('keeps a label called __proto__ as a plain key', () => {
    const body = bodyOf('project', { title: 'T', labels: JSON.parse('{"b":"1","__proto__":"2"}') });
    expect(JSON.stringify(body)).toBe('{"title":"T","labels":{"__proto__":"2","b":"1"}}');
  });

  test('says what contradicts itself', () => {
    const imports = [
      { service: 'b.test', version: 'v1' },
      { service: 'b.test', version: 'v2' },
    ];
    expect(contradictions('version', { imports })).toEqual([
      { pointer: '/imports/1', detail: 'b.test is listed twice, and not with the same version' },
    ]);
    expect(contradictions('version', { imports: [imports[0], imports[0]] })).toEqual([]);
    expect(
      contradictions('resourceType', { versions: [{ version: 'v1' }, { version: 'v1', regional: true }] }),
    ).toHaveLength(1);
  });
});
