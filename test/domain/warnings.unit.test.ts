import { describe, expect, test } from '@jest/globals';
import type { Edit } from '../../src/domain/command.ts';
import { followsConvention, regionalEndpoint } from '../../src/domain/endpoints.ts';
import { AT, bundle, deployment, GROUND, patch, put, remove, service, version, World } from './world.ts';

const world = (): World =>
  new World([
    ...GROUND,
    service('iam.test', { globalEndpoint: 'iam.apis.edgelq.com' }),
    version('iam.test', 'v1'),
    service('app.test', { uses: ['iam.test'] }),
    version('app.test', 'v1'),
  ]);

function warnings(one: World, edits: readonly Edit[]): string[] {
  const decision = one.run(edits);
  if (!decision.ok) throw new Error(JSON.stringify(decision.refusal));
  return decision.warnings.map(({ code, resource, message }) => `${code} ${resource}: ${message}`);
}

describe('endpoint-convention', () => {
  test.each([
    ['us-east.iam.apis.edgelq.com', 'iam.apis.edgelq.com', true],
    ['us-east.iam.apis.edgelq.com:443', 'iam.apis.edgelq.com', true],
    ['https://US-east.iam.apis.edgelq.com/v1', 'https://iam.apis.edgelq.com', true],
    ['iam.us-east.apis.edgelq.com', 'iam.apis.edgelq.com', false],
    ['iam.apis.edgelq.com', 'iam.apis.edgelq.com', false],
    ['us-west.iam.apis.edgelq.com', 'iam.apis.edgelq.com', false],
    ['ec2.us-east.amazonaws.com', 'ec2.amazonaws.com', false],
  ])('%s for %s: %s', (endpoint, global, follows) => {
    expect(followsConvention(endpoint, 'us-east', global)).toBe(follows);
    expect(followsConvention(regionalEndpoint('us-east', global), 'us-east', global)).toBe(true);
  });

  test('is a warning, not an error', () => {
    const one = world();
    expect(
      warnings(one, [put(deployment('iam.test', 'us', 'v1', { regionalEndpoint: 'us.iam.apis.edgelq.com' }))]),
    ).toEqual([]);
    const edit = put(deployment('iam.test', 'us', 'v1', { regionalEndpoint: 'iam.us.edgelq.com' }));
    expect(warnings(one, [edit])).toEqual([
      'endpoint-convention services/iam.test/deployments/us: iam.us.edgelq.com does not follow {region}.{domain}, which would be us.iam.apis.edgelq.com.',
    ]);
    expect(warnings(one, [edit])).toEqual([]);
  });
});

describe('use-not-deployed', () => {
  test('when a service comes where what it uses is not', () => {
    const one = world();
    expect(warnings(one, [put(deployment('app.test', 'us'))])).toEqual([
      'use-not-deployed services/app.test/deployments/us: app.test runs in us and uses iam.test, not deployed and enabled there.',
    ]);
    one.must([put(deployment('iam.test', 'us'))]);
    expect(warnings(one, [put(deployment('app.test', 'us', 'v1', { labels: { a: '1' } }))])).toEqual([]);
    expect(warnings(one, [put(deployment('app.test', 'eu'))])).toHaveLength(1);
  });

  test('when a service begins to use it', () => {
    const one = world();
    one.must([put(deployment('iam.test', 'us'))]);
    expect(warnings(one, [patch('services/iam.test', { uses: ['app.test'] })])).toHaveLength(1);
  });

  test.each([
    ['disabled', patch('services/iam.test/deployments/us', { disabled: true })],
    ['deleted', remove('services/iam.test/deployments/us')],
  ])('when what is used is %s, whether it is used by declaration or by everyone', (_how, edit) => {
    const global = { regionalEndpoint: 'us.iam.apis.edgelq.com' };
    const one = world();
    one.must([put(deployment('iam.test', 'us', 'v1', global)), put(deployment('app.test', 'us'))]);
    const expected = [
      'use-not-deployed services/iam.test/deployments/us: app.test run in us and use iam.test, no longer deployed and enabled there.',
    ];
    const other = world();
    other.must([patch('services/app.test', { uses: [] }), put(bundle('core', ['iam.test'], { usedByEveryone: true }))]);
    other.must([put(deployment('iam.test', 'us', 'v1', global)), put(deployment('app.test', 'us'))]);
    expect(warnings(one, [edit])).toEqual(expected);
    expect(warnings(other, [edit])).toEqual(expected);
  });
});

const sunset = (days: number): string => new Date(AT + days * 86_400_000).toISOString().slice(0, 10);

const deprecate = (days: number): Edit =>
  patch('services/iam.test/versions/v1', { lifecycle: { state: 'deprecated', sunset: sunset(days) } });

describe('deprecation', () => {
  test('import-deprecated: a version that is to go is imported', () => {
    const one = world();
    one.must([deprecate(30)]);
    expect(warnings(one, [put(version('app.test', 'v1', { 'iam.test': 'v1' }))])).toEqual([
      `import-deprecated services/app.test/versions/v1: services/app.test/versions/v1 imports iam.test v1, which is deprecated and ends on ${sunset(30)}.`,
    ]);
  });

  test('sunset-passed: a version runs or is imported past its day', () => {
    const one = world();
    one.must([deprecate(-1)]);
    expect(warnings(one, [put(version('app.test', 'v1', { 'iam.test': 'v1' }))])).toHaveLength(1);
    const edit = put(deployment('iam.test', 'us', 'v1', { regionalEndpoint: 'us.iam.apis.edgelq.com' }));
    expect(warnings(one, [edit])).toEqual([
      `sunset-passed services/iam.test/deployments/us: services/iam.test/deployments/us runs iam.test v1, which was to end on ${sunset(-1)}.`,
    ]);
  });
});
