import { describe, expect, test } from '@jest/globals';
import { Response } from 'undici';
import type { Select } from '../../../src/protocol/frames.ts';
import type { ServiceChange } from '../../../src/sdk/api.ts';
import type { FetchInit } from '../../../src/sdk/calling/options.ts';
import type { Targets } from '../../../src/sdk/discovery/endpoint.ts';
import type { ServiceOptions } from '../../../src/sdk/discovery/options.ts';
import { createServices, type ServiceDeps } from '../../../src/sdk/discovery/service.ts';
import { instance, instances, TestSource } from './support.ts';

const ID = 'orders.example.com';

function harness(about: Partial<ServiceDeps> = {}) {
  const sources: TestSource[] = [];
  const selects: Select[] = [];
  const targets: Targets[] = [];
  const errors: object[] = [];
  const warnings: object[] = [];
  const closedCallers: Targets[] = [];
  const services = createServices({
    source: (select) => {
      selects.push(select);
      const source = new TestSource();
      sources.push(source);
      return source;
    },
    caller: (called) => {
      targets.push(called);
      return {
        fetch: () => Promise.reject(new Error('not in this test')),
        close: () => void closedCallers.push(called),
      };
    },
    now: () => 0,
    random: () => 0.5,
    addresses: new Set(),
    overrides: {},
    env: {},
    log: { info: () => {}, warn: (warning) => void warnings.push(warning), error: (error) => void errors.push(error) },
    ...about,
  });
  const open = (options?: ServiceOptions) => {
    const service = services.service(ID, options);
    return { service, source: sources.at(-1) as TestSource };
  };
  return { services, open, sources, selects, targets, errors, warnings, closedCallers };
}

const code = (expected: string) => expect.objectContaining({ code: expected }) as unknown as Error;

describe('a list', () => {
  test('PUSH7 before the first one there is an error, not an empty answer', () => {
    const { service, source } = harness().open();
    expect(service.state).toBe('loading');
    expect(() => service.pick()).toThrow(code('not-ready'));
    expect(() => service.instances()).toThrow(code('not-ready'));
    source.holds([]);
    expect(service.pick()).toBeUndefined();
    expect(service.instances()).toEqual([]);
  });

  test('PUSH7 a call before the first one waits for it, and has what is left of its time', async () => {
    const called: (FetchInit | undefined)[] = [];
    let now = 0;
    const caller: ServiceDeps['caller'] = () => ({
      fetch: (_path, init) => {
        called.push(init);
        return Promise.resolve(new Response());
      },
      close: () => {},
    });
    const { service, source } = harness({ caller, now: () => now }).open({ timeoutMs: 700 });
    const calls = [service.fetch('/a'), service.fetch('/b', { timeoutMs: 200, method: 'PUT' })];
    expect(source.waits).toEqual([700, 200]);
    now = 150;
    await Promise.resolve();
    expect(called).toEqual([]);
    source.holds(instances(1));
    await Promise.all(calls);
    expect(called).toEqual([{ timeoutMs: 550 }, { timeoutMs: 50, method: 'PUT' }]);
    await service.fetch('/c');
    expect([called[2], source.waits.length]).toEqual([undefined, 2]);
  });

  test('the last instance gone is reported as none, never the old list', () => {
    const { service, source } = harness().open();
    const changes: ServiceChange[] = [];
    service.on('change', (change) => changes.push(change));
    source.holds(instances(1));
    expect(service.pick()?.url).toBe('http://10.0.0.0:8080');
    source.holds([]);
    expect(service.pick()).toBeUndefined();
    expect(service.instances()).toEqual([]);
    expect(changes.at(-1)).toEqual({ instances: [], added: [], removed: instances(1), changed: [] });
  });

  test('while the source is stale the old list serves, visibly, until it is older than maxAge', () => {
    const { service, source } = harness().open({ maxAge: 60_000 });
    source.holds(instances(2));
    source.tell({ state: 'stale', age: 60_000 });
    expect(service).toMatchObject({ state: 'stale', age: 60_000 });
    expect(service.pick()).toBeDefined();
    // Nothing tells of time that passes.
    source.age = 60_001;
    expect(() => service.pick()).toThrow(code('stale'));
    expect(() => service.instances()).toThrow(code('stale'));
    source.tell({ state: 'live', age: 0 });
    expect(service.pick()).toBeDefined();
  });

  test('without maxAge the old list serves for as long as it takes; a maxAge of the client holds as well', () => {
    const { service, source } = harness().open();
    source.holds(instances(2));
    source.tell({ state: 'stale', age: 1e9 });
    expect(service.pick()).toBeDefined();
    const bounded = harness({ maxAge: 1000 }).open();
    bounded.source.holds(instances(2));
    bounded.source.tell({ state: 'stale', age: 1001 });
    expect(() => bounded.service.pick()).toThrow(code('stale'));
  });
});

describe('changes', () => {
  test('tell who came, who left and who is another than before; nothing is told where nothing changed', () => {
    const { service, source } = harness().open();
    const changes: ServiceChange[] = [];
    const stop = service.on('change', (change) => changes.push(change));
    source.holds(instances(2));
    const next = [instance(0, { revision: 2, weight: 3 }), instance(1, { generation: 2, revision: 2 })];
    source.holds(next);
    source.tell({ state: 'stale' });
    source.holds([...next]);
    expect(changes).toEqual([
      { instances: instances(2), added: instances(2), removed: [], changed: [] },
      { instances: next, added: [next[1]], removed: [instance(1)], changed: [next[0]] },
    ]);
    stop();
    source.holds([]);
    expect(changes).toHaveLength(2);
  });

  test('INS6 the caller is told of each endpoint that is gone, before anybody hears of the change', () => {
    const { open, targets } = harness();
    const { service, source } = open();
    const told: string[] = [];
    targets[0]?.onGone(({ instance: { generation } }) => told.push(`gone ${generation}`));
    service.on('change', () => told.push('change'));
    source.holds([instance(0)]);
    source.holds([instance(0, { generation: 2 })]);
    expect(told).toEqual(['change', 'gone 1', 'change']);
  });

  test('an error in a listener is logged, and stops nobody', () => {
    const { open, errors } = harness();
    const { service, source } = open();
    let heard = 0;
    service.on('change', () => {
      throw new Error('mine');
    });
    service.on('change', () => (heard += 1));
    source.holds(instances(1));
    expect(heard).toBe(1);
    expect(errors).toEqual([{ service: ID, err: new Error('mine') }]);
  });
});

describe('what is watched', () => {
  test('the instances that can be called, as the options select', () => {
    const { open, selects } = harness({ environment: 'prod' });
    open();
    open({ environment: '', version: '2.1', protocol: 'grpc', region: 'eu', tags: { tier: 'gold' } });
    expect(selects).toEqual([
      { kind: 'instance', services: [ID], passing: true, protocols: ['http', 'https'], environments: ['prod'] },
      {
        kind: 'instance',
        services: [ID],
        passing: true,
        protocols: ['grpc'],
        environments: [''],
        versions: ['2.1'],
        regions: ['eu'],
        tags: { tier: 'gold' },
      },
    ]);
  });

  test('an overridden service asks nobody', async () => {
    const { open, sources } = harness({ env: { ORDERS_URL: 'http://localhost:3000,http://localhost:3001' } });
    const { service } = open({ balance: 'round-robin' });
    await service.ready();
    const urls = [service.pick(), service.pick()].map((endpoint) => endpoint?.url);
    expect(new Set(urls)).toEqual(new Set(['http://localhost:3000', 'http://localhost:3001']));
    expect(sources).toEqual([]);
  });

  test.each([
    [{ balance: 'best' }, 'balance is "best"'],
    [{ locality: 'far' }, 'locality is "far"'],
    [{ locality: { overflow: 0.5 } }, 'locality.overflow is 0.5'],
    [{ slowStart: { from: 0 } }, 'slowStart.from is 0'],
    [{ ejection: { maxShare: 2 } }, 'ejection.maxShare is 2'],
    [{ ejection: { minLive: 0 } }, 'ejection.minLive is 0'],
    [{ maxAge: -1 }, 'maxAge is -1'],
    [{ latencyDecayMs: NaN }, 'latencyDecayMs is NaN'],
  ])('%j is a clear error, before anything is watched', (options, message) => {
    const { open, sources } = harness();
    expect(() => open(options as ServiceOptions)).toThrow(message);
    expect(sources).toEqual([]);
  });
});

describe('users of one service', () => {
  test('share one watch where id and options are equal, in whatever order they are written', () => {
    const { open, sources } = harness();
    open({ balance: 'weighted', locality: { region: 'eu', zone: 'a' } });
    open({ locality: { zone: 'a', region: 'eu' }, balance: 'weighted' });
    expect(sources).toHaveLength(1);
    open({ balance: 'weighted' });
    expect(sources).toHaveLength(2);
  });

  test('close for themselves; with the last one the watch and its connections end', () => {
    const { open, sources, targets, closedCallers } = harness();
    const first = open().service;
    const second = open().service;
    const source = sources[0] as TestSource;
    source.holds(instances(2));
    let heard = 0;
    first.on('change', () => (heard += 1));
    first.close();
    first.close();
    source.holds(instances(1));
    expect(heard).toBe(0);
    expect(() => first.pick()).toThrow(code('stopped'));
    expect(() => first.instances()).toThrow(code('stopped'));
    expect(first.state).toBe('closed');
    expect(second.pick()).toBeDefined();
    expect([source.state, closedCallers]).toEqual(['live', []]);
    second.close();
    expect([source.state, source.listeners, closedCallers]).toEqual(['closed', 0, targets]);
    open();
    expect(sources).toHaveLength(2);
  });

  test('are all closed with the client', async () => {
    const { services, open, closedCallers } = harness();
    const { service, source } = open();
    source.holds(instances(2));
    services.close();
    expect(closedCallers).toHaveLength(1);
    expect(() => service.pick()).toThrow(code('stopped'));
    service.close();
    expect(closedCallers).toHaveLength(1);
    await expect(service.ready()).rejects.toThrow(code('stopped'));
  });
});

test('who asks for a service anew at each call, with a new function, is warned', () => {
  const { open, warnings, sources } = harness();
  const trace = () => ({});
  for (let n = 0; n < 50; n++) open({ trace });
  expect([sources.length, warnings]).toEqual([1, []]);
  for (let n = 0; n < 50; n++) open({ trace: () => ({}) });
  expect([sources.length, warnings]).toEqual([51, [{ service: ID, count: 20 }]]);
});

test('a time that is none is refused before anything is waited for, and options before anything is watched', async () => {
  const { services, open, sources } = harness();
  const { service, source } = open();
  await expect(service.fetch('/', { timeoutMs: NaN })).rejects.toMatchObject({ code: 'invalid-options' });
  expect(source.waits).toEqual([]);
  expect(() => services.service(ID, { timeoutMs: NaN })).toThrow(code('invalid-options'));
  expect(sources).toHaveLength(1);
});
