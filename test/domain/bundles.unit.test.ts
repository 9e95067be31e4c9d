import { describe, expect, test } from '@jest/globals';
import type { Edit } from '../../src/domain/command.ts';
import {
  bundle,
  deployment,
  editsOf,
  GROUND,
  namesIn,
  patch,
  put,
  region,
  remove,
  service,
  version,
  World,
} from './world.ts';

const MEMBERS = ['a.test', 'b.test', 'c.test'];

/** Three public services with two versions, a bundle of them with some rules. */
function core(rules: object, deployed: readonly string[] = ['us']): World {
  const world = new World([
    ...GROUND,
    ...MEMBERS.flatMap((id) => [
      service(id, { public: true, globalEndpoint: `${id.slice(0, 1)}.apis.test` }),
      version(id, 'v1'),
      version(id, 'v2'),
      ...deployed.map((at) => deployment(id, at)),
    ]),
  ]);
  world.must([put(bundle('core', MEMBERS, rules))]);
  return world;
}

/** Follows the fixes and sends the command again. */
function mend(world: World, edits: readonly Edit[]): void {
  const fixes = new Map(world.violations(edits).map(({ fix }) => [JSON.stringify(fix), fix]));
  for (const fix of fixes.values()) if (fix !== undefined) world.must(editsOf(fix));
  world.must(edits);
}

describe('COV4: deployedTogether', () => {
  test('wherever one member is deployed, all are', () => {
    const world = core({ deployedTogether: true });
    const edit = put(deployment('a.test', 'eu'));
    const violations = world.violations([edit]);
    expect(violations).toMatchObject([
      { code: 'bundle-not-deployed-together', rule: 'COV4', resource: 'services/b.test/deployments/eu', region: 'eu' },
      { code: 'bundle-not-deployed-together', resource: 'services/c.test/deployments/eu' },
    ]);
    expect(violations[0]?.message).toBe(
      'b.test would not be deployed in eu, but it belongs to bundles/core, which is deployed as one, and a.test is deployed there.',
    );
    const body = ['a', 'b', 'c'].map((id) => ({ name: `services/${id}.test/deployments/eu`, currentVersion: 'v1' }));
    for (const { fix } of violations) expect(fix).toMatchObject({ method: 'POST', path: '/v1/apply', body });
    mend(world, [edit]);
    world.must([
      remove('services/a.test/deployments/eu'),
      remove('services/b.test/deployments/eu'),
      remove('services/c.test/deployments/eu'),
    ]);
  });

  test('a member that leaves a region alone can only do so without the rule', () => {
    const world = core({ deployedTogether: true }, ['us', 'eu']);
    const edit = remove('services/a.test/deployments/eu');
    expect(world.violations([edit])).toMatchObject([
      {
        code: 'bundle-not-deployed-together',
        fix: { method: 'PATCH', path: '/v1/bundles/core', body: { rules: { deployedTogether: false } } },
      },
    ]);
    mend(world, [edit]);
  });

  test('disabling is not leaving', () => {
    core({ deployedTogether: true }).must([patch('services/a.test/deployments/us', { disabled: true })]);
  });

  test('a bundle that begins to have the rule deploys what is missing first', () => {
    const world = core({}, ['us']);
    world.must([put(deployment('a.test', 'eu'))]);
    const edit = patch('bundles/core', { rules: { deployedTogether: true } });
    expect(world.violations([edit])).toHaveLength(2);
    mend(world, [edit]);
  });
});

describe('COV4: everyRegion', () => {
  const rules = { everyRegion: true };

  test('holds for new regions too: region and deployments come in one revision', () => {
    const world = core(rules, ['us', 'eu']);
    const violations = world.violations([put(region('ap'))]);
    expect(violations.map(({ code, resource }) => [code, resource])).toEqual(
      MEMBERS.map((id) => ['bundle-not-in-every-region', `services/${id}/deployments/ap`]),
    );
    expect(namesIn(violations[0])).toEqual(['regions/ap', ...MEMBERS.map((id) => `services/${id}/deployments/ap`)]);
    mend(world, [put(region('ap'))]);
  });

  test('holds for regions where no member is, and when a member goes', () => {
    const world = core({});
    const edit = patch('bundles/core', { rules });
    expect(world.violations([edit])).toHaveLength(3);
    mend(world, [edit]);
    expect(world.violations([remove('services/a.test/deployments/eu')])).toMatchObject([
      { code: 'bundle-not-in-every-region', region: 'eu' },
    ]);
    world.must([remove('regions/eu'), ...MEMBERS.map((id) => remove(`services/${id}/deployments/eu`))]);
  });
});

describe('COV4: upgradedTogether', () => {
  const rules = { upgradedTogether: true };

  test('an upgrade is one revision in a region, and other regions may lag behind', () => {
    const world = core(rules, ['us', 'eu']);
    const edit = patch('services/a.test/deployments/eu', { currentVersion: 'v2' });
    const [violation, ...none] = world.violations([edit]);
    expect(none).toEqual([]);
    expect(violation).toMatchObject({
      code: 'bundle-versions-differ',
      resource: 'services/a.test/deployments/eu',
      region: 'eu',
      message: 'a.test runs v2 in eu, but bundles/core is upgraded as one and runs v1 there.',
      fix: {
        method: 'POST',
        path: '/v1/apply',
        body: MEMBERS.map((id) => ({ name: `services/${id}/deployments/eu`, currentVersion: 'v2' })),
      },
    });
    mend(world, [edit]);
    expect(world.value('services/a.test/deployments/us')['currentVersion']).toBe('v1');
    const back = patch('services/a.test/deployments/eu', { currentVersion: 'v1' });
    expect(world.violations([back])[0]?.fix?.summary).toBe(
      'Brings all members of bundles/core in eu to v1 in one revision.',
    );
    mend(world, [back]);
  });

  test('members that differ are raised before the rule holds', () => {
    const world = core({}, ['us']);
    world.must([patch('services/b.test/deployments/us', { currentVersion: 'v2' })]);
    mend(world, [patch('bundles/core', { rules })]);
    expect(world.value('services/a.test/deployments/us')['currentVersion']).toBe('v2');
  });

  test('without a version that all have the rule can only be given up', () => {
    const world = core(rules, ['us']);
    world.must([put(version('a.test', 'v3'))]);
    const [violation] = world.violations([patch('services/a.test/deployments/us', { currentVersion: 'v3' })]);
    expect(violation?.fix).toMatchObject({
      method: 'PATCH',
      path: '/v1/bundles/core',
      body: { rules: { upgradedTogether: false } },
    });
  });
});

describe('COV4: what the members say of themselves', () => {
  test('onePrimaryRegion: all move together, with the deployments this needs', () => {
    const world = core({ onePrimaryRegion: true });
    world.must([put(deployment('a.test', 'eu'))]);
    const edit = patch('services/a.test', { primaryRegion: 'eu' });
    const [violation] = world.violations([edit]);
    expect(violation).toMatchObject({
      code: 'bundle-primary-regions-differ',
      resource: 'services/a.test',
      message: 'a.test has its primary region in eu, but bundles/core has one primary region, us.',
    });
    expect(namesIn(violation)).toEqual([
      'services/a.test',
      'services/b.test',
      'services/b.test/deployments/eu',
      'services/c.test',
      'services/c.test/deployments/eu',
    ]);
    mend(world, [edit]);
  });

  test('oneDomain: global endpoints are equal after their first label', () => {
    const world = core({ oneDomain: true });
    expect(world.violations([put(bundle('core', MEMBERS, { oneDomain: true, public: true }))])).toEqual([]);
    const edit = patch('services/a.test', { globalEndpoint: 'alpha.other.test:443' });
    const [violation] = world.violations([edit]);
    expect(violation).toMatchObject({
      code: 'bundle-domains-differ',
      message: 'a.test is reached under other.test, but bundles/core has one domain, apis.test.',
    });
    expect(violation?.fix?.body).toMatchObject([
      { name: 'services/a.test', globalEndpoint: 'alpha.other.test:443' },
      { name: 'services/b.test', globalEndpoint: 'b.other.test' },
      { name: 'services/c.test', globalEndpoint: 'c.other.test' },
    ]);
    mend(world, [edit]);
    world.must([patch('services/a.test', { globalEndpoint: 'again.other.test' })]);
  });

  test('one member that joins from another domain is moved alone', () => {
    const world = core({});
    world.must([patch('services/c.test', { globalEndpoint: 'c.other.test' })]);
    const edit = patch('bundles/core', { rules: { oneDomain: true } });
    expect(world.violations([edit])[0]?.fix).toMatchObject({
      method: 'PATCH',
      path: '/v1/services/c.test',
      body: { globalEndpoint: 'c.apis.test' },
    });
    mend(world, [edit]);
  });

  test('public: members are made public, or the rule is given up', () => {
    const world = core({});
    world.must([patch('services/c.test', { public: false })]);
    const edit = patch('bundles/core', { rules: { public: true } });
    expect(world.violations([edit])).toMatchObject([
      { code: 'bundle-member-not-public', resource: 'services/c.test', fix: { body: { public: true } } },
    ]);
    mend(world, [edit]);
    const leaving = patch('services/a.test', { public: false });
    expect(world.violations([leaving])[0]?.fix).toMatchObject({
      path: '/v1/bundles/core',
      body: { rules: { public: false } },
    });
    mend(world, [leaving]);
  });

  test('a service is a member of one bundle at most', () => {
    const world = core({});
    const edit = put(bundle('other', ['a.test', 'b.test']));
    const fix = { method: 'PATCH', path: '/v1/bundles/core', body: { members: ['c.test'] } };
    expect(world.violations([edit])).toMatchObject([
      {
        code: 'service-in-two-bundles',
        resource: 'services/a.test',
        message: 'a.test is a member of bundles/core and bundles/other; it can be a member of one bundle.',
        fix,
      },
      { code: 'service-in-two-bundles', resource: 'services/b.test', fix },
    ]);
    mend(world, [edit]);
    world.must([put(bundle('core', ['a.test', 'c.test'])), put(bundle('other', ['b.test']))]);
  });
});

describe('COV1, COV4: a core bundle and a third party', () => {
  /** The import layering of SPEKTRA Edge, as far as it is public. */
  const LAYERS: Readonly<Record<string, readonly string[]>> = {
    meta: [],
    iam: ['meta'],
    audit: ['meta', 'iam'],
    logging: ['meta', 'iam'],
    limits: ['meta', 'iam'],
    secrets: [],
    proxies: [],
    monitoring: ['meta', 'secrets'],
    devices: ['iam', 'logging', 'monitoring'],
    applications: ['devices', 'secrets'],
  };
  const ids = Object.keys(LAYERS);
  const rules = {
    deployedTogether: true,
    everyRegion: false,
    onePrimaryRegion: true,
    oneDomain: true,
    upgradedTogether: true,
    public: true,
    usedByEveryone: true,
  };
  const documents = [
    ...GROUND,
    ...ids.flatMap((id) => [
      service(`${id}.core.test`, { public: true, globalEndpoint: `${id}.apis.core.test` }),
      version(
        `${id}.core.test`,
        'v1',
        Object.fromEntries((LAYERS[id] ?? []).map((below) => [`${below}.core.test`, 'v1'])),
      ),
      deployment(`${id}.core.test`, 'us'),
    ]),
    bundle(
      'core',
      ids.map((id) => `${id}.core.test`),
      rules,
    ),
    service('third.test'),
    version('third.test', 'v1', { 'devices.core.test': 'v1', 'iam.core.test': 'v1' }),
    deployment('third.test', 'us'),
  ];

  test('where the core is missing, one request brings all of it', () => {
    const world = new World(documents);
    expect(world.value('services/third.test')['effectiveUses']).toHaveLength(10);
    const edit = put(deployment('third.test', 'eu'));
    const violations = world.violations([edit]);
    expect(violations.map(({ code, imported }) => [code, imported])).toEqual([
      ['import-not-deployed', 'devices.core.test'],
      ['import-not-deployed', 'iam.core.test'],
    ]);
    expect(violations[1]?.fix).toEqual(violations[0]?.fix);
    expect(namesIn(violations[0])).toEqual(ids.map((id) => `services/${id}.core.test/deployments/eu`).sort());
    mend(world, [edit]);
  });
});
