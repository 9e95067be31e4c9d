import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { ACTIONS, type Action } from '../../src/auth/actions.ts';
import { authorize, permitOf } from '../../src/auth/authorize.ts';
import { belongs, callerOf, STRANGER } from '../../src/auth/caller.ts';
import type { Identity } from '../../src/auth/identity.ts';
import { RIGHTS } from '../../src/auth/rights.ts';
import type { Caller, Edit, Wish } from '../../src/domain/command.ts';
import { decide } from '../../src/domain/decide.ts';
import type { InstanceEdit } from '../../src/domain/instances/edits.ts';
import { View } from '../../src/domain/view.ts';
import { validateResource } from '../../src/protocol/validate.ts';
import { sightOf } from '../../src/auth/sight.ts';
import { isHidden } from '../../src/auth/target.ts';

const ADMIN: Caller = { kind: 'administrator', subject: 'root' };
const OWNS_NOTHING = { apiIds: [], services: [], groups: [] };
const IAM_BOT: Caller = {
  kind: 'serviceAccount',
  subject: 'iam-bot',
  account: 'projects/core/service-accounts/iam-bot',
};
const SHOP_BOT: Caller = {
  kind: 'serviceAccount',
  subject: 'shop-bot',
  account: 'projects/shop/service-accounts/shop-bot',
};
const GONE_BOT: Caller = { kind: 'serviceAccount', subject: 'gone', account: 'projects/core/service-accounts/gone' };
const READER: Caller = { kind: 'person', subject: 'rita', reader: true, owns: OWNS_NOTHING };
const OWNER: Caller = {
  kind: 'person',
  subject: 'otto',
  reader: false,
  owns: { apiIds: ['iam'], services: [], groups: [] },
};
const SERVICE_OWNER: Caller = {
  kind: 'person',
  subject: 'sven',
  reader: false,
  owns: { apiIds: [], services: ['iam.test', 'loose.test'], groups: [] },
};
const NOBODY: Caller = { kind: 'person', subject: 'nils', reader: false, owns: OWNS_NOTHING };
const MONITOR: Caller = { ...NOBODY, subject: 'mona', monitor: true };
const CALLERS = { ADMIN, IAM_BOT, SHOP_BOT, GONE_BOT, READER, MONITOR, OWNER, SERVICE_OWNER, NOBODY };
type Who = keyof typeof CALLERS;

const INSTANCE = '0'.repeat(24);
const LOOSE = '1'.repeat(24);

const view = new View();
const at = Date.UTC(2026, 0, 15);
let revision = 0;

function apply(caller: Caller, edits: readonly Edit[], prune?: Record<string, string>) {
  const permit = permitOf(caller);
  const command = { caller, at, edits, ...(permit && { permit }), ...(prune && { prune }) };
  return decide(view, command, revision + 1, validateResource);
}

const put = (name: string, value: object = {}): Edit => ({ op: 'put', name, value });
const service = (id: string, more: object = {}): Edit =>
  put(`services/${id}`, { displayName: id, globalEndpoint: id, primaryRegion: 'us', public: true, ...more });
const registration = (id: string, of: string): InstanceEdit => ({
  op: 'register',
  id,
  registration: {
    service: of,
    protocol: 'http',
    address: '10.0.0.1',
    port: Number.parseInt(id.slice(0, 2), 10) + 80,
    weight: 1,
    tags: {},
    metadata: {},
    check: { type: 'ttl', ttl: '30s', initialStatus: 'passing', deregisterAfter: '10m' },
  } as never,
});

function must(decision: ReturnType<typeof decide>): void {
  if (!decision.ok) throw new Error(decision.refusal.detail);
  view.fold(decision.changes);
  revision += 1;
}

must(
  apply(ADMIN, [
    put('regions/us', { title: 'US' }),
    put('projects/core', { title: 'Core' }),
    put('projects/shop', { title: 'Shop' }),
    put('projects/core/service-accounts/iam-bot', { clientId: 'iam-client', subject: 'iam-bot' }),
    put('projects/core/service-accounts/both', { clientId: 'twice' }),
    put('projects/shop/service-accounts/both', { clientId: 'twice' }),
    put('projects/shop/service-accounts/shop-bot', { clientId: 'shop-client' }),
    service('iam.test', { apiId: 'iam', creator: 'projects/core/service-accounts/iam-bot', labels: { x: 'y' } }),
    service('shop.test', { apiId: 'shop', creator: 'projects/shop/service-accounts/shop-bot', labels: { x: 'y' } }),
    put('services/iam.test/versions/v1'),
  ]),
);
must(
  decide(
    view,
    { caller: ADMIN, at, instances: [registration(INSTANCE, 'iam.test'), registration(LOOSE, 'loose.test')] },
    revision + 1,
    validateResource,
  ),
);

test('SEC1 every action has its row', () => {
  expect(Object.keys(RIGHTS).sort()).toEqual(Object.keys(ACTIONS).sort());
});

const READS: Action[] = ['catalog.read', 'catalog.export', 'instance.read', 'coverage.read', 'log.read', 'feed.watch'];

test.each<[who: Who, allowed: Action[]]>([
  ['ADMIN', Object.keys(ACTIONS) as Action[]],
  ['READER', [...READS, 'health.read', 'docs.read', 'session.use']],
  ['MONITOR', ['metrics.read', 'node.read', 'health.read', 'docs.read', 'session.use']],
  [
    'OWNER',
    [
      ...READS,
      'catalog.write',
      'catalog.delete',
      'catalog.apply',
      'instance.register',
      'instance.override',
      'token.manage',
      'audit.read',
      'feed.subscribers',
      'health.read',
      'docs.read',
      'session.use',
    ],
  ],
  [
    'IAM_BOT',
    [
      ...READS,
      'catalog.write',
      'catalog.delete',
      'catalog.apply',
      'instance.register',
      'instance.override',
      'token.manage',
      'audit.read',
      'feed.subscribers',
      'health.read',
      'docs.read',
      'session.use',
    ],
  ],
  ['GONE_BOT', ['health.read', 'docs.read', 'session.use']],
  ['NOBODY', ['health.read', 'docs.read', 'session.use']],
])('SEC1 what %s may do at all', (who, allowed) => {
  for (const action of Object.keys(ACTIONS) as Action[]) {
    expect([action, authorize(CALLERS[who], action, undefined, view).allowed]).toEqual([
      action,
      allowed.includes(action),
    ]);
  }
});

const IAM = ['ADMIN', 'IAM_BOT', 'OWNER', 'SERVICE_OWNER'] as const;

test.each<[action: Action, name: string, who: readonly Who[]]>([
  ['catalog.write', 'regions/us', ['ADMIN']],
  ['catalog.write', 'projects/core', ['ADMIN']],
  ['catalog.write', 'projects/core/service-accounts/iam-bot', ['ADMIN']],
  ['catalog.delete', 'projects/core/service-accounts/iam-bot', ['ADMIN']],
  ['catalog.write', 'bundles/core', ['ADMIN']],
  ['catalog.write', 'services/iam.test', IAM],
  ['catalog.delete', 'services/iam.test', IAM],
  ['catalog.write', 'services/iam.test/versions/v1', IAM],
  ['catalog.write', 'services/iam.test/versions/v2', IAM],
  ['catalog.delete', 'services/iam.test/versions/v1', IAM],
  ['catalog.write', 'services/iam.test/resources/User', IAM],
  ['catalog.write', 'services/iam.test/deployments/us', IAM],
  ['catalog.write', 'services/shop.test/deployments/us', ['ADMIN', 'SHOP_BOT']],
  ['catalog.write', 'services/new.test', ['ADMIN', 'IAM_BOT', 'SHOP_BOT']],
  ['catalog.write', 'services/new.test/versions/v1', ['ADMIN']],
  ['instance.override', 'services/iam.test/regions/us/override', IAM],
  ['instance.override', 'services/loose.test/regions/-/override', ['ADMIN', 'SERVICE_OWNER']],
  ['instance.override', `instances/${INSTANCE}/override`, IAM],
  ['instance.register', `instances/${INSTANCE}`, IAM],
  ['instance.register', `instances/${LOOSE}`, ['ADMIN', 'SERVICE_OWNER']],
  // It is answered with 404.
  ['instance.register', `instances/${'f'.repeat(24)}`, ['ADMIN', 'IAM_BOT', 'SHOP_BOT', 'OWNER', 'SERVICE_OWNER']],
  ['catalog.delete', 'services/new.test', ['ADMIN', 'IAM_BOT', 'SHOP_BOT', 'OWNER', 'SERVICE_OWNER']],
])('SEC1 %s on %s', (action, name, who) => {
  // What is hidden is answered as if it were not there, whatever the table says about that.
  const may = (caller: Caller): boolean =>
    authorize(caller, action, { name }, view).allowed && !isHidden(name, sightOf(caller), view);
  const allowed = (Object.keys(CALLERS) as Who[]).filter((w) => may(CALLERS[w]));
  expect(allowed.sort()).toEqual([...who].sort());
});

test('SEC1 a scope of an apiId is none of the service with that name, nor the other way round', () => {
  const crossed: Caller = {
    kind: 'person',
    subject: 'x',
    reader: false,
    owns: { apiIds: ['iam.test'], services: ['iam'], groups: [] },
  };
  expect(authorize(crossed, 'catalog.write', { name: 'services/iam.test' }, view).allowed).toBe(false);
});

test('SEC1 an account whose token also names a service owns that service too', () => {
  const both: Caller = { ...SHOP_BOT, owns: { apiIds: ['iam'], services: [], groups: [] } } as Caller;
  expect(authorize(both, 'catalog.write', { name: 'services/iam.test' }, view).allowed).toBe(true);
  expect(authorize(both, 'catalog.write', { name: 'services/shop.test' }, view).allowed).toBe(true);
  expect(authorize(both, 'catalog.write', { name: 'regions/us' }, view).allowed).toBe(false);
});

const refusalOf = (decision: ReturnType<typeof decide>): string =>
  decision.ok ? '' : `${decision.refusal.code}: ${decision.refusal.detail}`;

test('CAT2 a service account creates a service, with what is in it, in one command; it joins its project', () => {
  const edits = [
    put('services/new.test/versions/v1'),
    service('new.test'),
    put('services/new.test/deployments/us', { regionalEndpoint: 'x.test', currentVersion: 'v1' }),
  ];
  const decision = apply(IAM_BOT, edits);
  expect(refusalOf(decision)).toBe('');
  const created = decision.ok ? decision.outcomes.find(({ name }) => name === 'services/new.test')?.after : undefined;
  expect(created?.value).toMatchObject({ project: 'core', creator: 'projects/core/service-accounts/iam-bot' });
  for (const caller of [OWNER, READER, NOBODY]) expect(refusalOf(apply(caller, edits))).toMatch(/^forbidden: /);
  expect(
    refusalOf(apply(IAM_BOT, [service('new.test', { creator: 'projects/shop/service-accounts/shop-bot' })])),
  ).toMatch(/^invalid: /);
});

test('SEC1 of a manifest every document is decided, and one that is not allowed refuses the whole', () => {
  const own = put('services/iam.test/versions/v2');
  expect(refusalOf(apply(IAM_BOT, [own]))).toBe('');
  expect(refusalOf(apply(IAM_BOT, [own, put('services/shop.test/versions/v2')]))).toBe(
    'forbidden: iam-bot may not do catalog.write on services/shop.test/versions/v2: administrators, the service accounts of its project and its API owners may.',
  );
  expect(refusalOf(apply(IAM_BOT, [own, put('regions/eu', { title: 'EU' })]))).toBe(
    'forbidden: iam-bot may not do catalog.write on regions/eu: administrators may.',
  );
});

test('SEC1 a prune deletes nothing that its caller may not delete', () => {
  expect(refusalOf(apply(IAM_BOT, [put('services/iam.test/versions/v1')], { x: 'y' }))).toContain(
    'forbidden: iam-bot may not do catalog.delete on services/shop.test',
  );
});

test('SEC1 what is decided is the state of the commit: a service that another has created meanwhile is not overwritten', () => {
  const permit = permitOf(SHOP_BOT);
  const wishes: Wish[] = [{ action: 'catalog.write', name: 'services/race.test' }];
  expect(permit?.(view, wishes)).toBeUndefined();
  const later = new View();
  later.fold(Array.from(view.all(), (item) => ({ op: 'put', item }) as never));
  const created = decide(later, { caller: IAM_BOT, at, edits: [service('race.test')] }, revision + 1, validateResource);
  if (!created.ok) throw new Error(created.refusal.detail);
  later.fold(created.changes);
  expect(permit?.(later, wishes)).toContain('shop-bot may not do catalog.write on services/race.test');
});

test('SEC1 instances: of whose service they are counts, whatever the id', () => {
  const run = (caller: Caller, edit: InstanceEdit): string => {
    const permit = permitOf(caller);
    return refusalOf(
      decide(view, { caller, at, instances: [edit], ...(permit && { permit }) }, revision + 1, validateResource),
    );
  };
  for (const caller of [IAM_BOT, OWNER, SERVICE_OWNER]) {
    expect(run(caller, registration(INSTANCE, 'iam.test'))).toBe('');
    expect(run(caller, { op: 'deregister', id: INSTANCE })).toBe('');
    expect(
      run(caller, { op: 'override', target: { instance: INSTANCE }, override: { mode: 'drain', reason: 'x' } }),
    ).toBe('');
  }
  for (const caller of [SHOP_BOT, READER, NOBODY]) {
    expect(run(caller, registration(INSTANCE, 'iam.test'))).toMatch(/^forbidden/);
    expect(run(caller, { op: 'deregister', id: INSTANCE })).toMatch(/^forbidden/);
    expect(run(caller, { op: 'override', target: { service: 'iam.test', region: 'us' }, override: undefined })).toMatch(
      /^forbidden/,
    );
  }
  expect(run(IAM_BOT, registration(LOOSE, 'loose.test'))).toMatch(/^forbidden/);
});

const identity = (more: Partial<Identity>): Identity => ({
  subject: 's',
  administrator: false,
  reader: false,
  owns: OWNS_NOTHING,
  ...more,
});

test.each<[what: string, identity: Partial<Identity>, kind: string]>([
  ['has both that the account names', { subject: 'iam-bot', clientId: 'iam-client' }, 'serviceAccount'],
  ['has the client id alone', { clientId: 'iam-client' }, 'person'],
  ['has the subject alone', { subject: 'iam-bot' }, 'person'],
  ['has the only one that the account names', { subject: 'x', clientId: 'shop-client' }, 'serviceAccount'],
  ['is of an issuer that speaks for other projects', { clientId: 'shop-client', projects: ['core'] }, 'person'],
  ['is of an issuer that speaks for this project', { clientId: 'shop-client', projects: ['shop'] }, 'serviceAccount'],
  ['has a client id for a subject', { subject: 'shop-client' }, 'person'],
  ['is an administrator first', { clientId: 'shop-client', administrator: true }, 'administrator'],
])('whoever %s', (_what, more, kind) => {
  const found = callerOf(identity(more), view);
  expect(found.ok && found.caller.kind).toBe(kind);
});

test('whoever is several accounts is none', () => {
  expect(callerOf(identity({ clientId: 'twice' }), view)).toMatchObject({
    ok: false,
    detail: expect.stringContaining('Several'),
  });
});

test('SEC1 a registration token makes a registrar as long as its service is the one it was made for', () => {
  const more = { registers: 'iam.test', administrator: true, reader: true, clientId: 'iam-bot' };
  const kindAt = (givenOutAt: number, registers = 'iam.test'): unknown => {
    const found = callerOf(identity({ ...more, registers, givenOutAt }), view);
    return found.ok && found.caller.kind;
  };
  expect([kindAt(at), kindAt(at + 1), kindAt(at - 1), kindAt(at, 'gone.test')]).toEqual([
    'registrar',
    'registrar',
    'person',
    'person',
  ]);
  expect(callerOf(identity({ ...more, registers: 'gone.test' }), view)).toMatchObject({
    caller: { kind: 'person', reader: false, owns: OWNS_NOTHING },
  });
});

test('who belongs', () => {
  expect(
    Object.entries({ ...CALLERS, STRANGER })
      .filter(([, caller]) => !belongs(caller, view))
      .map(([who]) => who),
  ).toEqual(['MONITOR', 'NOBODY', 'STRANGER']);
});

test('docs/access.md has every action', () => {
  const page = readFileSync('docs/access.md', 'utf8');
  for (const action of Object.keys(ACTIONS)) expect(page).toContain(`| \`${action}\``);
});
