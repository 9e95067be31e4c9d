import { describe, expect, test } from '@jest/globals';
import { sightOf as sightOfCaller } from '../../src/auth/sight.ts';
import { permitOf } from '../../src/auth/authorize.ts';
import type { Caller, CatalogCommand, Decision, Edit, InstanceCommand } from '../../src/domain/command.ts';
import { decide } from '../../src/domain/decide.ts';
import { decodeChanges, encodeChanges } from '../../src/domain/codec.ts';
import { changeName, makeItem, type AnyItem, type Change } from '../../src/domain/item.ts';
import { Masked } from '../../src/domain/masked.ts';
import { instanceName } from '../../src/domain/names.ts';
import { changeFacets, effectOn } from '../../src/domain/selector.ts';
import {
  apiKey,
  audienceOf,
  EVERYTHING,
  groupKey,
  projectKey,
  sameAudience,
  sees,
  serviceKey,
  sightOf,
  type Sight,
} from '../../src/domain/visibility.ts';
import { bundle, deployment, editsOf, patch, put, region, remove, service, validate, version, World } from './world.ts';

const bot = (project: string): string => `projects/${project}/service-accounts/bot`;
const of = (project: string, id: string, more: object = {}) => service(id, { creator: bot(project), ...more });
const account = (project: string): Caller => ({ kind: 'serviceAccount', subject: project, account: bot(project) });
const owner = (...apiIds: string[]): Caller => ({
  kind: 'person',
  subject: 'otto',
  reader: false,
  owns: { apiIds, services: [], groups: [] },
});

/** An operator's word about a service that is not in the catalog. */
const leftOver = (id: string): AnyItem =>
  makeItem({
    name: `services/${id}/regions/us/override`,
    revision: 1,
    createTime: '2026-01-01T00:00:00.000Z',
    updateTime: '2026-01-01T00:00:00.000Z',
    service: id,
    region: 'us',
    mode: 'drain',
    reason: 'as before',
    by: 'root',
  });

const GROUND = [
  region('us'),
  region('eu'),
  ...['red', 'green', 'blue'].flatMap((id) => [{ name: `projects/${id}`, title: id }, { name: bot(id) }]),
];

/** Shop is public and red's; vault is private and green's, and blue may import it. */
const open = (): World =>
  new World([
    ...GROUND,
    of('red', 'shop.test', { public: true, apiId: 'shop' }),
    version('shop.test', 'v1'),
    version('shop.test', 'v2'),
    deployment('shop.test', 'us'),
    of('green', 'vault.test', { apiId: 'vault', importers: ['blue'], owners: ['g1'] }),
    version('vault.test', 'v1', { 'shop.test': 'v1' }),
    deployment('vault.test', 'us'),
  ]);

/** As the registry asks on behalf of somebody. */
function as(caller: Caller, more: Partial<CatalogCommand> = {}): Partial<CatalogCommand> {
  const permit = permitOf(caller);
  return { caller, sight: sightOfCaller(caller), ...(permit && { permit }), ...more };
}

const refusalOf = (decision: Decision): object => (decision.ok ? { ok: true } : decision.refusal);

describe('SEC3: an audience', () => {
  const world = open();
  const audience = (name: string) => {
    const item = world.view.get(name);
    if (item === undefined) throw new Error(name);
    return audienceOf(item, world.view);
  };

  test('is nobody in particular where a service is public, and a list of keys where it is not', () => {
    expect(audience('services/shop.test')).toBeUndefined();
    expect(audience('services/shop.test/versions/v1')).toBeUndefined();
    expect(audience('regions/us')).toBeUndefined();
    const vault = [['p:green', 'p:blue', 'a:vault', 's:vault.test', 'g:g1']];
    expect(audience('services/vault.test')).toEqual(vault);
    expect(audience('services/vault.test/deployments/us')).toEqual(vault);
    expect(audience(bot('red'))).toEqual([['p:red']]);
  });

  test.each<[what: string, sight: Sight, saw: boolean]>([
    ['an administrator', EVERYTHING, true],
    ['an account of its project', sightOf([projectKey('green')]), true],
    ['an account of a project that may import it', sightOf([projectKey('blue')]), true],
    ['an account of another project', sightOf([projectKey('red')]), false],
    ['an owner by its apiId', sightOf([apiKey('vault')]), true],
    ['an owner by its id', sightOf([serviceKey('vault.test')]), true],
    ['a member of a group that owns it', sightOf([groupKey('g1')]), true],
    ['a member of another group', sightOf([groupKey('vault')]), false],
    ['a reader', sightOf([]), false],
  ])('%s', (_what, sight, saw) => {
    expect(sees(sight, audience('services/vault.test'))).toBe(saw);
  });

  test('of a bundle is who sees all of its members', () => {
    world.must([put(of('red', 'cart.test')), put(bundle('pair', ['vault.test', 'cart.test', 'shop.test']))]);
    const both = audience('bundles/pair');
    expect([
      sees(sightOf([projectKey('red')]), both),
      sees(sightOf([projectKey('green')]), both),
      sees(sightOf([projectKey('red'), groupKey('g1')]), both),
    ]).toEqual([false, false, true]);
  });

  test('equal sights have one id, whatever the order of their keys', () => {
    expect(sightOf(['b', 'a', 'b']).id).toBe(sightOf(['a', 'b']).id);
    expect(sightOf(['a b']).id).not.toBe(sightOf(['a', 'b']).id);
    expect(sightOf([]).id).not.toBe(EVERYTHING.id);
    expect([sameAudience(undefined, undefined), sameAudience(undefined, []), sameAudience([['a']], [['a']])]).toEqual([
      true,
      false,
      true,
    ]);
  });
});

describe('SEC3: what changes with who sees it', () => {
  const told = (changes: readonly Change[], sight: Sight): string[] =>
    changes.flatMap((change) => {
      const effect = effectOn({ kind: '*' }, sight, change, changeFacets(change));
      return effect === undefined ? [] : [`${effect} ${changeName(change)}`];
    });
  const RED = sightOf([projectKey('red')]);
  const GREEN = sightOf([projectKey('green')]);
  const READER = sightOf([]);
  const BELOW = ['services/vault.test', 'services/vault.test/versions/v1', 'services/vault.test/deployments/us'];

  test('all of a service, when it is seen by others than before', () => {
    const world = open();
    const { changes } = world.must([patch('services/vault.test', { public: true })]);
    expect(told(changes, READER)).toEqual(BELOW.map((name) => `put ${name}`));
    expect(told(changes, GREEN)).toEqual(BELOW.map((name) => `put ${name}`));
    expect(told(changes, EVERYTHING)).toEqual(BELOW.map((name) => `put ${name}`));
    // Older than what clients have seen, they would be taken for told before (PUSH2).
    expect(new Set(changes.map((change) => change.op === 'put' && change.item.revision)).size).toBe(1);
    const back = world.must([patch('services/vault.test', { public: false })]).changes;
    expect(told(back, READER)).toEqual(BELOW.map((name) => `delete ${name}`));
    expect(told(back, GREEN)).toEqual(BELOW.map((name) => `put ${name}`));
    expect(decodeChanges(JSON.parse(encodeChanges(back)))).toEqual(back);
  });

  test('what the same command changes is told once, and what it deletes is gone for those who saw it', () => {
    const world = open();
    const { changes } = world.must([
      patch('services/vault.test', { importers: ['red'] }),
      patch('services/vault.test/versions/v1', { labels: { a: 'b' } }),
      remove('services/vault.test/deployments/us'),
    ]);
    expect(told(changes, RED)).toEqual(['put services/vault.test', 'put services/vault.test/versions/v1']);
    expect(told(changes, sightOf([projectKey('blue')]))).toEqual(BELOW.map((name) => `delete ${name}`));
    expect(told(changes, GREEN)).toEqual([
      'put services/vault.test',
      'put services/vault.test/versions/v1',
      'delete services/vault.test/deployments/us',
    ]);
  });

  test('a bundle, when one of its members is', () => {
    const world = open();
    world.must([put(bundle('pair', ['shop.test', 'vault.test']))]);
    const { changes } = world.must([patch('services/vault.test', { public: true })]);
    expect(told(changes, RED)).toContain('put bundles/pair');
    const gone = world.must([patch('services/shop.test', { public: false, importers: ['green'] })]).changes;
    expect(told(gone, READER)).toContain('delete bundles/pair');
  });

  test('nothing, where nobody else sees it than before', () => {
    const world = open();
    expect(world.must([patch('services/vault.test', { displayName: 'Vault' })]).changes).toHaveLength(1);
    expect(world.must([patch('services/shop.test', { importers: ['blue'] })]).changes).toHaveLength(1);
  });
});

test('SEC3: a masked state is the state without what is masked', () => {
  const { view } = open();
  const masked = new Masked(view, ({ kind }) => kind === 'version');
  expect([masked.get('services/shop.test/versions/v1'), masked.get('services/shop.test')?.kind]).toEqual([
    undefined,
    'service',
  ]);
  expect([...masked.bucket('in:version:shop.test')]).toEqual([]);
  expect([...masked.bucket('kind:service')]).toHaveLength(2);
});

describe('SEC3: a command about what its caller may not see', () => {
  const twice = (edits: (id: string) => readonly Edit[], caller: Caller = account('red')): [object, string][] =>
    ['vault.test', 'never.test'].map((id) => {
      const refusal = refusalOf(open().try(edits(id), as(caller)));
      return [refusal, JSON.stringify(refusal).replaceAll(id, 'ID')];
    });

  test.each<[what: string, edits: (id: string) => readonly Edit[]]>([
    ['deletes it', (id) => [remove(`services/${id}`)]],
    ['changes it', (id) => [patch(`services/${id}`, { public: true })]],
    ['adds to it', (id) => [put(version(id, 'v2'))]],
    ['imports it', (id) => [put(version('shop.test', 'v3', { [id]: 'v1' }))]],
    ['uses it', (id) => [patch('services/shop.test', { uses: [id] })]],
    ['names it in a bundle', (id) => [put(bundle('pair', ['shop.test', id]))]],
  ])('%s: as if it were not there', (_what, edits) => {
    const [hidden, never] = twice(edits);
    expect(hidden?.[0]).not.toEqual({ ok: true });
    expect(hidden?.[1]).toBe(never?.[1]);
  });

  test('creates it: the name cannot be had, and it is that name which is told', () => {
    const edits = [patch('services/shop.test', { displayName: 'Shop' }), put(of('red', 'vault.test'))];
    expect(refusalOf(open().try(edits, as(account('red'))))).toEqual({
      code: 'forbidden',
      detail: 'services/vault.test cannot be had: choose another id.',
    });
  });

  test('who owns a name that is not in the catalog learns nothing by importing from there', () => {
    const caller: Caller = { ...owner(), owns: { apiIds: [], services: ['loose.test'], groups: [] } } as Caller;
    const [hidden, never] = twice((id) => [put(version('loose.test', 'v1', { [id]: 'v1' }))], caller);
    expect(hidden?.[1]).toBe(never?.[1]);
  });

  test('prune leaves what is hidden alone', () => {
    const world = open();
    world.must([patch('services/vault.test', { labels: { team: 'x' } })]);
    const decision = world.try([patch('services/shop.test', {})], as(account('red'), { prune: { team: 'x' } }));
    expect(decision).toMatchObject({ ok: true, changes: [] });
  });

  test('COV5: what it creates and deletes is told before it is done as after', () => {
    const world = open();
    const made = [put(of('red', 'cart.test')), put(version('cart.test', 'v1'))];
    const ops = (decision: Decision): string[] =>
      decision.ok ? decision.outcomes.map(({ op, name }) => `${op} ${name}`) : [decision.refusal.detail];
    const expected = ['created services/cart.test', 'created services/cart.test/versions/v1'];
    expect(ops(world.try(made, as(account('red'))))).toEqual(expected);
    expect(ops(world.run(made, as(account('red'))))).toEqual(expected);
    const gone = [remove('services/cart.test'), remove('services/cart.test/versions/v1')];
    expect(ops(world.run(gone, as(account('red'))))).toEqual(
      expected.map((line) => line.replace('created', 'deleted')),
    );
  });
});

describe('SEC3: what stands in the way and is hidden has neither name nor number', () => {
  const HIDDEN = expect.objectContaining({
    code: 'hidden',
    message: expect.stringMatching(/^A service that you may not see/),
  });
  const violations = (world: World, edits: readonly Edit[], caller = account('red')) =>
    world.violations(edits, as(caller)).map(({ fix, ...rest }) => ({ ...rest, ...(fix && { fix }) }));

  test('REF1, COV1: others that import it', () => {
    const world = open();
    world.must([
      put(of('green', 'safe.test')),
      put(version('safe.test', 'v1', { 'shop.test': 'v1' })),
      put(deployment('safe.test', 'us')),
    ]);
    const found = violations(world, [remove('services/shop.test/deployments/us')]);
    expect(found).toEqual([
      { code: 'hidden', rule: 'COV1', resource: 'services/shop.test/deployments/us', message: expect.any(String) },
    ]);
    const gone = violations(world, [remove('services/shop.test/versions/v1')]).filter(({ code }) => code === 'hidden');
    expect(gone.map(({ rule, resource }) => `${rule} ${resource}`)).toEqual(['REF1 services/shop.test/versions/v1']);
    expect(JSON.stringify([found, gone])).not.toMatch(/vault|safe/);
  });

  test('COV1: what it imports by consent, for an owner who does not see that', () => {
    const world = open();
    world.must([
      put(of('blue', 'app.test', { apiId: 'app', public: true })),
      put(version('app.test', 'v1', { 'vault.test': 'v1' })),
    ]);
    const found = violations(world, [put(deployment('app.test', 'eu'))], owner('app'));
    expect(found).toEqual([expect.objectContaining({ code: 'primary-region-not-deployed' }), HIDDEN]);
    expect(JSON.stringify(found)).not.toContain('vault');
  });

  test('what is imported by consent is no way to find out what there is, for an owner who does not see it', () => {
    const world = open();
    world.must([put(of('blue', 'app.test', { apiId: 'app', public: true }))]);
    const wanted = (id: string): object => ({
      ...violations(world, [put(version('app.test', 'v1', { [id]: 'v1' }))], owner('app'))[0],
    });
    const used = (id: string): object => ({
      ...violations(world, [patch('services/app.test', { uses: [id] })], owner('app'))[0],
    });
    const alike = (answer: object, id: string): string => JSON.stringify(answer).replaceAll(id, 'X');
    expect(alike(wanted('vault.test'), 'vault.test')).toBe(alike(wanted('nosuch.test'), 'nosuch.test'));
    expect(alike(used('vault.test'), 'vault.test')).toBe(alike(used('nosuch.test'), 'nosuch.test'));
    // The project's own account sees it, and what it has said, the owner may say again.
    world.must([put(version('app.test', 'v1', { 'vault.test': 'v1' }))], as(account('blue')));
    world.must([put(version('app.test', 'v2', { 'vault.test': 'v1' }))], as(owner('app')));
  });

  test('a name under which something runs that its creator does not see is taken', () => {
    const world = open();
    world.view.fold([{ op: 'put', item: leftOver('orphan.test') }]);
    const { creator: _creator, ...document } = of('red', 'orphan.test', { public: true });
    expect(refusalOf(world.run([put(document)], as(account('red'))))).toEqual({
      code: 'forbidden',
      detail: 'services/orphan.test cannot be had: choose another id.',
    });
    world.must([put(of('red', 'orphan.test', { public: true }))]);
  });

  test('COV3: a cycle through it', () => {
    const world = open();
    world.must([
      patch('services/vault.test', { importers: ['red'] }),
      put(of('red', 'cart.test', { public: true })),
      put(version('cart.test', 'v1', { 'vault.test': 'v1' })),
    ]);
    const found = violations(world, [put(version('shop.test', 'v3', { 'cart.test': 'v1' }))], owner('shop'));
    expect(found).toEqual([{ code: 'hidden', rule: 'COV3', resource: 'services/-', message: expect.any(String) }]);
  });

  test('COV4: a bundle with it', () => {
    const world = open();
    world.must([put(bundle('pair', ['shop.test', 'vault.test'], { deployedTogether: true }))]);
    const found = violations(world, [put(deployment('shop.test', 'eu'))]);
    expect(found).toEqual([{ code: 'hidden', rule: 'COV4', resource: 'services/-', message: expect.any(String) }]);
  });

  test('CAT4: those who need it when it turns private', () => {
    const world = open();
    const found = violations(world, [patch('services/shop.test', { public: false })]);
    expect(found).toEqual([
      { code: 'hidden', rule: 'CAT4', resource: 'services/shop.test', message: expect.any(String) },
    ]);
  });

  test('CAT3 is about one service, and named', () => {
    const found = violations(open(), [patch('services/shop.test', { primaryRegion: 'eu' })]);
    expect(found).toMatchObject([
      { code: 'primary-region-not-deployed', rule: 'CAT3', resource: 'services/shop.test' },
    ]);
  });

  test('a service that is called like a region hides no word', () => {
    const world = open();
    world.must([put(of('green', 'us')), put(of('green', 'imports'))]);
    const found = violations(world, [put(deployment('shop.test', 'us', 'v9'))]);
    expect(found).toEqual([expect.objectContaining({ code: 'version-missing' })]);
  });

  test('warnings leave out how things are with it, and hold on to the rest', () => {
    const world = open();
    world.must([
      put(of('green', 'odd.test')),
      patch('services/vault.test', { importers: ['red'] }),
      put(of('red', 'pay.test', { apiId: 'pay' })),
      patch('services/shop.test', { uses: ['vault.test', 'pay.test'] }),
    ]);
    const edit = put(deployment('shop.test', 'eu', 'v1', { regionalEndpoint: 'odd.test' }));
    const warnings = (caller: Caller): string[] => {
      const decision = world.try([edit], as(caller));
      return decision.ok ? decision.warnings.map(({ message }) => message) : [decision.refusal.detail];
    };
    expect(warnings({ kind: 'administrator', subject: 'root' })[1]).toMatch(/uses pay.test, vault.test/);
    // What its owner wrote is no name: that odd.test is somebody's changes nothing.
    expect(warnings(owner('shop', 'pay'))).toEqual([
      expect.stringMatching(/^odd.test does not follow/),
      'shop.test runs in eu and uses pay.test, not deployed and enabled there.',
    ]);
  });
});

describe('CAT4: consent', () => {
  test('a private service is imported and used by its own project and by its importers', () => {
    const world = open();
    const into = (project: string, id: string): string[] => {
      world.must([put(of(project, id))]);
      return world
        .violations([put(version(id, 'v1', { 'vault.test': 'v1' })), patch(`services/${id}`, { uses: ['vault.test'] })])
        .map(({ code }) => code);
    };
    expect(into('green', 'a.test')).toEqual([]);
    expect(into('blue', 'b.test')).toEqual([]);
    expect(into('red', 'c.test')).toEqual(['use-not-allowed', 'import-not-allowed']);
  });

  test('the fix is to be listed, and is accepted when its owner sends it', () => {
    const world = open();
    world.must([put(of('red', 'cart.test'))]);
    const edits = [put(version('cart.test', 'v1', { 'vault.test': 'v1' }))];
    const [violation] = world.violations(edits);
    if (violation?.fix === undefined) throw new Error('no fix');
    expect(violation.fix).toMatchObject({
      method: 'PATCH',
      path: '/v1/services/vault.test',
      body: { importers: ['blue', 'red'] },
    });
    expect(world.run(editsOf(violation.fix), as(account('green'))).ok).toBe(true);
    expect(world.run(edits, as(account('red'))).ok).toBe(true);
    expect(world.value('services/vault.test').importers).toEqual(['blue', 'red']);
  });

  test('consent stays for as long as it is needed', () => {
    const world = open();
    world.must([put(of('blue', 'app.test', { public: true })), put(version('app.test', 'v1', { 'vault.test': 'v1' }))]);
    expect(world.violations([patch('services/vault.test', { importers: [] })])).toMatchObject([
      { code: 'import-not-allowed', rule: 'CAT4', importer: 'app.test', imported: 'vault.test' },
    ]);
    world.must([patch('services/vault.test', { importers: ['blue', 'red'] })]);
    world.must([remove('services/app.test/versions/v1')]);
    world.must([patch('services/vault.test', { importers: [] })]);
    expect(world.value('services/vault.test').importers).toBeUndefined();
  });

  test('importers are projects that exist', () => {
    expect(open().violations([patch('services/vault.test', { importers: ['gone'] })])).toMatchObject([
      { code: 'reference-missing', rule: 'REF1' },
    ]);
  });

  test('an import that was there before consent was asked for stays content of what names it', () => {
    const world = open();
    const { view } = world;
    world.must([put(of('red', 'old.test', { apiId: 'old' })), patch('services/vault.test', { public: true })]);
    world.must([put(version('old.test', 'v1', { 'vault.test': 'v1' }))]);
    // As a catalog of an older release may be.
    const item = view.get('services/vault.test');
    if (item?.kind !== 'service') throw new Error('gone');
    view.fold([{ op: 'put', item: { ...item, value: { ...item.value, public: false } } }]);
    expect(world.run([patch('services/old.test/versions/v1', { labels: { a: 'b' } })], as(account('red'))).ok).toBe(
      true,
    );
  });
});

describe('INS6: who is at an address', () => {
  const id = (digit: string): string => digit.repeat(24);
  const registering = (instance: string, runs: string): InstanceCommand['instances'][number] => ({
    op: 'register',
    id: instance,
    registration: {
      service: runs,
      protocol: 'http',
      address: '10.0.0.7',
      port: 80,
      weight: 1,
      tags: {},
      metadata: {},
      check: { type: 'ttl', ttl: '30s', initialStatus: 'passing', deregisterAfter: '10m' },
    },
  });
  const ADMIN: Caller = { kind: 'administrator', subject: 'root' };

  /** Vault's instance is at the address, and somebody registers one of shop's there. */
  function displacedBy(caller: Caller, address?: string): { displaced: unknown; decision: Decision } {
    const world = open();
    const run = (asked: Caller, edit: InstanceCommand['instances'][number], from?: string): Decision => {
      const permit = permitOf(asked);
      const command: InstanceCommand = {
        caller: asked,
        at: 0,
        instances: [edit],
        sight: sightOfCaller(asked),
        ...(permit && { permit }),
        ...(from !== undefined && { origin: { address: from } }),
      };
      const decision = decide(world.view, command, world.revision + 1, validate);
      if (!decision.ok) throw new Error(decision.refusal.detail);
      world.view.fold(decision.changes);
      world.revision += 1;
      return decision;
    };
    run(ADMIN, registering(id('a'), 'vault.test'));
    const decision = run(caller, registering(id('b'), 'shop.test'), address);
    return { displaced: world.value(instanceName(id('a'))).displacedBy, decision };
  }

  test.each<[what: string, caller: Caller, address: string | undefined, displaced: boolean]>([
    ['an administrator', ADMIN, undefined, true],
    ["another project's account", account('red'), undefined, false],
    ["another project's account, from elsewhere", account('red'), '10.0.0.8', false],
    ["another project's account, from there over IPv6", account('red'), '::ffff:10.0.0.7', true],
    ["another project's account, from that address", account('red'), '10.0.0.7', true],
    ['who owns both', owner('shop', 'vault'), '10.0.0.8', true],
    ['who owns one', owner('shop'), '10.0.0.8', false],
  ])('SEC3: %s', (_what, caller, address, isDisplaced) => {
    const { displaced, decision } = displacedBy(caller, address);
    expect(displaced).toBe(isDisplaced ? instanceName(id('b')) : undefined);
    // Whether there was anything to displace is told only to those who see it.
    const told = decision.ok ? decision.outcomes.map(({ name }) => name) : [];
    const seesBoth = sees(sightOfCaller(caller), [[apiKey('vault')]]);
    expect(told).toEqual([instanceName(id('b')), ...(isDisplaced && seesBoth ? [instanceName(id('a'))] : [])]);
  });
});
