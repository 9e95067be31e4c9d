import { expect, test } from '@jest/globals';
import fc from '../support/properties.ts';
import type { Select } from '../../src/protocol/frames.ts';
import { framesOf, listsOf, StateBuilder, type Changes } from '../../src/sdk/links/poll-frames.ts';
import { queryOf } from '../../src/sdk/links/select-query.ts';
import type { Resource } from '../../src/sdk/watch/watch.ts';

const SELECT: Select = { kind: 'region', labels: { on: 'y' } };
const IDS = ['ra', 'rb', 'rc', 'rd', 're'];

type State = ReadonlyMap<string, Resource>;
const isOn = (resource: Resource | undefined): boolean =>
  (resource?.['labels'] as Record<string, string> | undefined)?.['on'] === 'y';

/** Every state of a history, by revision; each revision puts a region with or without the label, or deletes it. */
function historyOf(steps: readonly (readonly [id: number, what: 'on' | 'off' | 'gone'])[]): State[] {
  const states: State[] = [new Map()];
  for (const [i, [id, what]] of steps.entries()) {
    const next = new Map(states[i]);
    const name = `regions/${IDS[id]}`;
    if (what === 'gone') next.delete(name);
    else next.set(name, { name, revision: i + 1, title: name, labels: what === 'on' ? { on: 'y' } : {} });
    states.push(next);
  }
  return states;
}

/** As the server tells it: what stops matching is a delete, and what never matched is nothing. */
function changesBetween(states: readonly State[], from: number, to: number): Changes['changes'] {
  const changes: Changes['changes'] = [];
  for (let revision = from + 1; revision <= to; revision++) {
    const [before, after] = [states[revision - 1] as State, states[revision] as State];
    for (const key of new Set([...before.keys(), ...after.keys()])) {
      const [was, is] = [before.get(key), after.get(key)];
      if (was === is) continue;
      if (isOn(is)) changes.push({ op: 'put', kind: 'region', key, revision, value: is as Resource });
      else if (isOn(was)) changes.push({ op: 'delete', kind: 'region', key, revision });
    }
  }
  return changes;
}

test('PUSH8 pages of any revisions, by any nodes, and the changes since the earliest are the state at the last', () => {
  const step = fc.tuple(fc.nat(IDS.length - 1), fc.constantFrom('on' as const, 'off' as const, 'gone' as const));
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 30 }),
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 3 })), { minLength: 5, maxLength: 5 }),
      (steps, reads) => {
        const states = historyOf(steps);
        const state = new StateBuilder(SELECT);
        const seen: number[] = [];
        let after = '';
        for (const [at, size] of reads) {
          const revision = at % states.length;
          const rest = [...(states[revision] as State).values()].filter(({ name }) => name > after);
          const items = rest.toSorted((a, b) => (a.name < b.name ? -1 : 1)).slice(0, size);
          state.page({ items });
          seen.push(revision);
          after = items.length < size ? '~' : (items.at(-1)?.name ?? '~');
        }
        // A page more for what is left, so that all was listed.
        state.page({ items: [...(states.at(-1) as State).values()].filter(({ name }) => name > after) });
        seen.push(states.length - 1);
        const [earliest, last] = [Math.min(...seen), Math.max(...seen)];
        state.changes({ changes: changesBetween(states, earliest, last) });
        const expected = [...(states[last] as State).values()].filter(isOn);
        const byName = (a: Resource, b: Resource): number => (a.name < b.name ? -1 : 1);
        expect(state.items.toSorted(byName)).toEqual(expected.toSorted(byName));
      },
    ),
    { numRuns: 500 },
  );
});

test('an answer is a change, or a position that moves on, or nothing', () => {
  const changes: Changes['changes'] = [{ op: 'delete', kind: 'region', key: 'regions/ra', revision: 4 }];
  const change = { type: 'change', topic: 'region', revision: 5, changes };
  expect(framesOf('region', 3, { to: 5, head: 9, changes })).toEqual([change]);
  expect(framesOf('region', 3, { to: 5, head: 5, changes: [] })).toEqual([
    { type: 'synced', topic: 'region', revision: 5 },
  ]);
  expect(framesOf('region', 5, { to: 5, head: 5, changes: [] })).toEqual([]);
});

test('only lists that can have something are read', () => {
  expect(listsOf({ kind: 'region' })).toEqual(['/v1/regions?pageSize=1000']);
  expect(listsOf({ kind: 'instance', services: ['a.example.com', 'bb', 'a.example.com', 'No Service'] })).toEqual([
    '/v1/services/a.example.com/instances',
    '/v1/services/bb/instances',
  ]);
  expect(listsOf({ kind: 'region', services: ['aa'] })).toEqual([]);
  expect(listsOf({ kind: 'version', services: ['No Service'] })).toEqual([]);
  const filter = encodeURIComponent('parent in ("aa","bb")');
  expect(listsOf({ kind: 'version', services: ['aa', 'bb'] })).toEqual([
    `/v1/services/-/versions?pageSize=1000&filter=${filter}`,
  ]);
  expect(listsOf({ kind: '*' })).toHaveLength(11);
  const many = Array.from({ length: 100 }, (_, i) => `service-${i}.with.a.long.name.example.com`);
  expect(listsOf({ kind: 'deployment', services: many })).toEqual(['/v1/services/-/deployments?pageSize=1000']);
});

test('a selection is the query that says it, or cannot be said', () => {
  const said = queryOf({
    kind: 'instance',
    services: ['a', 'b'],
    environments: ['prod', ''],
    tags: { x: '1', y: 'a b=c' },
    passing: false,
  });
  expect(said.ok && said.query.toString()).toBe(
    'kind=instance&services=a%2Cb&environments=prod%2C&tags=x%3D1%2Cy%3Da+b%3Dc&passing=false',
  );
  expect(queryOf({ kind: 'instance', versions: ['1,2'] })).toMatchObject({ ok: false });
  expect(queryOf({ kind: 'service', labels: { a: 'b ' } })).toMatchObject({ ok: false });
  expect(queryOf({ kind: 'service', labels: { 'a,b': 'c' } })).toMatchObject({ ok: false });
});
