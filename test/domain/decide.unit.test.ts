import { describe, expect, test } from '@jest/globals';
import type { Caller, Decision, Validate } from '../../src/domain/command.ts';
import { decide } from '../../src/domain/decide.ts';
import type { Refusal } from '../../src/domain/errors.ts';
import {
  ACCOUNT,
  AT,
  bundle,
  commandOf,
  deployment,
  GROUND,
  patch,
  put,
  region,
  remove,
  service,
  validate,
  version,
  World,
} from './world.ts';

const refusalOf = (decision: Decision): Refusal => {
  if (decision.ok) throw new Error('accepted');
  return decision.refusal;
};
const opsOf = (decision: Decision): string[] => {
  if (!decision.ok) throw new Error(JSON.stringify(decision.refusal));
  return decision.outcomes.map(({ op, name }) => `${op} ${name}`);
};

const changes = (decision: Decision): unknown => (decision.ok ? decision.changes : decision);
const errorsOf = (decision: Decision): readonly { pointer: string }[] => {
  const refusal = refusalOf(decision);
  if (refusal.code !== 'invalid') throw new Error(refusal.code);
  return refusal.errors;
};
const apiIdsOf = (decision: Decision): string[] =>
  decision.ok ? decision.outcomes.flatMap(({ after }) => (after?.kind === 'service' ? after.value.apiId : [])) : [];
const content = (world: World): unknown[] =>
  Array.from(world.view.all(), ({ value: { revision: _revision, ...rest } }) => rest);
const usesOf = (world: World, id: string): unknown => world.value(`services/${id}`)['effectiveUses'];
const strict: Validate = (_kind, value) =>
  typeof (value as { title?: unknown }).title === 'string' ? [] : [{ pointer: '/title', detail: 'is required' }];

describe('edits', () => {
  test('COV5: a put creates, replaces, or changes nothing; what is left out has its default again', () => {
    const world = new World();
    const doc = { ...region('ap'), location: { country: 'Japan' }, labels: { team: 'x' } };
    expect(opsOf(world.run([put(doc)]))).toEqual(['created regions/ap']);
    expect(world.value('regions/ap')).toEqual({
      name: 'regions/ap',
      revision: 2,
      createTime: new Date(AT).toISOString(),
      updateTime: new Date(AT).toISOString(),
      title: 'ap',
      location: { country: 'Japan' },
      labels: { team: 'x' },
    });
    expect(opsOf(world.run([put(doc)]))).toEqual(['unchanged regions/ap']);
    expect(world.revision).toBe(2);
    expect(opsOf(world.run([put(region('ap'))], { at: AT + 5000 }))).toEqual(['updated regions/ap']);
    expect(world.value('regions/ap')).toEqual({
      name: 'regions/ap',
      revision: 3,
      createTime: new Date(AT).toISOString(),
      updateTime: new Date(AT + 5000).toISOString(),
      title: 'ap',
      labels: {},
    });
  });

  test('REV3: a resource that is sent back as it was read changes nothing', () => {
    const world = new World([
      ...GROUND,
      service('a.test', { uses: [], labels: { b: '1', a: '2' } }),
      version('a.test', 'v1'),
    ]);
    for (const { name, json } of world.view.all()) {
      expect(opsOf(world.run([{ op: 'put', name, value: JSON.parse(json) }]))).toEqual([`unchanged ${name}`]);
    }
  });

  test('a patch merges, and null takes a field away', () => {
    const world = new World([
      ...GROUND,
      { ...region('ap'), location: { country: 'Japan', city: 'Tokyo' }, labels: { a: '1', b: '2' } },
    ]);
    world.must([patch('regions/ap', { location: { city: null }, labels: { a: null, c: '3' } })]);
    expect(world.value('regions/ap')).toMatchObject({
      title: 'ap',
      location: { country: 'Japan' },
      labels: { b: '2', c: '3' },
    });
    expect(opsOf(world.run([patch('regions/ap', { labels: { zz: null } })]))).toEqual(['unchanged regions/ap']);
  });

  test('a change tells the labels before it wherever they differ', () => {
    const world = new World([...GROUND, { ...region('ap'), labels: { a: '1' } }]);
    expect(changes(world.try([patch('regions/ap', { title: 'x' })]))).toEqual([{ op: 'put', item: expect.anything() }]);
    expect(changes(world.try([patch('regions/ap', { labels: { a: '2' } })]))).toMatchObject([
      { op: 'put', was: { a: '1' } },
    ]);
    expect(changes(world.try([remove('regions/ap')]))).toEqual([
      { op: 'delete', kind: 'region', name: 'regions/ap', was: { a: '1' } },
    ]);
  });

  test('not-found: what is patched or deleted is there, alone or among others', () => {
    const world = new World();
    const detail = 'regions/ap does not exist';
    for (const edit of [patch('regions/ap', {}), remove('regions/ap')]) {
      expect(refusalOf(world.try([edit]))).toEqual({ code: 'not-found', detail });
      expect(refusalOf(world.try([put(region('sa')), edit]))).toEqual({ code: 'not-found', detail });
    }
  });

  test('invalid: names are names, each given once, and values are objects', () => {
    const world = new World();
    expect(refusalOf(world.try([put({ name: 'regions/NO' })]))).toMatchObject({
      code: 'invalid',
      errors: [{ pointer: '/name', detail: 'regions/NO is not the name of a resource' }],
    });
    expect(refusalOf(world.try([put(region('ap')), put(region('us')), put(region('ap'))]))).toMatchObject({
      errors: [{ pointer: '/2/name', detail: 'regions/ap is named twice' }],
    });
    for (const value of [null, 'x', [1]]) {
      expect(refusalOf(world.try([{ op: 'put', name: 'regions/ap', value }]))).toMatchObject({
        errors: [{ pointer: '', detail: 'is not an object' }],
      });
    }
  });

  test('invalid: documents are checked after the merge; pointers are into the body, with an index in a list', () => {
    const world = new World();
    const tried = (edits: Parameters<World['try']>[0]): Refusal =>
      refusalOf(decide(world.view, commandOf(edits), 2, strict));
    expect(tried([patch('regions/us', { title: null })])).toEqual({
      code: 'invalid',
      detail: '/title is required',
      errors: [{ pointer: '/title', detail: 'is required' }],
    });
    expect(tried([put(region('ap')), put({ name: 'regions/sa' }), patch('regions/us', { title: 1 })])).toEqual({
      code: 'invalid',
      detail: '/1/title is required, and 1 more',
      errors: [
        { pointer: '/1/title', detail: 'is required' },
        { pointer: '/2/title', detail: 'is required' },
      ],
    });
  });

  test('COV2: edits come in any order, and only their final state is judged', () => {
    const documents = [
      bundle('core', ['a.test', 'b.test'], { deployedTogether: true }),
      deployment('a.test', 'us'),
      version('a.test', 'v1', { 'b.test': 'v1' }),
      deployment('b.test', 'us'),
      version('b.test', 'v1'),
      service('b.test'),
      service('a.test'),
      ...GROUND,
    ];
    expect(new World(documents).revision).toBe(1);
    expect(new World(documents.toReversed()).revision).toBe(1);
  });

  test('COV2: a refused command changes nothing, and one wrong edit refuses them all', () => {
    const world = new World();
    const tried = world.run([put(region('ap')), put(service('a.test', { primaryRegion: 'xx' }))]);
    expect(refusalOf(tried).code).toBe('conflict');
    expect(world.view.get('regions/ap')).toBeUndefined();
    expect(world.revision).toBe(1);
  });
});

describe('expectations', () => {
  test.each([
    ['absent', 'regions/ap', 'regions/us'],
    ['*', 'regions/us', 'regions/ap'],
    [1, 'regions/us', 'regions/ap'],
  ] as const)('precondition-failed: %s', (expected, met, unmet) => {
    const world = new World();
    world.must([put({ name: met, title: 'new' })], { expect: expected });
    expect(refusalOf(world.try([put({ name: unmet, title: 'new' })], { expect: expected })).code).toBe(
      'precondition-failed',
    );
  });

  test('precondition-failed: tells the revision there is, and comes before not-found and before rules', () => {
    const world = new World();
    world.must([put({ name: 'regions/us', title: 'new' })]);
    expect(refusalOf(world.try([remove('regions/us')], { expect: 1 }))).toMatchObject({
      code: 'precondition-failed',
      revision: 2,
    });
    expect(refusalOf(world.try([remove('regions/ap')], { expect: '*' }))).not.toHaveProperty('revision');
    expect(refusalOf(world.try([put(service('a.test', { primaryRegion: 'xx' }))], { expect: 7 })).code).toBe(
      'precondition-failed',
    );
  });
});

describe('prune', () => {
  const team = { labels: { team: 'x' } };

  test('deletes what carries all the labels and is not listed', () => {
    const world = new World([
      ...GROUND,
      { ...region('ap'), ...team },
      { ...region('sa'), labels: { team: 'x', keep: 'y' } },
    ]);
    const edits = [put({ ...region('ap'), ...team })];
    expect(opsOf(world.try(edits, { prune: { team: 'x' } }))).toEqual(['unchanged regions/ap', 'deleted regions/sa']);
    expect(opsOf(world.try(edits, { prune: { team: 'x', keep: 'n' } }))).toEqual(['unchanged regions/ap']);
    expect(opsOf(world.try([], { prune: { team: 'x' } }))).toEqual(['deleted regions/ap', 'deleted regions/sa']);
  });

  test('COV2: what still stands refuses it', () => {
    const world = new World([...GROUND, { ...region('ap'), ...team }, service('a.test', { primaryRegion: 'ap' })]);
    expect(world.violations([], { prune: { team: 'x' } })).toMatchObject([
      { code: 'region-missing', resource: 'services/a.test' },
    ]);
  });

  test('invalid: without a label it would delete everything', () => {
    expect(refusalOf(new World().try([], { prune: {} }))).toMatchObject({
      code: 'invalid',
      errors: [{ pointer: '/prune' }],
    });
  });
});

describe('CAT2: who a service is and whose', () => {
  const account: Caller = { kind: 'serviceAccount', subject: 's', account: ACCOUNT };
  const { creator: _creator, ...anonymous } = service('a.test');

  test('a service account creates services of its own project', () => {
    const world = new World();
    world.must([put(anonymous)], { caller: account });
    expect(world.value('services/a.test')).toMatchObject({ creator: ACCOUNT, project: 'core' });
    expect(world.value('services/a.test')['apiId']).toMatch(/^[a-z2-7]{10}$/);
    const foreign = { creator: 'projects/core/service-accounts/other', project: 'other', apiId: 'mine' };
    const errors = errorsOf(
      world.try([put({ ...anonymous, name: 'services/b.test', ...foreign })], { caller: account }),
    );
    expect(errors.map(({ pointer }) => pointer)).toEqual(['/creator', '/apiId']);
  });

  test('an administrator names the service account', () => {
    const world = new World();
    expect(errorsOf(world.try([put(anonymous)]))).toEqual([
      {
        pointer: '/creator',
        detail: 'a service is created by a service account: name it, as projects/{project}/service-accounts/{account}',
      },
    ]);
    for (const creator of ['projects/core', 'nobody', 7]) {
      expect(errorsOf(world.try([put({ ...anonymous, creator })]))).toMatchObject([{ pointer: '/creator' }]);
    }
    expect(errorsOf(world.try([put(service('a.test', { project: 'other' }))]))).toEqual([
      {
        pointer: '/project',
        detail: "a service belongs to its creator's project, which is core: say so or leave the field out",
      },
    ]);
    world.must([put(service('a.test', { project: 'core' }))]);
    const unknown = 'projects/core/service-accounts/nobody';
    expect(world.violations([put(service('b.test', { creator: unknown }))])).toMatchObject([
      { code: 'reference-missing', fix: { method: 'PUT', path: `/v1/${unknown}` } },
    ]);
  });

  test('creator, project and apiId stay: left out they are kept, changed they are invalid', () => {
    const world = new World([...GROUND, service('a.test')]);
    const { apiId } = world.value('services/a.test');
    world.must([put({ ...anonymous, public: true })]);
    expect(world.value('services/a.test')).toMatchObject({ apiId, creator: ACCOUNT, project: 'core', public: true });
    const others = { apiId: 'other', project: 'other', creator: 'projects/other/service-accounts/xx' };
    const errors = errorsOf(world.try([put(region('ap')), patch('services/a.test', others)]));
    expect(errors.map(({ pointer }) => pointer)).toEqual(['/1/apiId', '/1/project', '/1/creator']);
  });

  test('apiIds differ, are told apart from earlier lives of the same name, and can be brought along when free', () => {
    const world = new World([...GROUND, service('a.test'), service('b.test')]);
    const first = world.value('services/a.test')['apiId'];
    expect(world.value('services/b.test')['apiId']).not.toBe(first);
    world.must([remove('services/a.test')]);
    world.must([put(service('a.test'))]);
    const second = world.value('services/a.test')['apiId'] as string;
    expect(second).not.toBe(first);
    world.must([put(service('c.test', { apiId: 'brought-along' }))]);
    expect(world.value('services/c.test')['apiId']).toBe('brought-along');
    expect(errorsOf(world.try([put(service('d.test', { apiId: second }))]))).toMatchObject([{ pointer: '/apiId' }]);
    const twice = [put(service('d.test', { apiId: 'same' })), put(service('e.test', { apiId: 'same' }))];
    expect(errorsOf(world.try(twice))).toMatchObject([{ pointer: '/1/apiId' }]);
  });

  test('an apiId that is taken moves on to the next free one', () => {
    const world = new World();
    const assigned = world.try([put(service('a.test'))]);
    const [apiId = ''] = apiIdsOf(assigned);
    const squatter = world.try([put(service('squat.test', { apiId })), put(service('a.test'))]);
    const ids = apiIdsOf(squatter);
    expect(ids[0]).toBe(apiId);
    expect(ids[1]).toMatch(/^[a-z2-7]{10}$/);
    expect(ids[1]).not.toBe(apiId);
  });

  test('REV1: an export applied to an empty registry gives the same services', () => {
    const world = new World([...GROUND, service('a.test'), version('a.test', 'v1'), deployment('a.test', 'us')]);
    const edits = [...world.view.all()].map(({ name, json }) => ({
      op: 'put' as const,
      name,
      value: JSON.parse(json),
    }));
    const copy = new World([]);
    copy.must(edits);
    expect(content(copy)).toEqual(content(world));
    expect(decide(world.view, commandOf(edits), 9, validate)).toMatchObject({ ok: true, changes: [] });
  });
});

describe('COV4: effective uses', () => {
  const everyone = { usedByEveryone: true };

  test('are what a service declares and the members of everyone’s bundles that it does not belong to', () => {
    const services = ['a.test', 'b.test', 'c.test', 'd.test'].map((id) => service(id));
    const world = new World([...GROUND, ...services]);
    const before = world.value('services/d.test')['revision'];
    const decision = world.run([put(bundle('core', ['a.test', 'b.test'], everyone))]);
    expect(opsOf(decision)).toEqual(['created bundles/core', 'updated services/c.test', 'updated services/d.test']);
    expect(usesOf(world, 'a.test')).toEqual([]);
    expect(usesOf(world, 'c.test')).toEqual(['a.test', 'b.test']);
    expect(world.value('services/d.test')['revision']).toBe(Number(before) + 1);
    expect(opsOf(world.run([patch('services/d.test', { uses: ['c.test', 'a.test', 'c.test'] })]))).toEqual([
      'updated services/d.test',
    ]);
    expect(world.value('services/d.test')).toMatchObject({
      uses: ['a.test', 'c.test'],
      effectiveUses: ['a.test', 'b.test', 'c.test'],
    });
    world.must([put(service('e.test'))]);
    expect(usesOf(world, 'e.test')).toEqual(['a.test', 'b.test']);
    world.must([remove('bundles/core')]);
    expect(usesOf(world, 'd.test')).toEqual(['a.test', 'c.test']);
    expect(usesOf(world, 'e.test')).toEqual([]);
  });

  test('follow in the same revision, once for each service, whatever else is edited', () => {
    const world = new World([...GROUND, service('a.test'), service('b.test')]);
    const edits = [put(service('b.test')), put(bundle('core', ['a.test'], everyone)), put(service('c.test'))];
    const decision = world.run(edits);
    expect(opsOf(decision)).toEqual(['updated services/b.test', 'created bundles/core', 'created services/c.test']);
    expect(decision.ok && decision.changes.length).toBe(3);
    expect(usesOf(world, 'c.test')).toEqual(['a.test']);
    expect(opsOf(world.run(edits))).toEqual([
      'unchanged services/b.test',
      'unchanged bundles/core',
      'unchanged services/c.test',
    ]);
  });

  test('are not taken from a document', () => {
    const world = new World([...GROUND, service('a.test')]);
    expect(opsOf(world.run([patch('services/a.test', { effectiveUses: ['x.test'], revision: 77 })]))).toEqual([
      'unchanged services/a.test',
    ]);
  });
});
