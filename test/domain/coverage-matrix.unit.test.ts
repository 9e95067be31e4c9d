import { describe, expect, test } from '@jest/globals';
import { coverageMatrix } from '../../src/domain/coverage-matrix.ts';
import { deployment, GROUND, patch, put, service, version, World } from './world.ts';

const world = (): World =>
  new World([
    ...GROUND,
    service('a.test'),
    service('b.test'),
    service('c.test'),
    version('a.test', 'v1', { 'b.test': 'v1' }),
    version('a.test', 'v2', { 'b.test': 'v2' }),
    version('b.test', 'v1'),
    version('b.test', 'v2'),
    deployment('a.test', 'us'),
    deployment('b.test', 'us'),
  ]);

describe('the coverage matrix', () => {
  test('COV1: every region of the catalog, deployed or not, with what each import there is like', () => {
    const [row, ...none] = coverageMatrix(world().view, 'a.test') ?? [];
    expect(none).toEqual([]);
    expect(row).toEqual({
      service: 'a.test',
      primaryRegion: 'us',
      regions: {
        us: {
          deployed: true,
          disabled: false,
          currentVersion: 'v1',
          covered: true,
          imports: [{ version: 'v1', service: 'b.test', importedVersion: 'v1', covered: true }],
        },
        eu: {
          deployed: false,
          newestVersion: 'v2',
          deployable: false,
          imports: [
            { version: 'v2', service: 'b.test', importedVersion: 'v2', covered: false, reason: 'import-not-deployed' },
            { version: 'v1', service: 'b.test', importedVersion: 'v1', covered: false, reason: 'import-not-deployed' },
          ],
        },
      },
    });
  });

  test('says why not: too old, disabled; and yes, when everything is there', () => {
    const one = world();
    one.must([put(deployment('b.test', 'eu'))]);
    const cell = (): unknown => coverageMatrix(one.view, 'a.test')?.[0]?.regions['eu'];
    expect(cell()).toMatchObject({ deployable: false, imports: [{ version: 'v2', reason: 'import-version-too-old' }] });
    one.must([patch('services/b.test/deployments/eu', { disabled: true, currentVersion: 'v2' })]);
    expect(cell()).toMatchObject({
      deployable: false,
      imports: [{ reason: 'import-disabled' }, { reason: 'import-disabled' }],
    });
    one.must([patch('services/b.test/deployments/eu', { disabled: false })]);
    expect(cell()).toEqual({ deployed: false, newestVersion: 'v2', deployable: true, imports: [] });
    one.must([put(deployment('a.test', 'eu', 'v2'))]);
    expect(cell()).toMatchObject({ deployed: true, covered: true, imports: [{ version: 'v2' }, { version: 'v1' }] });
  });

  test('all services when none is named; a service without a version cannot be deployed', () => {
    const rows = coverageMatrix(world().view) ?? [];
    expect(rows.map((row) => row.service)).toEqual(['a.test', 'b.test', 'c.test']);
    expect(rows[2]?.regions['us']).toEqual({ deployed: false, deployable: false, imports: [] });
    expect(coverageMatrix(world().view, 'x.test')).toBeUndefined();
  });
});
