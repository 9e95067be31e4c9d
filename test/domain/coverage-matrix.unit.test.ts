import { describe, expect, test } from '@jest/globals';
import { coverageMatrix, type Coverage, type CoverageRow } from '../../src/domain/coverage-matrix.ts';
import type { InstanceEdit } from '../../src/domain/instances/edits.ts';
import { readRegistration } from '../../src/domain/instances/registration.ts';
import { decideInstances } from '../../src/domain/instances/decide-instances.ts';
import { sightOf } from '../../src/domain/visibility.ts';
import { ADMIN, AT, deployment, GROUND, patch, put, service, version, World } from './world.ts';

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

function coverage(of: World, only: Parameters<typeof coverageMatrix>[1] = {}): Coverage {
  const matrix = coverageMatrix(of.view, only);
  if ('unknown' in matrix) throw new Error(`unknown ${matrix.unknown}`);
  return matrix;
}

const rowsOf = (of: World, only?: string): readonly CoverageRow[] =>
  coverage(of, only === undefined ? {} : { service: only }).services;

const LIFELESS = { instances: { total: 0, passing: 0 }, live: false };

describe('the coverage matrix', () => {
  test('COV1: every region of the catalog, deployed or not, with what each import there is like', () => {
    const [row, ...none] = rowsOf(world(), 'a.test');
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
          ...LIFELESS,
        },
        eu: {
          deployed: false,
          newestVersion: 'v2',
          deployable: false,
          imports: [
            { version: 'v2', service: 'b.test', importedVersion: 'v2', covered: false, reason: 'import-not-deployed' },
            { version: 'v1', service: 'b.test', importedVersion: 'v1', covered: false, reason: 'import-not-deployed' },
          ],
          ...LIFELESS,
        },
      },
    });
  });

  test('SEC3 what is hidden is one import of each version, without name, number and reason', () => {
    const of = new World([
      ...GROUND,
      service('a.test', { public: true }),
      service('b.test'),
      service('c.test'),
      version('b.test', 'v1'),
      version('c.test', 'v1'),
      version('a.test', 'v1', { 'b.test': 'v1', 'c.test': 'v1' }),
      deployment('b.test', 'us'),
      deployment('c.test', 'us'),
      deployment('a.test', 'us'),
    ]);
    const matrix = coverageMatrix(of.view, {}, of.view.seenBy(sightOf([])));
    if ('unknown' in matrix) throw new Error(`unknown ${matrix.unknown}`);
    const hidden = { version: 'v1', service: '-', importedVersion: '-' };
    expect(matrix.services.map((row) => row.service)).toEqual(['a.test']);
    const { us, eu } = matrix.services[0]?.regions ?? {};
    expect([us?.imports, eu?.imports]).toEqual([[{ ...hidden, covered: true }], [{ ...hidden, covered: false }]]);
  });

  test('says why not: too old, disabled; and yes, when everything is there', () => {
    const one = world();
    one.must([put(deployment('b.test', 'eu'))]);
    const cell = (): unknown => rowsOf(one, 'a.test')[0]?.regions['eu'];
    expect(cell()).toMatchObject({ deployable: false, imports: [{ version: 'v2', reason: 'import-version-too-old' }] });
    one.must([patch('services/b.test/deployments/eu', { disabled: true, currentVersion: 'v2' })]);
    expect(cell()).toMatchObject({
      deployable: false,
      imports: [{ reason: 'import-disabled' }, { reason: 'import-disabled' }],
    });
    one.must([patch('services/b.test/deployments/eu', { disabled: false })]);
    expect(cell()).toEqual({ deployed: false, newestVersion: 'v2', deployable: true, imports: [], ...LIFELESS });
    one.must([put(deployment('a.test', 'eu', 'v2'))]);
    expect(cell()).toMatchObject({ deployed: true, covered: true, imports: [{ version: 'v2' }, { version: 'v1' }] });
  });

  test('all services when none is named; a service without a version cannot be deployed', () => {
    const rows = rowsOf(world());
    expect(rows.map((row) => row.service)).toEqual(['a.test', 'b.test', 'c.test']);
    expect(rows[2]?.regions['us']).toEqual({ deployed: false, deployable: false, imports: [], ...LIFELESS });
    expect(coverageMatrix(world().view, { service: 'x.test' })).toEqual({ unknown: 'service' });
    expect(coverageMatrix(world().view, { region: 'ap' })).toEqual({ unknown: 'region' });
  });
});

/** Instances by their addresses, at `10.0.0.x`. */
function run(of: World, instances: readonly InstanceEdit[]): void {
  const command = { caller: ADMIN, at: AT, instances };
  const decision = decideInstances(of.view, command, ++of.revision);
  if (!decision.ok) throw new Error(decision.refusal.detail);
  of.view.fold(decision.changes);
}

function instance(of: string, last: number, region?: string, critical = false): InstanceEdit {
  const read = readRegistration({
    service: of,
    protocol: 'http',
    address: `10.0.0.${last}`,
    port: 80,
    ...(region !== undefined && { region }),
    check: { type: 'ttl', initialStatus: critical ? 'critical' : 'passing' },
  });
  if (!read.ok) throw new Error(JSON.stringify(read.errors));
  return { op: 'register', id: String(last).padStart(24, '0'), registration: read.value };
}

describe('what is deployed, and what runs', () => {
  test('each cell counts its instances, and says whether anybody can be called', () => {
    const one = world();
    run(one, [instance('a.test', 1, 'us'), instance('a.test', 2, 'us', true), instance('a.test', 3, 'eu', true)]);
    const [row] = rowsOf(one, 'a.test');
    expect(row?.regions['us']).toMatchObject({ deployed: true, instances: { total: 2, passing: 1 }, live: true });
    expect(row?.regions['eu']).toMatchObject({ deployed: false, instances: { total: 1, passing: 0 }, live: false });
  });

  test('names what is deployed and does not run, and what runs and is not deployed', () => {
    const one = world();
    expect(coverage(one).deployedWithoutLiveInstance).toEqual([
      { service: 'a.test', region: 'us' },
      { service: 'b.test', region: 'us' },
    ]);
    run(one, [
      instance('a.test', 1, 'us'),
      instance('b.test', 2, 'us', true),
      instance('b.test', 3, 'eu'),
      instance('b.test', 4, 'eu'),
      instance('b.test', 5, 'ap'),
      instance('b.test', 6),
      instance('stray.test', 7, 'us'),
      instance('stray.test', 8, 'eu', true),
    ]);
    const all = coverage(one);
    expect(all.deployedWithoutLiveInstance).toEqual([{ service: 'b.test', region: 'us' }]);
    expect(all.liveWithoutDeployment).toEqual([
      { service: 'b.test', region: '-', instances: { total: 1, passing: 1 }, inCatalog: true },
      { service: 'b.test', region: 'ap', instances: { total: 1, passing: 1 }, inCatalog: true },
      { service: 'b.test', region: 'eu', instances: { total: 2, passing: 2 }, inCatalog: true },
      { service: 'stray.test', region: 'us', instances: { total: 1, passing: 1 }, inCatalog: false },
    ]);
    const disabled = world();
    disabled.must([patch('services/a.test/deployments/us', { disabled: true })]);
    expect(coverage(disabled).deployedWithoutLiveInstance).toEqual([{ service: 'b.test', region: 'us' }]);
  });

  test('a service or region asked for is all that is answered, in the catalog or not', () => {
    const one = world();
    run(one, [instance('b.test', 1, 'ap'), instance('b.test', 2), instance('stray.test', 3, 'us')]);
    expect(coverage(one, { service: 'stray.test' })).toEqual({
      services: [],
      deployedWithoutLiveInstance: [],
      liveWithoutDeployment: [
        { service: 'stray.test', region: 'us', instances: { total: 1, passing: 1 }, inCatalog: false },
      ],
    });
    const us = coverage(one, { region: 'us' });
    expect(us.services.map((row) => Object.keys(row.regions))).toEqual([['us'], ['us'], ['us']]);
    expect(us.deployedWithoutLiveInstance).toHaveLength(2);
    expect(us.liveWithoutDeployment.map((place) => place.service)).toEqual(['stray.test']);
    for (const region of ['ap', '-']) {
      const there = coverage(one, { region });
      expect(there.services.map((row) => row.regions)).toEqual([{}, {}, {}]);
      expect(there.liveWithoutDeployment).toMatchObject([{ service: 'b.test', region }]);
    }
    expect(coverageMatrix(one.view, { service: 'a.test', region: 'ap' })).toEqual({ unknown: 'region' });
  });
});
