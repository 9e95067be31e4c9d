import { describe, expect, test } from '@jest/globals';
import { bundle, editsOf, GROUND, patch, put, remove, service, version, World } from './world.ts';

const ids = ['a.test', 'b.test', 'c.test', 'd.test'];

/** a imports b imports c. */
const chain = (): World =>
  new World([
    ...GROUND,
    ...ids.map((id) => service(id)),
    version('a.test', 'v1', { 'b.test': 'v1' }),
    version('b.test', 'v1', { 'c.test': 'v1' }),
    version('c.test', 'v1'),
    version('d.test', 'v1'),
  ]);

const closing = put(version('c.test', 'v2', { 'a.test': 'v1', 'd.test': 'v1' }));
const together = { deployedTogether: true };

describe('COV3: imports form no cycle', () => {
  test('import-cycle: spelled out, and opened by whoever leads back', () => {
    const world = chain();
    const violations = world.violations([closing]);
    expect(violations).toEqual([
      {
        code: 'import-cycle',
        rule: 'COV3',
        resource: 'services/c.test',
        importer: 'c.test',
        imported: 'a.test',
        message:
          'The imports form a cycle: c.test -> a.test -> b.test -> c.test. Only a bundle that is deployed together may contain one.',
        fix: {
          method: 'PATCH',
          path: '/v1/services/b.test/versions/v1',
          body: { imports: [] },
          summary: 'Opens the cycle: takes what closes it out of the imports of services/b.test/versions/v1.',
        },
      },
    ]);
    for (const { fix } of violations) if (fix !== undefined) world.must(editsOf(fix));
    world.must([closing]);
  });

  test('all versions count, and every one that leads back has to let go', () => {
    const world = chain();
    world.must([put(version('b.test', 'v2', { 'c.test': 'v1', 'd.test': 'v1' }, { lifecycle: { state: 'retired' } }))]);
    const [violation] = world.violations([closing]);
    expect(violation?.fix).toMatchObject({
      method: 'POST',
      path: '/v1/apply',
      body: [
        { name: 'services/b.test/versions/v1', imports: [] },
        {
          name: 'services/b.test/versions/v2',
          imports: [{ service: 'd.test', version: 'v1' }],
          lifecycle: { state: 'retired' },
        },
      ],
    });
  });

  test('self-import', () => {
    const world = chain();
    expect(world.violations([put(version('d.test', 'v2', { 'd.test': 'v1' }))])).toMatchObject([
      {
        code: 'self-import',
        rule: 'COV3',
        resource: 'services/d.test/versions/v2',
        message: 'd.test v2 imports d.test v1, which is itself.',
      },
    ]);
  });

  test('a cycle that one command brings as a whole is one violation', () => {
    const world = chain();
    const edits = [put(version('c.test', 'v1', { 'd.test': 'v1' })), put(version('d.test', 'v1', { 'b.test': 'v1' }))];
    expect(world.violations(edits)).toMatchObject([{ code: 'import-cycle' }]);
  });

  test('a service imported twice over is no cycle', () => {
    const world = chain();
    world.must([put(version('a.test', 'v2', { 'b.test': 'v1', 'c.test': 'v1', 'd.test': 'v1' }))]);
    world.must([put(version('b.test', 'v2', { 'c.test': 'v1', 'd.test': 'v1' }))]);
  });
});

describe('COV3: a bundle that is deployed as one may contain a cycle', () => {
  const members = ['a.test', 'b.test', 'c.test'];

  test('the whole of it, and only while it is deployed as one', () => {
    const world = chain();
    world.must([put(bundle('core', ['a.test', 'b.test'], together))]);
    expect(world.violations([closing])).toMatchObject([{ code: 'import-cycle' }]);
    world.must([put(bundle('core', members))]);
    expect(world.violations([closing])).toMatchObject([{ code: 'import-cycle' }]);
    world.must([put(bundle('core', members, together)), closing]);
  });

  test.each([
    ['a member leaves', put(bundle('core', ['a.test', 'c.test'], together))],
    ['the rule is given up', patch('bundles/core', { rules: { deployedTogether: false } })],
    ['the bundle is deleted', remove('bundles/core')],
  ])('not when %s', (_what, edit) => {
    const world = chain();
    world.must([put(bundle('core', members, together)), closing]);
    const violations = world.violations([edit]);
    expect(violations).toMatchObject([{ code: 'import-cycle', rule: 'COV3' }]);
    for (const { fix } of violations) if (fix !== undefined) world.must(editsOf(fix));
    world.must([edit]);
  });

  test('it may grow and be renamed in one revision', () => {
    const world = chain();
    world.must([put(bundle('core', members, together)), closing]);
    world.must([put(bundle('core', [...members, 'd.test'], together))]);
    world.must([remove('bundles/core'), put(bundle('other', members, together))]);
  });
});
