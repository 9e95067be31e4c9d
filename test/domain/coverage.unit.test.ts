import { describe, expect, test } from '@jest/globals';
import { planDeployment } from '../../src/domain/plan.ts';
import {
  bundle,
  deployment,
  editsOf,
  GROUND,
  namesIn,
  patch,
  put,
  remove,
  service,
  version,
  World,
  type Document,
} from './world.ts';

/** a imports b; both run in us. */
const pair = (...more: Document[]): World =>
  new World([
    ...GROUND,
    service('a.test'),
    service('b.test'),
    version('a.test', 'v1', { 'b.test': 'v1' }),
    version('b.test', 'v1'),
    version('b.test', 'v2'),
    deployment('a.test', 'us'),
    deployment('b.test', 'us'),
    ...more,
  ]);

const A_IMPORTS_B = {
  rule: 'COV1',
  resource: 'services/a.test/versions/v1',
  importer: 'a.test',
  importerVersion: 'v1',
  imported: 'b.test',
  importedVersion: 'v1',
};

describe('COV1: a service is deployed only where its imports are', () => {
  test('import-not-deployed: the imported service comes first', () => {
    const world = pair();
    const [violation, ...none] = world.violations([put(deployment('a.test', 'eu'))]);
    expect(none).toEqual([]);
    expect(violation).toEqual({
      ...A_IMPORTS_B,
      code: 'import-not-deployed',
      region: 'eu',
      message: 'a.test v1 runs in eu and imports b.test v1, but b.test is not deployed there.',
      fix: {
        method: 'PUT',
        path: '/v1/services/b.test/deployments/eu',
        body: { regionalEndpoint: 'eu.b.test.apis.test', currentVersion: 'v1' },
        summary: 'Deploys b.test in eu.',
      },
    });
    if (violation?.fix !== undefined) world.must(editsOf(violation.fix));
    world.must([put(deployment('a.test', 'eu'))]);
  });

  test('import-disabled, import-version-too-old: the deployment that is there is changed', () => {
    const world = pair(
      deployment('b.test', 'eu', 'v1', { disabled: true, labels: { keep: 'me' } }),
      version('a.test', 'v2', { 'b.test': 'v2' }),
    );
    const [disabled] = world.violations([put(deployment('a.test', 'eu'))]);
    expect(disabled).toMatchObject({ ...A_IMPORTS_B, code: 'import-disabled', region: 'eu' });
    expect(disabled?.fix).toMatchObject({
      method: 'PATCH',
      path: '/v1/services/b.test/deployments/eu',
      body: { disabled: false },
    });
    const [old] = world.violations([patch('services/a.test/deployments/us', { currentVersion: 'v2' })]);
    expect(old).toMatchObject({
      code: 'import-version-too-old',
      importerVersion: 'v2',
      importedVersion: 'v2',
      region: 'us',
      fix: { method: 'PATCH', path: '/v1/services/b.test/deployments/us', body: { currentVersion: 'v2' } },
    });
    const both = world.violations([put(deployment('a.test', 'eu', 'v2'))]);
    expect(both.map(({ fix }) => fix?.body)).toEqual([
      { currentVersion: 'v2', disabled: false },
      { currentVersion: 'v2', disabled: false },
    ]);
  });

  test('every version that runs counts: the current one and the older ones that are listed and not retired', () => {
    const world = pair(version('a.test', 'v2'), version('a.test', 'v3', { 'b.test': 'v2' }));
    expect(world.violations([patch('services/a.test/deployments/us', { currentVersion: 'v3' })])).toMatchObject([
      { code: 'import-version-too-old', importerVersion: 'v3' },
    ]);
    world.must([patch('services/a.test/deployments/us', { currentVersion: 'v2' })]);
    expect(world.violations([put(deployment('a.test', 'eu', 'v2'))])).toMatchObject([
      { ...A_IMPORTS_B, code: 'import-not-deployed' },
    ]);
    world.must([patch('services/a.test/versions/v1', { lifecycle: { state: 'retired' } })]);
    world.must([put(deployment('a.test', 'eu', 'v2'))]);
    expect(world.violations([patch('services/a.test/versions/v1', { lifecycle: { state: 'active' } })])).toMatchObject([
      { ...A_IMPORTS_B, code: 'import-not-deployed', region: 'eu' },
    ]);
    world.must([remove('services/a.test/versions/v1'), remove('services/b.test/deployments/us')]);
  });

  test('a disabled deployment still needs its imports', () => {
    expect(pair().violations([put(deployment('a.test', 'eu', 'v1', { disabled: true }))])).toMatchObject([
      { code: 'import-not-deployed' },
    ]);
  });

  test('an import that is raised has the imported service raised first', () => {
    expect(pair().violations([put(version('a.test', 'v1', { 'b.test': 'v2' }))])).toMatchObject([
      {
        code: 'import-version-too-old',
        fix: { path: '/v1/services/b.test/deployments/us', body: { currentVersion: 'v2' } },
      },
    ]);
  });

  test('an import that is added is covered wherever its version runs, each region with its own plan', () => {
    const world = pair(
      service('c.test'),
      version('c.test', 'v1'),
      deployment('b.test', 'eu'),
      deployment('a.test', 'eu'),
    );
    const violations = world.violations([put(version('a.test', 'v1', { 'b.test': 'v1', 'c.test': 'v1' }))]);
    expect(violations).toMatchObject([
      { imported: 'c.test', region: 'eu', fix: { method: 'POST', path: '/v1/apply' } },
      { imported: 'c.test', region: 'us', fix: { method: 'PUT', path: '/v1/services/c.test/deployments/us' } },
    ]);
    // c is deployed nowhere: its primary region comes with its first deployment.
    expect(violations[0]?.fix?.body).toEqual([
      { name: 'services/c.test/deployments/eu', regionalEndpoint: 'eu.c.test.apis.test', currentVersion: 'v1' },
      { name: 'services/c.test/deployments/us', regionalEndpoint: 'us.c.test.apis.test', currentVersion: 'v1' },
    ]);
    world.must([put(version('a.test', 'v9', { 'c.test': 'v1' }))]);
  });
});

describe('COV2: what is imported does not go away', () => {
  const giveUp = { method: 'PATCH', path: '/v1/services/a.test/versions/v1', body: { imports: [] } };

  test.each([
    ['import-not-deployed', remove('services/b.test/deployments/us')],
    ['import-disabled', patch('services/b.test/deployments/us', { disabled: true })],
  ])('%s: the importer has to give the import up', (code, edit) => {
    const world = pair();
    const violations = world.violations([edit]);
    expect(violations).toMatchObject([{ ...A_IMPORTS_B, code, region: 'us', fix: giveUp }]);
    for (const { fix } of violations) if (fix !== undefined) world.must(editsOf(fix));
    world.must([edit]);
  });

  test('import-version-too-old: lowering it', () => {
    const world = pair(version('a.test', 'v1', { 'b.test': 'v2' }), deployment('b.test', 'us', 'v2'));
    expect(world.violations([patch('services/b.test/deployments/us', { currentVersion: 'v1' })])).toMatchObject([
      {
        code: 'import-version-too-old',
        message: 'a.test v1 runs in us and imports b.test v2, but b.test runs only v1 there.',
        fix: giveUp,
      },
    ]);
  });

  test('import-version-unknown, import-version-retired: taking the version away', () => {
    const world = pair(deployment('b.test', 'us', 'v2'));
    expect(world.violations([remove('services/b.test/versions/v1')])).toMatchObject([
      { ...A_IMPORTS_B, rule: 'REF1', code: 'import-version-unknown', fix: giveUp },
    ]);
    expect(world.violations([patch('services/b.test/versions/v1', { lifecycle: { state: 'retired' } })])).toMatchObject(
      [{ ...A_IMPORTS_B, rule: 'REF1', code: 'import-version-retired', fix: giveUp }],
    );
  });

  test('several imports of one version that go at once are given up in one request', () => {
    const world = pair(
      service('c.test'),
      version('c.test', 'v1'),
      deployment('c.test', 'us'),
      service('d.test'),
      version('d.test', 'v1'),
      deployment('d.test', 'us'),
      version('a.test', 'v1', { 'b.test': 'v1', 'c.test': 'v1', 'd.test': 'v1' }),
    );
    const edits = [remove('services/b.test/deployments/us'), remove('services/c.test/deployments/us')];
    const violations = world.violations(edits);
    const fix = { path: '/v1/services/a.test/versions/v1', body: { imports: [{ service: 'd.test', version: 'v1' }] } };
    expect(violations).toMatchObject([
      { imported: 'b.test', fix },
      { imported: 'c.test', fix },
    ]);
  });

  test('in other regions, for those who do not import it, and when it is raised or enabled, nothing is broken', () => {
    const world = pair(deployment('b.test', 'eu'));
    world.must([patch('services/b.test/deployments/eu', { disabled: true })]);
    world.must([remove('services/b.test/deployments/eu')]);
    world.must([patch('services/b.test/deployments/us', { currentVersion: 'v2' })]);
  });

  test('no fix changes what the command itself says', () => {
    const world = pair();
    const imports = version('a.test', 'v1', { 'b.test': 'v1' }, { labels: { new: 'label' } });
    expect(
      world.violations([put(imports), patch('services/b.test/deployments/us', { disabled: true })])[0],
    ).not.toHaveProperty('fix');
    const edits = [put(deployment('a.test', 'eu')), put(deployment('b.test', 'eu', 'v1', { disabled: true }))];
    expect(world.violations(edits)[0]).not.toHaveProperty('fix');
  });

  test('a fix that comes first brings along what only the command creates', () => {
    const world = pair();
    world.must([patch('services/b.test', { public: true })]);
    const account = 'projects/new/service-accounts/deployer';
    const created = [
      { name: 'projects/new', title: 'New' },
      { name: account },
      service('n.test', { creator: account, public: true }),
      version('n.test', 'v1', { 'b.test': 'v2' }),
      version('a.test', 'v1', { 'n.test': 'v1' }),
    ];
    const violations = world.violations(created.map(put));
    expect(violations).toMatchObject([{ code: 'import-not-deployed', imported: 'n.test', fix: { path: '/v1/apply' } }]);
    expect(namesIn(violations[0])).toEqual([
      'projects/new',
      account,
      'services/b.test/deployments/us',
      'services/n.test',
      'services/n.test/deployments/us',
      'services/n.test/versions/v1',
    ]);
    for (const { fix } of violations) if (fix !== undefined) world.must(editsOf(fix));
    world.must(created.map(put));
  });
});

describe('plans', () => {
  test('COV1: what an import imports comes too, at the newest version that anyone needs', () => {
    const world = pair(
      service('c.test'),
      version('c.test', 'v1'),
      version('c.test', 'v2'),
      deployment('c.test', 'us', 'v2'),
    );
    world.must([
      put(version('b.test', 'v1', { 'c.test': 'v1' })),
      put(version('a.test', 'v1', { 'b.test': 'v1', 'c.test': 'v2' })),
    ]);
    const plan = planDeployment(world.view, 'a.test', 'eu', 'v1');
    expect(plan).toEqual({
      ok: true,
      documents: [
        { name: 'services/a.test/deployments/eu', regionalEndpoint: 'eu.a.test.apis.test', currentVersion: 'v1' },
        { name: 'services/b.test/deployments/eu', regionalEndpoint: 'eu.b.test.apis.test', currentVersion: 'v1' },
        { name: 'services/c.test/deployments/eu', regionalEndpoint: 'eu.c.test.apis.test', currentVersion: 'v2' },
      ],
    });
    if (plan.ok) world.must(plan.documents.map(put));
    expect(planDeployment(world.view, 'a.test', 'eu', 'v1')).toEqual({ ok: true, documents: [] });
  });

  test('COV4: the rest of a bundle comes too, at one version if it is upgraded as one, and the primary region', () => {
    const world = pair(
      version('a.test', 'v2', { 'b.test': 'v1' }),
      service('c.test', { primaryRegion: 'eu' }),
      version('c.test', 'v1'),
      version('c.test', 'v2'),
    );
    world.must([put(bundle('core', ['b.test', 'c.test'], { upgradedTogether: true }))]);
    world.must([put(deployment('c.test', 'eu'))]);
    const names = (region: string, v: string): unknown => {
      const plan = planDeployment(world.view, 'b.test', region, v);
      return plan.ok
        ? plan.documents.map(({ name, currentVersion }) => `${name} ${String(currentVersion)}`)
        : plan.problem;
    };
    expect(names('eu', 'v2')).toEqual(['services/b.test/deployments/eu v2', 'services/c.test/deployments/eu v2']);
    expect(names('us', 'v2')).toEqual(['services/b.test/deployments/us v2']);
    world.must([patch('services/c.test/deployments/eu', { currentVersion: 'v2' })]);
    expect(names('eu', 'v1')).toEqual(['services/b.test/deployments/eu v2']);
    world.must([patch('services/c.test/deployments/eu', { currentVersion: 'v1' })]);
    world.must([
      put(deployment('c.test', 'us')),
      put(deployment('b.test', 'eu')),
      patch('bundles/core', { rules: { deployedTogether: true } }),
    ]);
    world.must([put({ name: 'regions/ap', title: 'ap' })]);
    expect(names('ap', 'v1')).toEqual(['services/b.test/deployments/ap v1', 'services/c.test/deployments/ap v1']);
  });

  test.each([
    ['x.test', 'eu', 'v1', 'there is no service x.test'],
    ['a.test', 'ap', 'v1', 'there is no region ap'],
    ['a.test', 'eu', 'v9', 'a.test does not list v9'],
    ['c.test', 'eu', 'v1', 'c.test v1 is retired'],
  ])('%s in %s at %s: %s', (of, at, v, problem) => {
    const retired = { lifecycle: { state: 'retired' } };
    const world = pair(service('c.test'), version('c.test', 'v1', {}, retired));
    expect(planDeployment(world.view, of, at, v)).toEqual({ ok: false, problem });
  });
});
