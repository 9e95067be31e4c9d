import { expect, test } from '@jest/globals';
import fc from '../support/properties.ts';
import { makeItem, type AnyItem } from '../../src/domain/item.ts';
import { compareSortKeys, parseOrderBy, sortKeyOf, type Order } from '../../src/domain/order-by.ts';
import { pageOf } from '../../src/domain/page.ts';
import { decodePageToken, encodePageToken } from '../../src/domain/page-token.ts';
import type { Kind, Value } from '../../src/domain/resources.ts';
import { FIELDS } from '../../src/protocol/fields.ts';
import { parseFilter } from '../../src/domain/filter.ts';

const assigned = { createTime: '2026-01-15T00:00:00.000Z', updateTime: '2026-01-15T00:00:00.000Z' };
const itemOf = (value: object): AnyItem =>
  makeItem({ ...assigned, revision: 1, labels: {}, ...value } as unknown as Value);
const region = (id: string, title = id, revision = 1): AnyItem => itemOf({ name: `regions/${id}`, title, revision });
const version = (id: string): AnyItem => itemOf({ name: `services/a.b/versions/${id}`, imports: [] });

function orderOf(text: string, kind: Kind = 'region'): Order {
  const parsed = parseOrderBy(text, kind, FIELDS[kind]);
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
}

function sorted(items: readonly AnyItem[], text: string): string[] {
  const [first] = items;
  const order = orderOf(text, first?.kind);
  return items
    .toSorted((a, b) => compareSortKeys(sortKeyOf(a, order), sortKeyOf(b, order), order))
    .map((item) => item.id);
}

const byName = (items: Iterable<AnyItem>): AnyItem[] => [...items].sort((a, b) => (a.name < b.name ? -1 : 1));

test('orders by several fields, each up or down, and by name where they leave it open', () => {
  const items = [region('aa', 'x', 2), region('bb', 'x', 9), region('cc', 'y', 10), region('dd', 'x', 2)];
  expect(sorted(items, '')).toEqual(['aa', 'bb', 'cc', 'dd']);
  expect(sorted(items, 'name desc')).toEqual(['dd', 'cc', 'bb', 'aa']);
  expect(sorted(items, 'title')).toEqual(['aa', 'bb', 'dd', 'cc']);
  expect(sorted(items, 'title DESC , revision')).toEqual(['cc', 'aa', 'dd', 'bb']);
  expect(sorted(items, 'revision desc')).toEqual(['cc', 'bb', 'aa', 'dd']);
});

test('what is missing comes first, or last when the order goes down', () => {
  const items = [
    itemOf({ name: 'regions/aa', title: 'a', location: { city: 'B' } }),
    region('bb'),
    itemOf({ name: 'regions/cc', title: 'c', location: { city: 'A' } }),
  ];
  expect(sorted(items, 'location.city')).toEqual(['bb', 'cc', 'aa']);
  expect(sorted(items, 'location.city desc')).toEqual(['aa', 'cc', 'bb']);
});

test('ids of versions and current versions are ordered as versions', () => {
  const versions = ['v2', 'v10', 'v1', 'v1beta1', 'v1alpha2'].map(version);
  expect(sorted(versions, 'id')).toEqual(['v1alpha2', 'v1beta1', 'v1', 'v2', 'v10']);
  expect(sorted(versions, 'name')).toEqual(['v1', 'v10', 'v1alpha2', 'v1beta1', 'v2']);
  const at = (id: string, currentVersion: string): AnyItem =>
    itemOf({ name: `services/a.b/deployments/${id}`, regionalEndpoint: 'x', currentVersion, disabled: false });
  expect(sorted([at('aa', 'v10'), at('bb', 'v9')], 'currentVersion')).toEqual(['bb', 'aa']);
});

test.each([
  ['titel', 'there is no field "titel"'],
  ['title up', 'at character 7: expected ",", "asc", "desc" or the end, found "up"'],
  ['title,', 'at character 7: expected a field, found the end'],
  ['labels', 'labels has not one value to order by'],
  ['location', 'location has not one value to order by'],
  [Array(9).fill('title').join(','), 'at most 8 fields'],
  ['x'.repeat(600), 'at most 512 characters'],
])('an order that cannot be read says why: %s', (text, message) => {
  expect(() => orderOf(text)).toThrow(message);
});

test('a list has no one value to order by', () => {
  expect(() => orderOf('uses', 'service')).toThrow('uses has not one value');
  expect(() => orderOf('imports.service', 'version')).toThrow('imports.service has not one value');
});

const query = { collection: 'region/', filter: '', orderBy: 'title' };

test('a page token belongs to its query and survives any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.constantFrom(null, true, 7, 'é'), (name, value) => {
      const token = encodePageToken(query, { name, values: [value] });
      expect(token).toMatch(/^[A-Za-z0-9_-]+$/);
      expect(decodePageToken(query, token, 1)).toEqual({ name, values: [value] });
      expect(decodePageToken({ ...query, filter: 'title = x' }, token, 1)).toBe('other-query');
      expect(decodePageToken({ ...query, collection: 'project/' }, token, 1)).toBe('other-query');
    }),
  );
});

test('what is no page token is told apart, whatever it is', () => {
  const token = encodePageToken(query, { name: 'x', values: ['y'] });
  expect(decodePageToken(query, token, 2)).toBe('broken');
  const broken = [
    '',
    '!',
    'bnVsbA',
    btoa('{}'),
    btoa('[]'),
    btoa('[2,1,"x"]'),
    btoa('[1,1,2]'),
    token.slice(0, -3),
    'x'.repeat(9000),
  ];
  for (const text of broken) expect(decodePageToken(query, text, 1)).toBe('broken');
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(decodePageToken(query, text, 1)).toBe('broken');
    }),
  );
});

test('a filter and a page size cut a list into pages that end with no token', () => {
  const items = byName(['aa', 'ab', 'bb', 'ac', 'ad'].map((id) => region(id)));
  const parsed = parseFilter('id:a', FIELDS.region);
  if (!parsed.ok) throw new Error('filter');
  const first = pageOf(items, { order: [], filter: parsed.value, size: 2 });
  expect(first.items.map((item) => item.id)).toEqual(['aa', 'ab']);
  const second = pageOf(items, { order: [], filter: parsed.value, size: 2, ...(first.next && { after: first.next }) });
  expect(second.items.map((item) => item.id)).toEqual(['ac', 'ad']);
  expect(second.next).toBeUndefined();
});

interface Step {
  readonly op: 'add' | 'drop' | 'retitle';
  readonly id: number;
  readonly title: string;
}

const titles = fc.constantFrom('a', 'b', 'c', 'é', '');
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({ op: fc.constantFrom<Step['op']>('add', 'drop', 'retitle'), id: fc.nat(30), title: titles }),
  { maxLength: 12 },
);

test('whatever comes and goes between the pages, what is there throughout is listed exactly once', () => {
  const orders = fc.constantFrom('', 'title', 'title desc', 'title desc, revision, name desc');
  fc.assert(
    fc.property(orders, fc.integer({ min: 1, max: 5 }), fc.array(steps, { maxLength: 12 }), (text, size, between) => {
      const order = orderOf(text);
      const items = new Map<string, AnyItem>();
      for (let i = 0; i < 20; i++) items.set(`r${i}`, region(`r${i}`, 'abc'[i % 3]));
      const steady = new Set(items.keys());
      const seen: string[] = [];
      let token: string | undefined;
      do {
        const after = token === undefined ? undefined : decodePageToken(query, token, order.length);
        if (typeof after === 'string') throw new Error(after);
        const page = pageOf(byName(items.values()), { order, size, ...(after && { after }) });
        expect(page.items.length).toBeLessThanOrEqual(size);
        seen.push(...page.items.map((item) => item.id));
        token = page.next && encodePageToken(query, page.next);
        for (const { op, id, title } of between.shift() ?? []) {
          const key = `r${id}`;
          steady.delete(key);
          if (op === 'drop') items.delete(key);
          else if (op === 'add' || items.has(key)) items.set(key, region(key, title));
        }
      } while (token !== undefined);
      for (const id of steady) expect(seen.filter((other) => other === id)).toHaveLength(1);
    }),
    { numRuns: 500 },
  );
});
