import { expect, test } from '@jest/globals';
import { makeItem, type Change } from '../../../src/domain/item.ts';
import type { Value } from '../../../src/domain/resources.ts';
import { View } from '../../../src/domain/view.ts';
import { cov2, cov2OfAll } from './cov2.ts';

const put = (value: object): Change => ({
  op: 'put',
  item: makeItem({ labels: {}, revision: 1, ...value } as unknown as Value),
});
const service = (id: string): Change =>
  put({ name: `services/${id}`, project: 'pp', primaryRegion: 'eu-west', uses: [] });
const version = (id: string, number: string, imports: object[] = []): Change =>
  put({ name: `services/${id}/versions/${number}`, imports, lifecycle: { state: 'active' } });
const deployment = (id: string, currentVersion: string, disabled = false): Change =>
  put({ name: `services/${id}/deployments/eu-west`, currentVersion, disabled });

/** `top` runs in a region and imports `base` v2, which runs there. */
function world(): View {
  const view = new View();
  view.fold([service('base.example.com'), service('top.example.com')]);
  view.fold([
    version('base.example.com', 'v1'),
    version('base.example.com', 'v2'),
    version('top.example.com', 'v1', [{ service: 'base.example.com', version: 'v2' }]),
  ]);
  view.fold([deployment('base.example.com', 'v2'), deployment('top.example.com', 'v1')]);
  return view;
}

test('COV2 the validator takes a state that is covered', () => {
  expect(cov2OfAll(world())).toEqual([]);
});

test.each<[string, Change]>([
  ['is removed', { op: 'delete', kind: 'deployment', name: 'services/base.example.com/deployments/eu-west', was: {} }],
  ['is disabled', deployment('base.example.com', 'v2', true)],
  ['is downgraded', deployment('base.example.com', 'v1')],
])('COV2 the validator complains when what is imported %s', (_what, change) => {
  const view = world();
  const folded = view.fold([change]);
  expect(cov2(view, folded, 9)).toMatchObject([{ promise: 'COV2' }]);
  expect(cov2OfAll(view)).toMatchObject([{ promise: 'COV2' }]);
});

test('COV2 the validator complains of an import of what does not run there', () => {
  const view = world();
  view.fold([service('other.example.com'), version('other.example.com', 'v1')]);
  const folded = view.fold([version('top.example.com', 'v1', [{ service: 'other.example.com', version: 'v1' }])]);
  expect(cov2(view, folded, 9)).toMatchObject([{ promise: 'COV2' }]);
});
