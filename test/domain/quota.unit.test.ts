import { describe, expect, test } from '@jest/globals';
import type { Command, Decision } from '../../src/domain/command.ts';
import { decide } from '../../src/domain/decide.ts';
import { Draft } from '../../src/domain/draft.ts';
import { children } from '../../src/domain/indexes.ts';
import type { Registration } from '../../src/domain/instances/instance.ts';
import { readRegistration } from '../../src/domain/instances/registration.ts';
import { isHeldTo, type ProjectLimits } from '../../src/domain/quota.ts';
import type { Usage } from '../../src/domain/usage.ts';
import type { View } from '../../src/domain/view.ts';
import { Random } from '../support/random.ts';
import { ACCOUNT, ADMIN, AT, commandOf, put, remove, service, validate, World } from './world.ts';
import { apiKey, projectKey, sightOf, type Sight } from '../../src/domain/visibility.ts';

const OTHER = 'projects/other/service-accounts/deployer';
const GROUND_TOO = [
  { name: 'regions/us', title: 'us' },
  { name: 'projects/core', title: 'Core' },
  { name: ACCOUNT },
  { name: 'projects/other', title: 'Other' },
  { name: OTHER },
];

function registration(of: string, port: number): Registration {
  const read = readRegistration({ service: of, protocol: 'http', address: '10.0.0.1', port });
  if (!read.ok) throw new Error(JSON.stringify(read.errors));
  return read.value;
}

const idOf = (of: string, port: number): string => Buffer.from(`${of} ${port}`.padEnd(12)).toString('hex').slice(0, 24);

const register = (of: string, port: number, limits?: ProjectLimits): Command => ({
  caller: ADMIN,
  at: AT,
  instances: [{ op: 'register', id: idOf(of, port), registration: registration(of, port) }],
  ...(limits !== undefined && { limits }),
});
const deregister = (of: string, port: number): Command => ({
  caller: ADMIN,
  at: AT,
  instances: [{ op: 'deregister', id: idOf(of, port) }],
});

/** What a project holds, counted. */
function counted(view: View, project: string): Usage {
  let services = 0;
  let instances = 0;
  for (const item of view.all()) {
    if (item.kind !== 'service' || item.value.project !== project) continue;
    services += 1;
    instances += [...view.bucket(children('instance', item.id))].length;
  }
  return { services, instances };
}

function run(world: World, command: Command): Decision {
  const decision = decide(world.view, command, world.revision + 1, validate);
  if (decision.ok && decision.changes.length > 0) {
    world.revision += 1;
    world.view.fold(decision.changes);
  }
  return decision;
}

describe('what a project holds', () => {
  test('is what counting says, in the view and in drafts over it, whatever happens', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = new Random(seed);
      const world = new World(GROUND_TOO);
      const ids = ['a.test', 'b.test', 'c.test', 'd.test'];
      let draft = new Draft(world.view);
      const pending: Decision[] = [];
      for (let step = 0; step < 300; step++) {
        const of = random.pick(ids);
        const port = 1 + random.below(6);
        const creator = random.pick([ACCOUNT, OTHER]);
        const command = random.pick<() => Command>([
          () => register(of, port),
          () => register(of, port),
          () => deregister(of, port),
          () => commandOf([put(service(of, { creator, displayName: `${step}` }))]),
          () => commandOf([remove(`services/${of}`)]),
        ])();
        const decision = decide(draft, command, world.revision + 1, validate);
        if (!decision.ok) continue;
        draft.absorb(decision.changes);
        pending.push(decision);
        if (!random.chance(0.3)) continue;
        const held = ['core', 'other'].map((project) => draft.usage(project));
        for (const each of pending.splice(0)) {
          world.revision += 1;
          if (each.ok) world.view.fold(each.changes);
        }
        expect(held).toEqual(['core', 'other'].map((project) => counted(world.view, project)));
        expect(held).toEqual(['core', 'other'].map((project) => world.view.usage(project)));
        draft = new Draft(world.view);
      }
    }
  });
});

describe('the limits of a project', () => {
  const limits = { services: 2, instances: 3 };
  const create = (...ids: string[]) =>
    commandOf(
      ids.map((id) => put(service(id))),
      { limits },
    );

  test('a service too many is refused with the limit, what is there, and the setting', () => {
    const world = new World(GROUND_TOO);
    expect(run(world, create('a.test', 'b.test')).ok).toBe(true);
    expect(run(world, create('c.test'))).toEqual({
      ok: false,
      refusal: {
        code: 'quota-exceeded',
        detail:
          'projects/core has 2 services, and with 1 more it would hold more than 2, which is PROJECT_MAX_SERVICES',
      },
    });
    expect(run(world, commandOf([put(service('c.test', { creator: OTHER }))], { limits })).ok).toBe(true);
    // What is there can be changed, replaced by another in one revision, and removed.
    expect(run(world, commandOf([put(service('a.test', { displayName: 'A' }))], { limits })).ok).toBe(true);
    expect(run(world, commandOf([remove('services/a.test'), put(service('d.test'))], { limits })).ok).toBe(true);
    expect(run(world, commandOf([remove('services/d.test')], { limits })).ok).toBe(true);
    expect(run(world, create('e.test')).ok).toBe(true);
  });

  test('a manifest is counted whole: either all of it fits, or none of it is done', () => {
    const world = new World(GROUND_TOO);
    expect(run(world, create('a.test', 'b.test', 'c.test')).ok).toBe(false);
    expect(world.view.usage('core')).toEqual({ services: 0, instances: 0 });
  });

  test('instances are those of all services of the project; registering again is no new one', () => {
    const world = new World([
      ...GROUND_TOO,
      service('a.test'),
      service('b.test'),
      service('x.test', { creator: OTHER }),
    ]);
    for (const [of, port] of [
      ['a.test', 1],
      ['a.test', 2],
      ['b.test', 1],
    ] as const)
      expect(run(world, register(of, port, limits)).ok).toBe(true);
    expect(run(world, register('b.test', 2, limits))).toMatchObject({
      ok: false,
      refusal: { code: 'quota-exceeded', detail: expect.stringContaining('PROJECT_MAX_INSTANCES') },
    });
    expect(run(world, register('a.test', 1, limits)).ok).toBe(true);
    expect(run(world, register('x.test', 1, limits)).ok).toBe(true);
    expect(run(world, register('nobodys.test', 1, limits)).ok).toBe(true);
    expect(run(world, deregister('a.test', 1)).ok).toBe(true);
    expect(run(world, register('b.test', 2, limits)).ok).toBe(true);
  });

  test('a batch of registrations cannot go beyond the limit together', () => {
    const world = new World([...GROUND_TOO, service('a.test')]);
    const draft = new Draft(world.view);
    const verdicts = [1, 2, 3, 4, 5].map((port) => {
      const decision = decide(draft, register('a.test', port, limits), world.revision + port, validate);
      if (decision.ok) draft.absorb(decision.changes);
      return decision.ok;
    });
    expect(verdicts).toEqual([true, true, true, false, false]);
  });

  test('a project that is beyond a limit keeps what it has, and may get smaller', () => {
    const world = new World([...GROUND_TOO, service('a.test'), service('b.test'), service('c.test')]);
    const lower = { limits: { services: 1 } };
    expect(run(world, commandOf([put(service('a.test', { displayName: 'A' }))], lower)).ok).toBe(true);
    expect(run(world, commandOf([remove('services/a.test')], lower)).ok).toBe(true);
    expect(run(world, commandOf([remove('services/b.test'), put(service('d.test'))], lower)).ok).toBe(true);
    expect(run(world, commandOf([put(service('e.test'))], lower)).ok).toBe(false);
  });

  test('SEC3 how much a project holds is told only to whoever sees all of it', () => {
    const world = new World([...GROUND_TOO, service('a.test'), service('b.test')]);
    const detail = (sight: Sight): string => {
      const decision = run(world, commandOf([put(service('c.test'))], { limits: { services: 2 }, sight }));
      return decision.ok ? '' : decision.refusal.detail;
    };
    const [member, owner] = [sightOf([projectKey('core')]), sightOf([apiKey('a')])];
    expect(detail(member)).toContain('has 2 services');
    expect(detail(owner)).toBe('projects/core may hold no more services than 2, which is PROJECT_MAX_SERVICES');
  });

  test('administrators and Signalbox itself are not held to them, everyone else is', () => {
    const owns = { apiIds: [], services: [], groups: [] };
    expect(isHeldTo(ADMIN)).toBe(false);
    expect(isHeldTo({ kind: 'signalbox', subject: 'checks' })).toBe(false);
    expect(isHeldTo({ kind: 'serviceAccount', subject: 's', account: ACCOUNT })).toBe(true);
    expect(isHeldTo({ kind: 'person', subject: 'p', reader: true, owns })).toBe(true);
    expect(isHeldTo({ kind: 'registrar', subject: 't', service: 'a.test' })).toBe(true);
  });
});
