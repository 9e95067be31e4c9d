import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { LightMyRequestResponse } from 'fastify';
import { ADMIN } from '../domain/world.ts';
import { AT, openEdge, openFilledEdge, type Edge } from './harness.ts';

let edge: Edge;
const open = async (): Promise<void> => {
  edge = await openFilledEdge();
};
const close = (): Promise<void> => edge.app.close();

function fresh(): void {
  beforeEach(open);
  afterEach(close);
}

/** For tests that change nothing. */
function shared(): void {
  beforeAll(open);
  afterAll(close);
}

const ORDERS = { service: 'orders.test', protocol: 'http', address: '10.0.0.1', port: 8080 };

const post = (url: string, payload?: object | string, headers: Record<string, string> = {}) =>
  edge.app.inject({ method: 'POST', url, headers, ...(payload !== undefined && { payload }) });
const register = (payload: object) => post('/v1/instances', payload);
const get = (url: string) => edge.app.inject({ url });
const remove = (url: string) => edge.app.inject({ method: 'DELETE', url });

interface Registered {
  readonly id: string;
  readonly name: string;
  readonly generation: number;
  readonly revision: number;
}

async function registered(more: object = {}): Promise<Registered> {
  const response = await register({ ...ORDERS, ...more });
  if (response.statusCode >= 300) throw new Error(response.body);
  return response.json();
}

/** What the checks of another room would find. */
const find = (id: string, generation: number, status: 'passing' | 'critical', proven = true) =>
  edge.catalog.execute({
    caller: ADMIN,
    at: AT,
    instances: [{ op: 'status', id, generation, status, reason: 'Found.', proven }],
  });

const problemOf = (response: LightMyRequestResponse) =>
  response.json() as { readonly type: string; readonly detail: string; readonly errors?: readonly unknown[] };

describe('registering', () => {
  fresh();

  test('answers what the instance has to know, and the whole of what its callers see', async () => {
    const response = await register(ORDERS);
    expect(response.statusCode).toBe(201);
    const answer = response.json();
    expect(answer).toMatchObject({ generation: 2, revision: 2, lease: '30s', detectionBound: '31s' });
    expect(answer.id).toMatch(/^[0-9a-f]{24}$/);
    expect(answer.name).toBe(`instances/${answer.id}`);
    expect(answer.instance).toEqual(edge.catalog.view.get(answer.name)?.value);
    expect(answer.instance).toMatchObject({ ...ORDERS, passing: true, status: 'passing', mode: 'serving', weight: 1 });
    expect(response.headers).toMatchObject({ location: `/v1/${answer.name}`, 'x-signalbox-revision': '2' });
  });

  test('a check that Signalbox makes has no lease, a bound of its own, and nothing to call until it passes (INS1)', async () => {
    const answer = (await register({ ...ORDERS, check: { type: 'http' } })).json();
    expect(answer.lease).toBeUndefined();
    expect(answer).toMatchObject({ detectionBound: '24s', instance: { passing: false, status: 'critical' } });
  });

  test('REV3 the same content again is no revision, with the defaults written out or left out, and renews the lease', async () => {
    const first = await registered();
    const full = {
      ...ORDERS,
      weight: 1,
      tags: {},
      metadata: {},
      check: { type: 'ttl', ttl: '30000ms', initialStatus: 'passing', deregisterAfter: '600s' },
    };
    for (const body of [ORDERS, full, { ...full, check: { type: 'ttl' } }]) {
      const again = await register(body);
      expect([again.statusCode, again.headers['location']]).toEqual([200, undefined]);
      expect(again.json()).toMatchObject({ id: first.id, generation: 2, revision: 2 });
    }
    expect(edge.catalog.head.revision).toBe(2);
    expect(edge.leases.renewed).toEqual([first.id, first.id, first.id]);
  });

  test('an id is made of the identity alone: whatever else changes, it stays', async () => {
    const { id } = await registered();
    for (const more of [{ version: 'v2' }, { region: 'us' }, { tags: { zone: 'a' } }, { check: { type: 'tcp' } }]) {
      expect(await registered(more)).toMatchObject({ id, generation: 2 });
    }
    const others = [
      { service: 'o.test' },
      { environment: 'prod' },
      { protocol: 'grpc' },
      { port: 1 },
      { address: 'h' },
    ];
    const ids = await Promise.all(others.map(async (more) => (await registered(more)).id));
    expect(new Set([id, ...ids]).size).toBe(others.length + 1);
    const six = await registered({ address: '2001:DB8:0:0::1' });
    expect(await registered({ address: '2001:db8::1' })).toEqual(six);
  });

  test('INS6 whoever was at the address before is out of service in the same revision, until it shows that it is there', async () => {
    const before = await registered();
    const after = await registered({ service: 'shop.test' });
    expect(edge.catalog.entries.at(-1)?.changes).toHaveLength(2);
    const read = async (): Promise<unknown> => (await get(`/v1/${before.name}`)).json();
    expect(await read()).toMatchObject({ passing: false, displacedBy: after.name, revision: after.revision });
    await find(before.id, before.generation, 'passing', false);
    expect(await read()).toMatchObject({ passing: false });
    await find(before.id, before.generation, 'passing');
    expect(await read()).toMatchObject({ passing: true });
    expect(await read()).not.toHaveProperty('displacedBy');
  });

  test('INS6 after it was gone it is of another generation, and what was found out about the old one is not held against it', async () => {
    const old = await registered();
    await remove(`/v1/${old.name}`);
    const now = await registered();
    expect([now.id, now.generation]).toEqual([old.id, 4]);
    await find(old.id, old.generation, 'critical');
    expect((await get(`/v1/${now.name}`)).json()).toMatchObject({ status: 'passing', generation: 4 });
  });

  test('with REGISTRATION=catalog what the catalog does not have is refused, naming the field', async () => {
    const own = await openFilledEdge({}, { mustBeInCatalog: true });
    const pointer = async (more: object): Promise<unknown> => {
      const response = await own.app.inject({ method: 'POST', url: '/v1/instances', payload: { ...ORDERS, ...more } });
      return response.statusCode === 201 ? 201 : response.json().errors[0].pointer;
    };
    expect(await pointer({})).toBe('/service');
    expect(await pointer({ service: 'iam.test', region: 'eu' })).toBe('/region');
    expect(await pointer({ service: 'iam.test', region: 'us' })).toBe(201);
    expect(await pointer({ service: 'shop.test' })).toBe(201);
    await own.app.close();
  });

  test('a key of the metadata that names the prototype is a key', async () => {
    const body = `${JSON.stringify(ORDERS).slice(0, -1)},"metadata":{"__proto__":"x"}}`;
    const response = await post('/v1/instances', body, { 'content-type': 'application/json' });
    expect(response.statusCode).toBe(201);
    expect(response.body).toContain('"metadata":{"__proto__":"x"}');
  });

  test('SEC4 an address that is not called may register with a lease', async () => {
    expect((await register({ ...ORDERS, address: '169.254.169.254' })).statusCode).toBe(201);
  });

  test('a dead database is a 503 that can be sent again', async () => {
    const { RegistryUnavailable } = await import('../../src/registry/errors.ts');
    edge.catalog.failure = new RegistryUnavailable('store-unavailable', 2);
    for (const response of [await register(ORDERS), await remove(`/v1/instances/${'0'.repeat(24)}`)]) {
      expect([response.statusCode, response.headers['retry-after']]).toEqual([503, '2']);
    }
  });
});

const http = (more: object): object => ({ check: { type: 'http', ...more } });

describe('a registration that cannot be is a 400 that names the field', () => {
  shared();

  test.each<[what: string, more: object, pointer: string, says: string]>([
    ['an address out of range', { address: '999.1.1.1' }, '/address', 'IP address'],
    ['a URL', { address: 'http://x' }, '/address', 'without scheme'],
    ['brackets', { address: '[::1]' }, '/address', 'without brackets'],
    ['a network', { address: '10.0.0.1/8' }, '/address', 'IP address'],
    ['a space', { address: 'a b' }, '/address', 'host name'],
    ['no address', { address: '' }, '/address', 'IP address'],
    ['upper case', { address: 'Host.example' }, '/address', 'lower case'],
    ['an address with a port', { address: 'h:80' }, '/address', 'port'],
    ['a zone', { address: 'fe80::1%eth0' }, '/address', 'IP address'],
    ['SEC4 a metadata address', { address: '169.254.169.254', ...http({}) }, '/address', 'SEC4'],
    ['port 0', { port: 0 }, '/port', 'at least 1'],
    ['port 65536', { port: 65_536 }, '/port', 'at most 65535'],
    ['a port as text', { port: '80' }, '/port', 'not a string'],
    ['half a port', { port: 1.5 }, '/port', 'integer'],
    ['a slash in the service', { service: 'a/b' }, '/service', 'domain name'],
    ['dots as the service', { service: '..' }, '/service', 'domain name'],
    ['upper case in the service', { service: 'Orders.test' }, '/service', 'lower-case'],
    ['a service of 300 characters', { service: 'a'.repeat(300) }, '/service', '253'],
    ['an unknown field', { adress: 'x' }, '/adress', 'not known here'],
    ['a field of the answer', { status: 'passing' }, '/status', 'not known here'],
    ['an environment of nothing', { environment: '' }, '/environment', '1 to 64'],
    ['a protocol with a scheme', { protocol: 'http://' }, '/protocol', 'protocol'],
    ['a weight below 0', { weight: -1 }, '/weight', 'at least 0'],
    ['an unknown check', { check: { type: 'udp' } }, '/check/type', 'one of ttl, http, tcp, grpc'],
    ['a check without a type', { check: {} }, '/check/type', 'one of ttl, http, tcp, grpc'],
    ['a check that is none', { check: 'ttl' }, '/check', 'object'],
    ['another check’s field', { check: { type: 'tcp', path: '/' } }, '/check/path', 'not known here'],
    [
      'a timeout over the interval',
      http({ interval: '1s', timeout: '2s' }),
      '/check/timeout',
      'longer than the interval',
    ],
    ['a ttl of nothing', { check: { type: 'ttl', ttl: '0s' } }, '/check/ttl', 'from 500ms to 24h'],
    ['a ttl of a year', { check: { type: 'ttl', ttl: '1 year' } }, '/check/ttl', 'duration'],
    ['a ttl of 9000 hours', { check: { type: 'ttl', ttl: '9000h' } }, '/check/ttl', 'from 500ms to 24h'],
    ['a credential', http({ headers: { Authorization: 'x' } }), '/check/headers/Authorization', 'credentials'],
    ['a split header', http({ headers: { a: 'x\r\nb: y' } }), '/check/headers/a', 'printable'],
    ['statuses backwards', http({ expectedStatuses: ['299-200'] }), '/check/expectedStatuses', 'ends before'],
    ['a status of 999', http({ expectedStatuses: ['999'] }), '/check/expectedStatuses/0', 'status such as'],
    ['a path without a slash', http({ path: 'health' }), '/check/path', 'begins with "/"'],
    ['a path that splits', http({ path: '/ HTTP/1.1' }), '/check/path', 'without spaces'],
    ['tags that nest', { tags: { a: { b: 'c' } } }, '/tags/a', 'string'],
    ['tags in a list', { tags: ['a'] }, '/tags', 'object'],
    ['metadata that nests', { metadata: { a: ['x'] } }, '/metadata/a', 'string'],
    ['an escape in the metadata', { metadata: { a: '\u001b[31m' } }, '/metadata/a', 'control characters'],
    ['a newline in a key', { metadata: { 'a\nb': 'x' } }, '/metadata', 'control characters'],
    ['a direction override in a tag', { tags: { a: '\u202ex' } }, '/tags/a', 'direction'],
    [
      '65 entries',
      { metadata: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [i, ''])) },
      '/metadata',
      '64 entries',
    ],
    [
      '65 tags',
      { tags: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`a${i}`, ''])) },
      '/tags',
      '64 entries',
    ],
    [
      '40,000 characters',
      {
        metadata: {
          a: 'x'.repeat(8000),
          b: 'x'.repeat(8000),
          c: 'x'.repeat(8000),
          d: 'x'.repeat(8000),
          e: 'x'.repeat(8000),
        },
      },
      '/metadata',
      'at most 32768 characters',
    ],
  ])('%s', async (_what, more, pointer, says) => {
    const response = await register({ ...ORDERS, ...more });
    expect([response.statusCode, response.body.slice(0, 400)]).toEqual([400, expect.anything()]);
    const problem = problemOf(response);
    expect(problem).toMatchObject({
      type: '/problems/invalid',
      errors: [{ pointer, detail: expect.stringContaining(says) }],
    });
    expect(response.body.length).toBeLessThan(1500);
    expect(edge.catalog.head.revision).toBe(1);
  });

  test.each<[what: string, body: string, pointer: string]>([
    ['tags', '"tags":{"__proto__":{"a":"b"}}', '/tags'],
    ['tags as text', '"tags":{"__proto__":"b"}', '/tags'],
    ['metadata', '"metadata":{"__proto__":{"a":"b"}}', '/metadata/__proto__'],
    ['the registration', '"__proto__":{"a":"b"}', '/__proto__'],
    ['the check', '"check":{"type":"ttl","__proto__":{}}', '/check/__proto__'],
  ])('the prototype in %s', async (_what, part, pointer) => {
    const body = `${JSON.stringify(ORDERS).slice(0, -1)},${part}}`;
    const response = await post('/v1/instances', body, { 'content-type': 'application/json' });
    expect(response.statusCode).toBe(400);
    expect(problemOf(response).errors).toEqual([{ pointer, detail: expect.any(String) }]);
    expect(({} as { a?: unknown }).a).toBeUndefined();
  });

  test.each<[what: string, body: string, status: number, type: string]>([
    [
      'a megabyte of metadata',
      JSON.stringify({ ...ORDERS, metadata: { a: 'x'.repeat(1024 * 1024) } }),
      413,
      'too-large',
    ],
    ['nothing', '', 400, 'malformed-body'],
    ['half of it', '{"service":', 400, 'malformed-body'],
    ['a list', '[]', 400, 'invalid'],
    ['null', 'null', 400, 'invalid'],
  ])('%s', async (_what, body, status, type) => {
    const response = await post('/v1/instances', body, { 'content-type': 'application/json' });
    expect([response.statusCode, problemOf(response).type]).toEqual([status, `/problems/${type}`]);
  });

  test('a field that is missing is said to be, and what it is', async () => {
    for (const field of ['service', 'protocol', 'address', 'port'] as const) {
      const { [field]: _, ...rest } = ORDERS;
      expect(problemOf(await register(rest)).errors).toEqual([
        { pointer: `/${field}`, detail: expect.stringContaining('is required') },
      ]);
    }
  });
});

describe('renewing', () => {
  fresh();

  test('with or without a body, whatever its type is said to be, and without a revision (REV3)', async () => {
    const { id, generation } = await registered();
    edge.leases.renewed.length = 0;
    const json = { 'content-type': 'application/json' };
    const requests: [payload: string | undefined, headers: Record<string, string>][] = [
      [undefined, {}],
      ['', json],
      ['', { 'content-type': 'application/x-www-form-urlencoded' }],
      ['{}', json],
      [JSON.stringify({ generation }), json],
    ];
    for (const [payload, headers] of requests) {
      const response = await post(`/v1/instances/${id}/renew`, payload, headers);
      expect([response.statusCode, response.body]).toEqual([204, '']);
      expect(response.headers['x-signalbox-revision']).toBe('2');
    }
    expect(edge.leases.renewed).toHaveLength(requests.length);
    expect(edge.catalog.head.revision).toBe(2);
  });

  test('what is not there, or of another generation, is told to register again', async () => {
    const { id } = await registered();
    for (const [path, payload] of [
      ['0'.repeat(24), {}],
      ['x', {}],
      [id, { generation: 1 }],
    ] as const) {
      const response = await post(`/v1/instances/${path}/renew`, payload);
      expect(response.statusCode).toBe(404);
      expect(problemOf(response)).toMatchObject({
        type: '/problems/not-found',
        detail: expect.stringContaining('POST /v1/instances'),
      });
    }
  });

  test.each<[payload: string, status: number]>([
    ['{"generation":"2"}', 400],
    ['{"generation":1.5}', 400],
    ['{"generations":2}', 400],
    ['{"__proto__":2}', 400],
    ['[]', 400],
    ['null', 400],
    ['{', 400],
    [`{"generation":${' '.repeat(2000)}2}`, 413],
  ])('%.30s is refused', async (payload, status) => {
    const { id } = await registered();
    const response = await post(`/v1/instances/${id}/renew`, payload, { 'content-type': 'application/json' });
    expect(response.statusCode).toBe(status);
    expect((await post(`/v1/instances/${id}/renew`, 'x', { 'content-type': 'text/plain' })).statusCode).toBe(415);
  });

  test('many at once: each is renewed or not, whatever becomes of the others', async () => {
    const a = await registered();
    const b = await registered({ port: 2 });
    edge.leases.renewed.length = 0;
    const gone = '0'.repeat(24);
    const instances = [a.id, { id: b.id, generation: b.generation }, gone, { id: a.id, generation: 99 }, { id: b.id }];
    const response = await post('/v1/instances/renew', { instances });
    expect([response.statusCode, response.json()]).toEqual([200, { renewed: 3, unknown: [gone, a.id] }]);
    expect(edge.leases.renewed).toEqual([a.id, b.id, b.id]);
    expect((await post('/v1/instances/renew', { instances: [] })).json()).toEqual({ renewed: 0, unknown: [] });
  });

  test('ten thousand at once, and no more', async () => {
    const { id, generation } = await registered();
    const many = (length: number) => ({ instances: Array.from({ length }, () => ({ id, generation })) });
    expect((await post('/v1/instances/renew', many(10_000))).json()).toEqual({ renewed: 10_000, unknown: [] });
    const response = await post('/v1/instances/renew', many(10_001));
    expect(response.statusCode).toBe(400);
    expect(problemOf(response).errors).toEqual([{ pointer: '/instances', detail: 'must have at most 10000 entries' }]);
  });

  test.each<[body: unknown, pointer: string]>([
    [[], ''],
    [{}, '/instances'],
    [{ instances: {} }, '/instances'],
    [{ instances: [1] }, '/instances/0'],
    [{ instances: ['x'] }, '/instances/0'],
    [{ instances: ['0'.repeat(24), { id: 'x' }] }, '/instances/1/id'],
    [{ instances: [{ id: '0'.repeat(24), generation: '1' }] }, '/instances/0/generation'],
    [{ instances: [{ id: '0'.repeat(24), gen: 1 }] }, '/instances/0'],
    [{ instances: [], all: true }, ''],
  ])('many at once: %j is refused', async (body, pointer) => {
    const response = await post('/v1/instances/renew', body as object);
    expect(response.statusCode).toBe(400);
    expect(problemOf(response).errors).toEqual([{ pointer, detail: expect.any(String) }]);
  });

  test('a node that keeps no leases says so', async () => {
    const { id } = await registered();
    edge.leases.enabled = false;
    for (const response of [
      await post(`/v1/instances/${id}/renew`),
      await post('/v1/instances/renew', { instances: [id] }),
    ]) {
      expect(response.statusCode).toBe(503);
      expect(problemOf(response)).toMatchObject({
        type: '/problems/health-checks-off',
        detail: expect.stringContaining('HEALTH_CHECKS=off'),
      });
    }
  });
});

describe('deregistering', () => {
  fresh();

  test('is told at once, and a second time it is gone already', async () => {
    const { id, name } = await registered();
    const response = await remove(`/v1/instances/${id}`);
    expect([response.statusCode, response.json()]).toEqual([200, { name, revision: 3, deleted: true }]);
    expect(response.headers['x-signalbox-revision']).toBe('3');
    expect((await get(`/v1/${name}`)).statusCode).toBe(404);
    const again = await remove(`/v1/instances/${id}`);
    expect(again.statusCode).toBe(404);
    expect(problemOf(again).detail).toContain('gone already');
    expect(edge.catalog.head.revision).toBe(3);
  });

  test('INS6 with a generation, it is that one or none', async () => {
    const { id, generation } = await registered();
    expect((await remove(`/v1/instances/${id}?generation=${generation + 1}`)).statusCode).toBe(404);
    expect((await remove(`/v1/instances/${id}?generation=${generation}`)).statusCode).toBe(200);
  });

  test.each([
    ['x', 'instance'],
    [`${'0'.repeat(24)}?generation=x`, 'generation'],
    [`${'0'.repeat(24)}?gen=1`, 'gen'],
  ])('%s is refused', async (path, parameter) => {
    const response = await remove(`/v1/instances/${path}`);
    expect(response.statusCode).toBe(400);
    expect(problemOf(response).errors).toEqual([{ parameter, detail: expect.any(String) }]);
  });
});

describe('reading', () => {
  fresh();

  test('an instance, with what its checks have found, its deployment and the guard', async () => {
    const { id, name } = await registered({ service: 'iam.test', region: 'us' });
    const { value } = edge.catalog.view.get(name) ?? {};
    const report = { lastChecks: [], consecutivePasses: 0, consecutiveFailures: 0 };
    const response = await get(`/v1/instances/${id}`);
    expect(response.json()).toEqual({ ...value, report, deployment: 'services/iam.test/deployments/us' });
    expect(response.headers['etag']).toBeUndefined();
    const guard = { service: 'iam.test', region: 'us', held: 3, until: '2026-01-15T00:05:00.000Z' };
    edge.leases.held.push({ ...guard, region: '-' }, guard);
    expect((await get(`/v1/instances/${id}`)).json()).toMatchObject({ guard });
  });

  test('an instance that the catalog knows nothing of, of a node without checks, is what it is', async () => {
    const plain = await registered();
    expect((await get(`/v1/${plain.name}`)).json()).not.toHaveProperty('deployment');
    const bare = await openFilledEdge({
      monitoring: {
        enabled: false,
        renew: () => false,
        attach: () => undefined,
        detach: () => undefined,
        report: () => undefined,
        guards: () => [],
      },
    });
    const made = await bare.app.inject({ method: 'POST', url: '/v1/instances', payload: ORDERS });
    const { name } = made.json() as Registered;
    expect((await bare.app.inject(`/v1/${name}`)).body).toBe(bare.catalog.view.get(name)?.json);
    await bare.app.close();
  });

  test('what is not there is 404', async () => {
    for (const path of ['0'.repeat(24), 'x', `${'0'.repeat(24)}%2Foverride`]) {
      expect((await get(`/v1/instances/${path}`)).statusCode).toBe(404);
    }
  });

  test('lists take filters, orders and pages', async () => {
    const a = await registered({ port: 1, region: 'us', tags: { zone: 'a' } });
    const b = await registered({ port: 2, region: 'us', tags: { zone: 'b' } });
    const c = await registered({ port: 3, tags: { zone: 'a' }, check: { type: 'http', path: '/h' } });
    const list = async (query: string): Promise<string[]> => {
      const response = await get(`/v1/instances?${query}`);
      if (response.statusCode !== 200) throw new Error(response.body);
      return (response.json().items as { id?: string; name: string }[]).map((item) => item.name);
    };
    const filter = (text: string): Promise<string[]> => list(`orderBy=port&filter=${encodeURIComponent(text)}`);
    expect(await list('orderBy=port%20desc')).toEqual([c.name, b.name, a.name]);
    expect(await filter('status = critical and tags.zone = a')).toEqual([c.name]);
    expect(await filter('passing = true')).toEqual([a.name, b.name]);
    expect(await filter('passing = true and not tags.zone = a')).toEqual([b.name]);
    expect(await filter('region = us and port in (2, 3)')).toEqual([b.name]);
    expect(await filter('region != us')).toEqual([c.name]);
    expect(await filter('check.type = http')).toEqual([c.name]);
    expect(await filter('check.path : /h')).toEqual([c.name]);
    expect(await filter(`id = ${a.id}`)).toEqual([a.name]);
    expect(await filter('generation = 3')).toEqual([b.name]);
    const first = (await get('/v1/instances?pageSize=2')).json();
    expect(first.items).toHaveLength(2);
    const rest = (await get(`/v1/instances?pageSize=2&pageToken=${first.nextPageToken}`)).json();
    expect([rest.items.length, rest.nextPageToken]).toEqual([1, '']);
    const names = [...first.items, ...rest.items].map((item: { name: string }) => item.name);
    expect(names).toEqual([a.name, b.name, c.name].sort());
    const wrong = await get('/v1/instances?filter=labels.zone%20%3D%20a');
    expect(wrong.json().detail).toContain('there is no field "labels.zone"; there are name, id');
  });

  test('GET /v1/coverage says where nothing lives, and what lives where nothing is deployed', async () => {
    await registered({ service: 'iam.test', region: 'us' });
    await registered({ port: 2 });
    const all = (await get('/v1/coverage')).json();
    expect(all).toMatchObject({
      deployedWithoutLiveInstance: [{ service: 'shop.test', region: 'us' }],
      liveWithoutDeployment: [
        { service: 'orders.test', region: '-', instances: { total: 1, passing: 1 }, inCatalog: false },
      ],
      revision: 3,
    });
    expect(all.services[0].regions.us).toMatchObject({ instances: { total: 1, passing: 1 }, live: true });
    expect((await get('/v1/coverage?service=iam.test')).json()).toMatchObject({
      deployedWithoutLiveInstance: [],
      liveWithoutDeployment: [],
    });
    expect((await get('/v1/coverage?service=orders.test&region=-')).json().liveWithoutDeployment).toHaveLength(1);
    for (const query of ['service=nope.test', 'region=nope', 'service=iam.test&region=nope']) {
      expect((await get(`/v1/coverage?${query}`)).statusCode).toBe(404);
    }
  });

  test('advisories are listed and read', async () => {
    const advisory = { code: 'eviction-guard', service: 'iam.test', region: 'us', message: 'Held.' };
    const id = 'eviction-guard.iam.test.us';
    await edge.catalog.execute({ caller: ADMIN, at: AT, instances: [{ op: 'advise', id, advisory }] });
    const list = (await get('/v1/advisories?filter=code%20%3D%20eviction-guard')).json();
    expect(list).toMatchObject({ items: [{ name: `advisories/${id}`, ...advisory }], nextPageToken: '' });
    expect((await get(`/v1/advisories/${id}`)).json()).toEqual(list.items[0]);
    expect((await get('/v1/advisories/x')).statusCode).toBe(404);
  });
});

describe('before the view is loaded', () => {
  fresh();

  test('PUSH7 nothing is registered, renewed or found before the view is loaded', async () => {
    edge.catalog.ready = false;
    const id = '0'.repeat(24);
    for (const [method, url] of [
      ['POST', '/v1/instances'],
      ['POST', `/v1/instances/${id}/renew`],
      ['POST', '/v1/instances/renew'],
      ['DELETE', `/v1/instances/${id}`],
      ['GET', '/v1/instances'],
      ['GET', `/v1/instances/${id}`],
      ['GET', '/v1/services/iam.test/instances'],
      ['GET', '/v1/overrides'],
      ['GET', '/v1/advisories'],
      ['GET', `/v1/instances/${id}/override`],
      ['PUT', '/v1/services/iam.test/regions/us/override'],
    ] as const) {
      const response = await edge.app.inject({ method, url, ...(method === 'PUT' && { payload: {} }) });
      expect([method, url, response.statusCode, problemOf(response).type]).toEqual([
        method,
        url,
        503,
        '/problems/not-ready',
      ]);
    }
  });
});

test('COV5 a dry run of a registration answers what it would be, and changes nothing', async () => {
  const { app, catalog } = await openEdge();
  const payload = { service: 'orders.test', protocol: 'http', address: '10.0.0.1', port: 80 };
  const dry = await app.inject({ method: 'POST', url: '/v1/instances?dryRun=true', payload });
  expect([dry.statusCode, dry.headers['x-signalbox-dry-run'], catalog.head.revision]).toEqual([201, 'true', 0]);
  const real = await app.inject({ method: 'POST', url: '/v1/instances', payload });
  expect(real.json()).toEqual(dry.json());
  const url = `/v1/instances/${real.json().id}?dryRun=true`;
  expect((await app.inject({ method: 'DELETE', url })).json()).toMatchObject({ deleted: true, revision: 2 });
  expect(catalog.head.revision).toBe(1);
  await app.close();
});
