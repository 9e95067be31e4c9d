import { describe, expect, test } from '@jest/globals';
import { EVERYTHING } from '../../src/domain/visibility.ts';
import { decodeChanges, encodeChanges } from '../../src/domain/codec.ts';
import type { Decision, InstanceCommand } from '../../src/domain/command.ts';
import { decide } from '../../src/domain/decide.ts';
import { formatDuration, parseDuration } from '../../src/domain/duration.ts';
import { detectionBound } from '../../src/domain/instances/check.ts';
import type { InstanceEdit } from '../../src/domain/instances/edits.ts';
import type { Instance } from '../../src/domain/instances/instance.ts';
import { readRegistration } from '../../src/domain/instances/registration.ts';
import { changeName } from '../../src/domain/item.ts';
import { instanceName } from '../../src/domain/names.ts';
import { changeFacets, effectOn, select, type Selector } from '../../src/domain/selector.ts';
import { View } from '../../src/domain/view.ts';
import { validateRegistration } from '../../src/protocol/validate.ts';
import { instanceIdOf } from '../../src/registry/instances.ts';
import { Random } from '../support/random.ts';

const AT = Date.UTC(2026, 0, 15);

/** The real decisions over the real view, without a database. */
class World {
  readonly view = new View();
  revision = 0;
  author = 'olga';

  run(...instances: InstanceEdit[]): Extract<Decision, { ok: true }> {
    const decision = this.try(instances);
    if (!decision.ok) throw new Error(decision.refusal.detail);
    return decision;
  }

  try(instances: readonly InstanceEdit[]): Decision {
    const command: InstanceCommand = {
      caller: { kind: 'administrator', subject: this.author },
      at: AT + this.revision * 1000,
      instances,
    };
    const decision = decide(this.view, command, this.revision + 1, () => []);
    if (decision.ok && decision.changes.length > 0) {
      // What the log keeps is what is folded: the encoding must say it all.
      this.view.fold(decodeChanges(JSON.parse(encodeChanges(decision.changes))));
      this.revision += 1;
    }
    return decision;
  }

  register(body: object): string {
    const edit = registering(body);
    this.run(edit);
    return edit.id;
  }

  get(id: string): Instance {
    const item = this.view.get(instanceName(id));
    if (item?.kind !== 'instance') throw new Error(`there is no instance ${id}`);
    return item.value;
  }
}

const ORDERS = { service: 'orders.test', protocol: 'http', address: '10.0.0.1', port: 80 };
const HTTP = { type: 'http', path: '/health', interval: '5s', timeout: '1s' };

function read(body: object) {
  const errors = validateRegistration(body);
  if (errors.length > 0) return { ok: false, errors } as const;
  return readRegistration(body as Record<string, unknown>);
}

function registering(body: object): Extract<InstanceEdit, { op: 'register' }> {
  const found = read(body);
  if (!found.ok) throw new Error(JSON.stringify(found.errors));
  return { op: 'register', id: instanceIdOf(found.value), registration: found.value };
}

describe('a registration', () => {
  test('REV3: defaults, order and writing make no difference', () => {
    const short = registering({ ...ORDERS, address: '::1', tags: { b: '1', a: '2' } });
    const long = registering({
      check: { deregisterAfter: '600s', ttl: '30000ms', type: 'ttl', initialStatus: 'passing' },
      tags: { a: '2', b: '1' },
      metadata: {},
      weight: 1,
      port: 80,
      address: '0:0:0:0:0:0:0:1',
      protocol: 'http',
      service: 'orders.test',
    });
    expect(JSON.stringify(long)).toBe(JSON.stringify(short));
    const world = new World();
    world.run(short);
    expect(world.run(long).changes).toEqual([]);
  });

  test('identity is service, environment, protocol, address and port, and nothing else', () => {
    const id = registering(ORDERS).id;
    expect(registering({ ...ORDERS, version: 'v2', region: 'eu', weight: 5, check: HTTP }).id).toBe(id);
    for (const other of [
      { service: 'orders2.test' },
      { environment: 'prod' },
      { protocol: 'grpc' },
      { address: '10.0.0.2' },
      { port: 81 },
    ]) {
      expect(registering({ ...ORDERS, ...other }).id).not.toBe(id);
    }
  });

  test.each([
    [{ check: { type: 'ttl', ttl: '10s' } }, '11s'],
    [{ check: { ...HTTP, unhealthyAfter: 3 } }, '17750ms'],
    [{ check: { type: 'tcp' } }, '24s'],
    [{}, '31s'],
  ])('INS1: %j publishes the bound %s', (more, bound) => {
    const found = read({ ...ORDERS, ...more });
    if (!found.ok) throw new Error('refused');
    expect(detectionBound(found.value.check)).toBe(bound);
  });

  const wrong: [more: object, pointer: string][] = [
    [{ check: { ...HTTP, timeout: '6s' } }, '/check/timeout'],
    [{ check: { ...HTTP, interval: '1ms' } }, '/check/interval'],
    [{ check: { type: 'ttl', ttl: '25h' } }, '/check/ttl'],
    [{ check: { type: 'ttl', ttl: '10 s' } }, '/check/ttl'],
    [{ check: { type: 'ttl', interval: '10s' } }, '/check/interval'],
    [{ check: { ...HTTP, headers: { Cookie: 'x' } } }, '/check/headers/Cookie'],
    [{ check: { ...HTTP, expectedStatuses: ['299-200'] } }, '/check/expectedStatuses'],
    [{ metadata: Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`k${i}`, 'x'.repeat(8000)])) }, '/metadata'],
    [{ address: '10.0.0.300' }, '/address'],
    [{ address: 'http://a' }, '/address'],
    [{ service: 'a/b' }, '/service'],
  ];
  test.each(wrong.map(([more, pointer]) => [JSON.stringify(more).slice(0, 60), pointer, more] as const))(
    'refuses %s with a pointer to %s',
    (_, pointer, more) => {
      const found = read({ ...ORDERS, ...more });
      expect(found.ok ? 'taken' : found.errors[0]?.pointer).toBe(pointer);
    },
  );
});

describe('instances', () => {
  test('a new one counts as its check says: a lease passes, an active check has to say so', () => {
    const world = new World();
    expect(world.get(world.register(ORDERS))).toMatchObject({ passing: true, status: 'passing', generation: 1 });
    const checked = world.get(world.register({ ...ORDERS, port: 81, check: HTTP }));
    expect(checked).toMatchObject({ passing: false, status: 'critical', generation: 2 });
  });

  test('INS6: the generation is another one after it was gone, and nothing old is decided about it', () => {
    const world = new World();
    const id = world.register(ORDERS);
    world.run({ op: 'deregister', id });
    world.register({ ...ORDERS, check: HTTP });
    expect(world.get(id).generation).toBe(3);
    const old = { op: 'status', id, generation: 1, status: 'passing', reason: 'old', proven: true } as const;
    expect(world.run(old).changes).toEqual([]);
    expect(world.run({ op: 'deregister', id, generation: 1 }).changes).toEqual([]);
    expect(world.run({ ...old, generation: 3 }).changes).toHaveLength(1);
  });

  test('INS6: whoever had the address before is out of service in the same revision, until it shows itself', () => {
    const world = new World();
    const leased = world.register(ORDERS);
    const other = world.register({ ...ORDERS, service: 'cart.test' });
    expect(world.revision).toBe(2);
    expect(world.get(leased)).toMatchObject({ passing: false, status: 'passing', displacedBy: instanceName(other) });
    const seen = { op: 'status', id: leased, generation: 1, status: 'passing', reason: 'x' } as const;
    expect(world.run({ ...seen, proven: false }).changes).toEqual([]);
    world.run({ ...seen, proven: true });
    expect(world.get(leased)).toMatchObject({ passing: true });
    expect(world.get(leased)).not.toHaveProperty('displacedBy');
    expect(world.get(other)).toMatchObject({ passing: true });
  });

  test('INS6: two protocols of one service share a port; two environments do not', () => {
    const world = new World();
    const http = world.register(ORDERS);
    world.register({ ...ORDERS, protocol: 'grpc' });
    expect(world.get(http).passing).toBe(true);
    world.register({ ...ORDERS, environment: 'test' });
    expect(world.get(http).passing).toBe(false);
    // Registering again shows that it is there.
    world.register(ORDERS);
    expect(world.get(http).passing).toBe(true);
  });

  test('INS5: an override outlives the instance; its own comes before that of the region', () => {
    const world = new World();
    const id = world.register({ ...ORDERS, region: 'eu' });
    const other = world.register({ ...ORDERS, port: 81, region: 'eu' });
    world.run({ op: 'override', target: { instance: id }, override: { mode: 'drain', weight: 7, reason: 'disk' } });
    world.run({ op: 'deregister', id });
    world.register({ ...ORDERS, region: 'eu', weight: 3 });
    expect(world.get(id)).toMatchObject({ passing: false, mode: 'drain', weight: 7, registeredWeight: 3 });
    expect(world.get(id).override).toEqual({ scope: 'instance', mode: 'drain', weight: 7, reason: 'disk', by: 'olga' });
    const region = { service: 'orders.test', region: 'eu' };
    const { changes } = world.run({ op: 'override', target: region, override: { mode: 'maintenance', reason: 'x' } });
    // The override and the one that it changes; the other's own stands.
    expect(changes.map(changeName).sort()).toEqual([instanceName(other), 'services/orders.test/regions/eu/override']);
    world.run({ op: 'override', target: { instance: id }, override: { mode: 'serving', reason: 'the one we keep' } });
    expect(world.get(id)).toMatchObject({ passing: true, weight: 3 });
    expect(world.get(other)).toMatchObject({ passing: false, mode: 'maintenance' });
    world.run({ op: 'override', target: region, override: undefined });
    expect(world.get(other)).toMatchObject({ passing: true, mode: 'serving' });
  });

  test('a lease that ran out begins anew with a registration of the same content', () => {
    const world = new World();
    const id = world.register(ORDERS);
    world.run({ op: 'status', id, generation: 1, status: 'critical', reason: 'gone', proven: true });
    expect(world.get(id).passing).toBe(false);
    world.register(ORDERS);
    expect(world.get(id)).toMatchObject({ passing: true, generation: 1 });
  });

  test('where only the catalog may register, the refusal says what is missing', () => {
    const decision = new World().try([{ ...registering(ORDERS), mustBeInCatalog: true }]);
    expect(decision).toMatchObject({ ok: false, refusal: { code: 'invalid', errors: [{ pointer: '/service' }] } });
  });
});

test('a change says to every selector whether an item has come, changed or stopped matching', () => {
  const random = new Random(7);
  const pick = <T>(...all: readonly T[]): T => all[Math.floor(random.next() * all.length)] as T;
  const selectors: Selector[] = [
    { kind: 'instance' },
    { kind: '*' },
    { kind: 'instance', passing: true },
    { kind: '*', services: ['a.test'] },
    { kind: 'instance', services: ['a.test', 'b.test'], passing: false },
    { kind: 'instance', environments: [''] },
    { kind: 'instance', environments: ['prod'], protocols: ['http'] },
    { kind: 'instance', versions: ['v1', ''] },
    { kind: '*', regions: ['eu'] },
    { kind: 'instance', tags: { zone: 'a' } },
    { kind: 'override' },
  ];
  const world = new World();
  const ids = new Set<string>();
  for (let step = 0; step < 1500; step++) {
    const before = selectors.map((selector) => new Set(Array.from(select(world.view, selector), ({ name }) => name)));
    const id = pick(...ids, 'x');
    const item = world.view.get(instanceName(id));
    const generation = item?.kind === 'instance' ? item.value.generation : 0;
    const body = {
      service: pick('a.test', 'b.test', 'c.test'),
      protocol: pick('http', 'grpc'),
      address: '10.0.0.1',
      port: pick(1, 2, 3),
      ...pick({}, { environment: 'prod' }),
      ...pick({}, { version: 'v1' }, { version: 'v2' }),
      ...pick({}, { region: 'eu' }, { region: 'us' }),
      tags: pick({}, { zone: 'a' }, { zone: 'b' }),
      check: pick<object>({ type: 'ttl' }, HTTP),
    };
    const status = pick('passing', 'warning', 'critical');
    const edit = pick<InstanceEdit>(
      registering(body),
      registering(body),
      { op: 'status', id, generation, status, reason: 'r', proven: pick(true, false) },
      { op: 'status', id, generation, status, reason: 'r', proven: true },
      { op: 'deregister', id },
      {
        op: 'override',
        target: { service: body.service, region: pick('eu', '-') },
        override: pick(undefined, { mode: pick('drain', 'serving'), reason: 'r' }),
      },
    );
    if (edit.op === 'register') ids.add(edit.id);
    const { changes } = world.run(edit);
    selectors.forEach((selector, i) => {
      const was = before[i] ?? new Set();
      const is = new Set(Array.from(select(world.view, selector), ({ name }) => name));
      const told = new Map(
        changes.map((change) => [changeName(change), effectOn(selector, EVERYTHING, change, changeFacets(change))]),
      );
      for (const name of [...was, ...is]) {
        const change = told.get(name);
        if (is.has(name) !== was.has(name)) expect([name, change]).toEqual([name, is.has(name) ? 'put' : 'delete']);
        else if (told.has(name)) expect([name, change]).toEqual([name, 'put']);
      }
      for (const [name, effect] of told) if (!was.has(name) && !is.has(name)) expect(effect).toBeUndefined();
    });
  }
  expect(world.revision).toBeGreaterThan(500);
});

test('a duration has one shortest writing', () => {
  for (const [ms, text] of [
    [0, '0ms'],
    [1500, '1500ms'],
    [2000, '2s'],
    [120_000, '2m'],
    [7_200_000, '2h'],
  ] as const) {
    expect(formatDuration(ms)).toBe(text);
    expect(parseDuration(text)).toBe(ms);
  }
  for (const bad of ['', '1', 's', '1.5s', '-1s', '1d', ' 1s', '1S']) expect(parseDuration(bad)).toBeUndefined();
});
