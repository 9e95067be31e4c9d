import { expect, test } from '@jest/globals';
import { servicesOf } from '../../src/auth/services-of.ts';
import type { Caller } from '../../src/domain/command.ts';
import { decide } from '../../src/domain/decide.ts';
import { View } from '../../src/domain/view.ts';
import { ADMIN, ACCOUNT, commandOf, GROUND, put, service, validate } from '../domain/world.ts';

const OTHER = 'projects/shop/service-accounts/deployer';

const view = new View();
const decision = decide(
  view,
  commandOf(
    [
      ...GROUND,
      { name: 'projects/shop', title: 'Shop' },
      { name: OTHER },
      service('iam.test', { apiId: 'iam' }),
      service('audit.test', { apiId: 'audit' }),
      service('shop.test', { creator: OTHER, apiId: 'shop' }),
    ].map(put),
  ),
  1,
  validate,
);
if (!decision.ok) throw new Error(decision.refusal.detail);
view.fold(decision.changes);

const person = (apiIds: string[], services: string[], reader = false): Caller => ({
  kind: 'person',
  subject: 'otto',
  reader,
  owns: { apiIds, services, groups: [] },
});

test.each<[who: string, caller: Caller, expected: 'all' | string[]]>([
  ['an administrator', ADMIN, 'all'],
  ['an account', { kind: 'serviceAccount', subject: 'x', account: ACCOUNT }, ['audit.test', 'iam.test']],
  [
    'an account that owns more',
    { kind: 'serviceAccount', subject: 'x', account: ACCOUNT, owns: { apiIds: ['shop'], services: [], groups: [] } },
    ['audit.test', 'iam.test', 'shop.test'],
  ],
  ['an account that is gone', { kind: 'serviceAccount', subject: 'x', account: `${ACCOUNT}2` }, []],
  ['an owner', person(['iam', 'nothing'], ['shop.test', 'nothing.test']), ['iam.test', 'shop.test']],
  ['a reader', person([], [], true), []],
  ['a registration token', { kind: 'registrar', subject: 'x', service: 'iam.test' }, []],
])('SEC5 whose entries are those of %s', (_who, caller, expected) => {
  const own = servicesOf(caller, 'audit.read', view);
  expect(own === 'all' ? own : own.toSorted()).toEqual(expected);
});
