import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Instance } from '../../src/domain/instances/instance.ts';
import { openFilledEdge, type Edge } from './harness.ts';

let edge: Edge;
beforeEach(async () => {
  edge = await openFilledEdge();
});
afterEach(() => edge.app.close());

const REGION = '/v1/services/orders.test/regions/us/override';
const DRAIN = { mode: 'drain', reason: 'kernel upgrade' };

const get = (url: string, headers: Record<string, string> = {}) => edge.app.inject({ url, headers });
const put = (url: string, payload: object) => edge.app.inject({ method: 'PUT', url, payload });
const lift = (url: string) => edge.app.inject({ method: 'DELETE', url });

async function register(port = 1, more: object = { region: 'us' }): Promise<string> {
  const body = { service: 'orders.test', protocol: 'http', address: '10.0.0.1', port, ...more };
  const response = await edge.app.inject({ method: 'POST', url: '/v1/instances', payload: body });
  if (response.statusCode >= 300) throw new Error(response.body);
  return (response.json() as { name: string }).name;
}

const valueOf = (name: string): Instance => edge.catalog.view.get(name)?.value as Instance;

test('an instance is drained and back in one revision each, and who did it is there to see', async () => {
  const name = await register();
  const set = await put(`/v1/${name}/override`, DRAIN);
  expect(set.statusCode).toBe(201);
  expect(set.headers).toMatchObject({ location: `/v1/${name}/override`, etag: '"3"', 'x-signalbox-revision': '3' });
  const resource = { service: 'orders.test', ...DRAIN, by: 'development', name: `${name}/override`, revision: 3 };
  expect(set.json()).toMatchObject({ ...resource, affected: 1 });
  expect(valueOf(name)).toMatchObject({
    passing: false,
    mode: 'drain',
    status: 'passing',
    override: { scope: 'instance', ...DRAIN, by: 'development' },
    revision: 3,
  });
  const read = await get(`/v1/${name}/override`);
  expect(read.json()).toMatchObject(resource);
  expect(read.headers['etag']).toBe('"3"');
  expect((await get(`/v1/${name}/override`, { 'if-none-match': '"3"' })).statusCode).toBe(304);
  const lifted = await lift(`/v1/${name}/override`);
  expect([lifted.statusCode, lifted.json()]).toEqual([
    200,
    { name: `${name}/override`, revision: 4, deleted: true, affected: 1 },
  ]);
  expect(valueOf(name)).toMatchObject({ passing: true, mode: 'serving' });
  expect((await get(`/v1/${name}/override`)).statusCode).toBe(404);
});

test('REV3 the same override again changes nothing', async () => {
  const name = await register();
  await put(`/v1/${name}/override`, DRAIN);
  const again = await put(`/v1/${name}/override`, DRAIN);
  expect([again.statusCode, again.json().affected, edge.catalog.head.revision]).toEqual([200, 0, 3]);
  expect((await put(`/v1/${name}/override`, { ...DRAIN, weight: 0 })).statusCode).toBe(200);
  expect(valueOf(name)).toMatchObject({ weight: 0, registeredWeight: 1 });
});

test('INS5 an override outlives the instance, and can be lifted while it is gone', async () => {
  const name = await register();
  await put(`/v1/${name}/override`, DRAIN);
  await lift(`/v1/${name}`);
  expect((await get(`/v1/${name}/override`)).statusCode).toBe(200);
  await register();
  expect(valueOf(name)).toMatchObject({ mode: 'drain', passing: false, generation: 5 });
  await lift(`/v1/${name}`);
  expect((await lift(`/v1/${name}/override`)).json()).toMatchObject({ deleted: true, affected: 0 });
  await register();
  expect(valueOf(name)).toMatchObject({ mode: 'serving', passing: true });
});

test('INS5 a region is drained as one, those that come later too, and an instance may say otherwise, field by field', async () => {
  const names = await Promise.all([1, 2, 3].map((port) => register(port)));
  const elsewhere = await register(4, { region: 'eu' });
  const [one = ''] = names;
  const before = edge.catalog.head.revision;
  const set = await put(REGION, { ...DRAIN, weight: 5 });
  expect([set.statusCode, set.json().affected, set.json().revision]).toEqual([201, 3, before + 1]);
  expect(names.map((name) => valueOf(name).passing)).toEqual([false, false, false]);
  expect(valueOf(elsewhere)).toMatchObject({ passing: true, weight: 1 });
  const late = await register(5);
  expect(valueOf(late)).toMatchObject({ mode: 'drain', weight: 5, override: { scope: 'region' } });
  expect((await put(`/v1/${one}/override`, { mode: 'serving', reason: 'canary' })).json().affected).toBe(1);
  expect(valueOf(one)).toMatchObject({ passing: true, weight: 5, override: { scope: 'instance', reason: 'canary' } });
  await lift(`/v1/${one}`);
  await register(1);
  expect(valueOf(one)).toMatchObject({ passing: true, weight: 5 });
  expect((await lift(REGION)).json()).toMatchObject({ deleted: true, affected: 4 });
  expect(valueOf(one)).toMatchObject({ passing: true, weight: 1, override: { scope: 'instance' } });
});

test('instances without a region are one, too', async () => {
  const name = await register(1, {});
  const url = '/v1/services/orders.test/regions/-/override';
  const set = await put(url, { weight: 3, reason: 'x' });
  expect([set.statusCode, set.headers['location'], set.json().affected]).toEqual([201, url, 1]);
  expect(valueOf(name).weight).toBe(3);
  expect((await get(url)).json()).toMatchObject({ region: '-', weight: 3 });
});

test('the guard is let go for a region, which needs no mode', async () => {
  const set = await put(REGION, { evictionGuard: false, reason: 'they are dead' });
  expect([set.statusCode, set.json()]).toEqual([201, expect.objectContaining({ evictionGuard: false, affected: 0 })]);
  const name = await register();
  expect((await put(`/v1/${name}/override`, { evictionGuard: false, reason: 'x' })).json().errors).toEqual([
    { pointer: '/evictionGuard', detail: expect.stringContaining('not known here') },
  ]);
});

test('COV5 a dry run answers what the write would, and changes nothing', async () => {
  const name = await register();
  for (const [url, body] of [
    [`/v1/${name}/override`, DRAIN],
    [REGION, DRAIN],
  ] as const) {
    const { revision } = edge.catalog.head;
    const dry = await put(`${url}?dryRun=true`, body);
    expect([dry.headers['x-signalbox-dry-run'], dry.headers['x-signalbox-revision']]).toEqual([
      'true',
      String(revision),
    ]);
    expect((await get(url)).statusCode).toBe(404);
    expect(edge.catalog.head.revision).toBe(revision);
    const wet = await put(url, body);
    expect([wet.statusCode, wet.json()]).toEqual([dry.statusCode, dry.json()]);
    const dryLift = await lift(`${url}?dryRun=true`);
    expect((await get(url)).statusCode).toBe(200);
    expect((await lift(url)).json()).toEqual(dryLift.json());
  }
});

test('where there is nothing to lift, or no such instance, it is 404', async () => {
  const name = await register();
  for (const response of [
    await lift(`/v1/${name}/override`),
    await lift(REGION),
    await lift(`/v1/instances/${'0'.repeat(24)}/override`),
    await put(`/v1/instances/${'0'.repeat(24)}/override`, DRAIN),
    await get(REGION),
    await get('/v1/services/orders.test/regions/x%2Fy/override'),
  ]) {
    expect([response.statusCode, response.json().type]).toEqual([404, '/problems/not-found']);
  }
  expect(edge.catalog.head.revision).toBe(2);
});

test.each<[path: string, parameter: string]>([
  ['instances/x', 'instance'],
  ['instances/us', 'instance'],
  ['services/A/regions/us', 'service'],
  ['services/-/regions/us', 'service'],
  ['services/a.test/regions/US', 'region'],
  [`services/a.test/regions/${'1'.repeat(24)}`, 'region'],
  ['services/a.test/regions/a%2Foverride', 'region'],
])('there is no override of %s', async (path, parameter) => {
  for (const response of [await put(`/v1/${path}/override`, DRAIN), await lift(`/v1/${path}/override`)]) {
    expect(response.statusCode).toBe(400);
    expect(response.json().errors).toEqual([{ parameter, detail: expect.any(String) }]);
  }
});

test('what was read can be sent back, and who set it is who sent it', async () => {
  const name = await register();
  await put(`/v1/${name}/override`, DRAIN);
  const read = (await edge.app.inject({ url: `/v1/${name}/override` })).json();
  const again = await put(`/v1/${name}/override`, { ...read, by: 'somebody else' });
  expect(again.json()).toMatchObject({ revision: read.revision, by: 'development', affected: 0 });
});

test.each<[what: string, body: object, pointer: string, says: string]>([
  ['no reason', { mode: 'drain' }, '/reason', 'is required'],
  ['an empty reason', { mode: 'drain', reason: '' }, '/reason', 'must not be empty'],
  ['a reason that lies to terminals', { mode: 'drain', reason: '\u001b[2J' }, '/reason', 'control characters'],
  ['nothing to set', { reason: 'x' }, '', 'must set'],
  ['an unknown mode', { mode: 'off', reason: 'x' }, '/mode', 'serving, drain, maintenance'],
  ['a weight too large', { weight: 65_536, reason: 'x' }, '/weight', 'at most 65535'],
  ['half a weight', { weight: 0.5, reason: 'x' }, '/weight', 'integer'],
  ['a list', [], '', 'object'],
])('%s is refused, naming the field', async (_what, body, pointer, says) => {
  const name = await register();
  for (const url of [`/v1/${name}/override`, REGION]) {
    const response = await put(url, body);
    expect(response.statusCode).toBe(400);
    expect(response.json().errors).toEqual([{ pointer, detail: expect.stringContaining(says) }]);
  }
  expect(edge.catalog.head.revision).toBe(2);
});

test('all overrides are one list, with filters and pages', async () => {
  const name = await register();
  await put(`/v1/${name}/override`, DRAIN);
  await put(REGION, { weight: 2, reason: 'y' });
  const names = async (query: string): Promise<string[]> =>
    ((await get(`/v1/overrides${query}`)).json().items as { name: string }[]).map((item) => item.name);
  const region = 'services/orders.test/regions/us/override';
  expect(await names('')).toEqual([`${name}/override`, region]);
  expect(await names('?filter=mode%20%3D%20drain')).toEqual([`${name}/override`]);
  expect(await names('?filter=region%20%3D%20us')).toEqual([region]);
  const page = (await get('/v1/overrides?pageSize=1')).json();
  expect(await names(`?pageToken=${page.nextPageToken}`)).toEqual([region]);
});
