import { expect, test } from '@jest/globals';
import { auditOf, whoIs } from '../../src/domain/audit-changes.ts';
import type { Command } from '../../src/domain/command.ts';
import { decide } from '../../src/domain/decide.ts';
import { Draft } from '../../src/domain/draft.ts';
import { View } from '../../src/domain/view.ts';
import {
  ACCOUNT,
  ADMIN,
  AT,
  bundle,
  commandOf,
  deployment,
  GROUND,
  patch,
  put,
  remove,
  service,
  validate,
  version,
} from './world.ts';

const BOT = { kind: 'serviceAccount', subject: 'bot@clients', account: ACCOUNT } as const;
const INSTANCE = 'a'.repeat(24);
const registration = (serviceId: string, port: number) => ({
  service: serviceId,
  protocol: 'http',
  address: '10.0.0.1',
  port,
  weight: 100,
  tags: {},
  check: { type: 'ttl', ttl: '30s', initialStatus: 'passing' },
});

/** A state that commands follow each other on; each answers what the audit says of it. */
function world() {
  const state = new Draft(new View());
  let revision = 0;
  return (command: Command) => {
    const decision = decide(state, command, revision + 1, validate);
    if (!decision.ok) throw new Error(decision.refusal.detail);
    if (decision.changes.length > 0) revision += 1;
    state.absorb(decision.changes);
    return auditOf(command, decision.outcomes, revision);
  };
}

const register = (id: string, serviceId: string, port = 80): Command =>
  ({
    caller: BOT,
    at: AT,
    instances: [{ op: 'register', id, registration: registration(serviceId, port) }],
  }) as unknown as Command;

test('SEC5 an entry for each resource that was created, updated or deleted, and none for what stays', () => {
  const run = world();
  expect(run(commandOf(GROUND.map(put))).map(({ target, result }) => [target, result])).toEqual(
    GROUND.map(({ name }) => [name, 'created']),
  );
  run(commandOf([service('iam.test'), version('iam.test', 'v1')].map(put)));
  const changed = [put(service('iam.test')), put(version('iam.test', 'v2')), remove('services/iam.test/versions/v1')];
  const origin = { address: '10.0.0.7', requestId: 'r1' };
  const common = { at: AT, category: 'change', subject: 'bot@clients', account: ACCOUNT, project: 'core', ...origin };
  expect(run(commandOf(changed, { caller: BOT, origin }))).toEqual([
    {
      ...common,
      action: 'catalog.write',
      target: 'services/iam.test/versions/v2',
      service: 'iam.test',
      after: 3,
      result: 'created',
    },
    {
      ...common,
      action: 'catalog.delete',
      target: 'services/iam.test/versions/v1',
      service: 'iam.test',
      before: 2,
      after: 3,
      result: 'deleted',
    },
  ]);
  expect(run(commandOf([put(service('iam.test'))]))).toEqual([]);
});

test('SEC5 what follows from a change is told too: the effective uses of other services', () => {
  const run = world();
  run(commandOf([...GROUND, service('iam.test', { public: true }), service('shop.test')].map(put)));
  const everyone = put(bundle('core', ['iam.test'], { usedByEveryone: true, public: true }));
  expect(
    run(commandOf([everyone])).map(({ target, service: of, before, after, result }) => [
      target,
      of,
      before,
      after,
      result,
    ]),
  ).toEqual([
    ['bundles/core', undefined, undefined, 2, 'created'],
    ['services/shop.test', 'shop.test', 1, 2, 'updated'],
  ]);
});

test('SEC5 instances and overrides are told with their service, and what they displace with its own', () => {
  const run = world();
  run(commandOf([...GROUND, service('iam.test'), version('iam.test', 'v1'), deployment('iam.test', 'us')].map(put)));
  expect(run(register(INSTANCE, 'iam.test'))).toMatchObject([
    { action: 'instance.register', target: `instances/${INSTANCE}`, service: 'iam.test', result: 'created', after: 2 },
  ]);
  expect(run(register('b'.repeat(24), 'shop.test'))).toMatchObject([
    { target: `instances/${'b'.repeat(24)}`, service: 'shop.test', result: 'created' },
    { target: `instances/${INSTANCE}`, service: 'iam.test', result: 'updated', before: 2, after: 3 },
  ]);
  const drain: Command = {
    caller: ADMIN,
    at: AT,
    instances: [{ op: 'override', target: { instance: INSTANCE }, override: { mode: 'draining', reason: 'x' } }],
  } as unknown as Command;
  expect(run(drain)).toMatchObject([
    { action: 'instance.override', target: `instances/${INSTANCE}/override`, service: 'iam.test', result: 'created' },
    { action: 'instance.override', target: `instances/${INSTANCE}`, service: 'iam.test', result: 'updated' },
  ]);
});

test('SEC5 what Signalbox does by itself is nobody’s act', () => {
  const run = world();
  run(commandOf(GROUND.map(put)));
  const command = commandOf([patch('regions/us', { title: 'x' })], {
    caller: { kind: 'signalbox', subject: 'signalbox' },
  });
  expect(run(command)).toEqual([]);
});

test('SEC5 who somebody is', () => {
  expect(whoIs(BOT)).toEqual({ subject: 'bot@clients', account: ACCOUNT, project: 'core' });
  expect(whoIs(ADMIN)).toEqual({ subject: 'test' });
});
