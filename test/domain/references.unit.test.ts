import { describe, expect, test } from '@jest/globals';
import type { Edit } from '../../src/domain/command.ts';
import {
  ACCOUNT,
  bundle,
  deployment,
  editsOf,
  GROUND,
  patch,
  put,
  region,
  remove,
  service,
  version,
  World,
} from './world.ts';

const base = (): World =>
  new World([
    ...GROUND,
    service('a.test'),
    version('a.test', 'v1'),
    version('a.test', 'v2'),
    service('b.test'),
    version('b.test', 'v1'),
  ]);

const retire = (of: string, id: string): Edit =>
  patch(`services/${of}/versions/${id}`, { lifecycle: { state: 'retired' } });

describe('REF1: what a resource refers to exists', () => {
  test.each([
    ['parent-missing', version('x.test', 'v1'), undefined],
    ['parent-missing', { name: 'projects/x1/service-accounts/sa' }, 'PUT /v1/projects/x1'],
    [
      'reference-missing',
      service('c.test', { creator: 'projects/core/service-accounts/who' }),
      'PUT /v1/projects/core/service-accounts/who',
    ],
    ['reference-missing', service('c.test', { uses: ['x.test'] }), undefined],
    ['version-missing', deployment('a.test', 'us', 'v9'), 'PUT /v1/services/a.test/versions/v9'],
    ['import-version-unknown', version('a.test', 'v1', { 'b.test': 'v9' }), 'PUT /v1/services/b.test/versions/v9'],
    ['import-version-unknown', version('a.test', 'v1', { 'x.test': 'v1' }), undefined],
    [
      'reference-missing',
      { name: 'services/a.test/resources/Thing', plural: 'Things', versions: [{ version: 'v9' }] },
      'PUT /v1/services/a.test/versions/v9',
    ],
    ['reference-missing', bundle('core', ['a.test', 'x.test']), undefined],
  ])('%s: %j', (code, document, fix) => {
    const violations = base().violations([put(document)]);
    expect(violations).toMatchObject([{ code, rule: 'REF1', resource: document.name }]);
    const [first] = violations;
    expect(first?.fix && `${first.fix.method} ${first.fix.path}`).toBe(fix);
  });

  test('CAT1: a deployment is in a region of the catalog, and a primary region is one', () => {
    const world = base();
    const fix = { method: 'PUT', path: '/v1/regions/ap', body: { title: 'ap' } };
    expect(world.violations([put(deployment('a.test', 'ap'))])).toMatchObject([
      { code: 'region-missing', rule: 'CAT1', resource: 'services/a.test/deployments/ap', region: 'ap', fix },
      { code: 'primary-region-not-deployed', rule: 'CAT3' },
    ]);
    expect(world.violations([patch('services/a.test', { primaryRegion: 'ap' })])).toMatchObject([
      { code: 'region-missing', fix },
    ]);
  });

  test('REF1: what is missing is said once for everything that is missing', () => {
    const imports = { 'b.test': 'v8', 'c.test': 'v9' };
    expect(
      base()
        .violations([put(version('x.test', 'v1', imports))])
        .map(({ code, imported }) => [code, imported]),
    ).toEqual([
      ['parent-missing', undefined],
      ['import-version-unknown', 'b.test'],
      ['import-version-unknown', 'c.test'],
    ]);
  });
});

describe('REF1: what is referred to stays', () => {
  test('a service with children cannot be deleted; its children have to go first', () => {
    const world = base();
    world.must([put(deployment('a.test', 'us'))]);
    const violations = world.violations([remove('services/a.test')]);
    expect(violations.map(({ code, resource, fix }) => [code, resource, fix?.method])).toEqual([
      ['parent-missing', 'services/a.test/deployments/us', 'DELETE'],
      // It runs in us: it can be deleted when that deployment is gone.
      ['parent-missing', 'services/a.test/versions/v1', undefined],
      ['parent-missing', 'services/a.test/versions/v2', 'DELETE'],
    ]);
    expect(violations[0]?.message).toBe(
      'services/a.test/deployments/us belongs to services/a.test, which would be deleted.',
    );
    let rounds = 0;
    for (let left = violations; left.length > 0; left = world.violations([remove('services/a.test')])) {
      for (const { fix } of left) if (fix !== undefined) world.must(editsOf(fix));
      rounds++;
    }
    expect(rounds).toBe(2);
    world.must([remove('services/a.test')]);
  });

  test('everything can go in one revision', () => {
    const world = base();
    world.must([...world.view.all()].map(({ name }) => remove(name)));
    expect(world.view.size).toBe(0);
  });

  test.each([
    ['a project', 'projects/core', ['parent-missing', 'reference-missing', 'reference-missing']],
    ['a service account', ACCOUNT, ['reference-missing', 'reference-missing']],
    ['a region', 'regions/us', ['region-missing', 'region-missing']],
  ])('%s with what refers to it', (_what, name, codes) => {
    expect(
      base()
        .violations([remove(name)])
        .map(({ code }) => code),
    ).toEqual(codes);
  });

  test('who refers to what is deleted is told how to let go of it', () => {
    const world = base();
    world.must([
      put(service('c.test', { uses: ['a.test', 'b.test'] })),
      put(version('c.test', 'v1', { 'a.test': 'v2', 'b.test': 'v1' })),
      put({
        name: 'services/a.test/resources/Thing',
        plural: 'Things',
        versions: [{ version: 'v1' }, { version: 'v2' }],
      }),
      put(bundle('core', ['a.test', 'b.test'])),
    ]);
    const fixes = world
      .violations([remove('services/a.test/versions/v2')])
      .map(({ resource, fix }) => [resource, fix?.body]);
    expect(fixes).toEqual([
      ['services/a.test/resources/Thing', { versions: [{ version: 'v1', regional: false }] }],
      ['services/c.test/versions/v1', { imports: [{ service: 'b.test', version: 'v1' }] }],
    ]);
    const others = world
      .violations([remove('services/b.test')])
      .map(({ resource, fix }) => [resource, fix?.method, fix?.body]);
    expect(others).toEqual([
      ['bundles/core', 'PATCH', { members: ['a.test'] }],
      ['services/b.test/versions/v1', undefined, undefined],
      ['services/c.test', 'PATCH', { uses: ['a.test'] }],
    ]);
  });

  test('a deployment whose version goes is upgraded, lowered, or deleted', () => {
    const world = base();
    world.must([put(deployment('a.test', 'us', 'v1')), put(deployment('a.test', 'eu', 'v2'))]);
    const fixFor = (name: string): unknown => world.violations([remove(name)])[0]?.fix;
    expect(fixFor('services/a.test/versions/v1')).toMatchObject({
      method: 'PATCH',
      path: '/v1/services/a.test/deployments/us',
      body: { currentVersion: 'v2' },
    });
    expect(fixFor('services/a.test/versions/v2')).toMatchObject({
      method: 'PATCH',
      path: '/v1/services/a.test/deployments/eu',
      body: { currentVersion: 'v1' },
    });
    world.must([remove('services/a.test/deployments/eu'), remove('services/a.test/versions/v2')]);
    expect(fixFor('services/a.test/versions/v1')).toMatchObject({
      method: 'DELETE',
      path: '/v1/services/a.test/deployments/us',
    });
  });

  test('a primary region that goes moves to where the service is deployed', () => {
    const world = base();
    world.must([
      put(deployment('a.test', 'us')),
      put(deployment('a.test', 'eu')),
      patch('services/b.test', { primaryRegion: 'eu' }),
    ]);
    const [violation] = world.violations([remove('regions/us')]);
    expect(violation).toMatchObject({
      code: 'region-missing',
      resource: 'services/a.test',
      fix: { method: 'PATCH', path: '/v1/services/a.test', body: { primaryRegion: 'eu' } },
    });
  });
});

describe('REF1: what is retired is not in use', () => {
  test('a version that runs somewhere or is imported is not retired', () => {
    const world = base();
    world.must([put(deployment('a.test', 'us', 'v1')), put(version('b.test', 'v1', { 'a.test': 'v1' }))]);
    expect(world.violations([retire('a.test', 'v1')])).toMatchObject([
      {
        code: 'version-retired',
        resource: 'services/a.test/deployments/us',
        region: 'us',
        fix: { body: { currentVersion: 'v2' } },
      },
      {
        code: 'import-version-retired',
        resource: 'services/b.test/versions/v1',
        importer: 'b.test',
        imported: 'a.test',
        fix: { method: 'PATCH', path: '/v1/services/b.test/versions/v1', body: { imports: [] } },
      },
    ]);
    world.must([retire('a.test', 'v2')]);
  });

  test('a retired version is not deployed or imported; what is retired itself may import it', () => {
    const world = base();
    world.must([retire('a.test', 'v1')]);
    const fix = { method: 'PATCH', path: '/v1/services/a.test/versions/v1', body: { lifecycle: { state: 'active' } } };
    expect(world.violations([put(deployment('a.test', 'us', 'v1'))])).toMatchObject([{ code: 'version-retired', fix }]);
    const importing = version('b.test', 'v1', { 'a.test': 'v1' });
    expect(world.violations([put(importing)])).toMatchObject([{ code: 'import-version-retired', fix }]);
    world.must([put({ ...importing, lifecycle: { state: 'retired' } })]);
    expect(world.violations([patch(importing.name, { lifecycle: { state: 'active' } })])).toHaveLength(1);
    expect(world.violations([remove('services/a.test/versions/v1')])).toMatchObject([
      { code: 'import-version-unknown' },
    ]);
  });
});

describe('CAT3: the primary region', () => {
  test('is one of the regions where the service is deployed, once it is anywhere', () => {
    const world = base();
    world.must([patch('services/a.test', { primaryRegion: 'eu' })]);
    world.must([patch('services/a.test', { primaryRegion: 'us' })]);
    expect(world.violations([put(deployment('a.test', 'eu'))])).toMatchObject([
      {
        code: 'primary-region-not-deployed',
        resource: 'services/a.test',
        region: 'us',
        fix: {
          method: 'PUT',
          path: '/v1/services/a.test/deployments/us',
          body: { regionalEndpoint: 'us.a.test.apis.test', currentVersion: 'v1' },
        },
      },
    ]);
    world.must([put(deployment('a.test', 'us', 'v2'))]);
    expect(world.violations([patch('services/a.test', { primaryRegion: 'eu' })])).toMatchObject([
      {
        code: 'primary-region-not-deployed',
        fix: { method: 'PUT', path: '/v1/services/a.test/deployments/eu', body: { currentVersion: 'v2' } },
      },
    ]);
  });

  test('is the last to go', () => {
    const world = base();
    world.must([put(deployment('a.test', 'us')), put(deployment('a.test', 'eu'))]);
    expect(world.violations([remove('services/a.test/deployments/us')])).toMatchObject([
      {
        code: 'primary-region-not-deployed',
        fix: { method: 'PATCH', path: '/v1/services/a.test', body: { primaryRegion: 'eu' } },
      },
    ]);
    world.must([remove('services/a.test/deployments/eu')]);
    world.must([remove('services/a.test/deployments/us')]);
  });

  test('can move together with the deployment', () => {
    const world = base();
    world.must([put(deployment('a.test', 'us'))]);
    world.must([
      remove('services/a.test/deployments/us'),
      put(deployment('a.test', 'eu')),
      patch('services/a.test', { primaryRegion: 'eu' }),
    ]);
  });

  test('a new region changes nothing for those who are not deployed there', () => {
    expect(base().violations([put(region('ap'))])).toEqual([]);
  });
});
