import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { CATALOG_KINDS } from '../../src/domain/resources.ts';
import { MANIFEST, openEdge, openFilledEdge, type Edge } from './harness.ts';

let edge: Edge;
beforeAll(async () => {
  edge = await openFilledEdge();
});
afterAll(() => edge.app.close());

const get = (url: string, headers: Record<string, string> = {}) => edge.app.inject({ method: 'GET', url, headers });

interface List {
  readonly items: readonly { readonly name: string }[];
  readonly nextPageToken: string;
  readonly revision: number;
}
const names = (list: List): string[] => list.items.map((item) => item.name);

test.each(MANIFEST.map(({ name }) => name))(
  'reads %s as the view holds it, with its revision as ETag',
  async (name) => {
    const response = await get(`/v1/${name}`);
    expect(response.statusCode).toBe(200);
    expect(response.body).toBe(edge.catalog.view.get(name)?.json);
    expect(response.headers).toMatchObject({
      etag: '"1"',
      'content-type': 'application/json; charset=utf-8',
      'x-signalbox-revision': '1',
    });
  },
);

test('what the caller has already is not sent again', async () => {
  for (const held of ['"1"', 'W/"1"', '"7", "1"', '*']) {
    const response = await get('/v1/regions/us', { 'if-none-match': held });
    expect([response.statusCode, response.body, response.headers['etag']]).toEqual([304, '', '"1"']);
  }
  expect((await get('/v1/regions/us', { 'if-none-match': '"2"' })).statusCode).toBe(200);
});

test('HEAD says what GET would', async () => {
  const response = await edge.app.inject({ method: 'HEAD', url: '/v1/regions/us' });
  const body = edge.catalog.view.get('regions/us')?.json ?? '';
  expect([response.statusCode, response.body, response.headers['content-length']]).toEqual([
    200,
    '',
    String(body.length),
  ]);
});

test('what is not there is 404, and so is a name of another kind spelt with an encoded slash', async () => {
  for (const path of [
    'regions/nope',
    'services/iam.test/versions/v9',
    'services/iam.test%2Fversions%2Fv1',
    'regions/%00',
  ]) {
    const response = await get(`/v1/${path}`);
    expect(response.statusCode).toBe(404);
    expect(response.json()).toMatchObject({ type: '/problems/not-found', status: 404 });
  }
});

test('lists are in order of name; empty ones are lists too', async () => {
  const list: List = (await get('/v1/regions')).json();
  expect(names(list)).toEqual(['regions/eu', 'regions/us']);
  expect(list).toMatchObject({ nextPageToken: '', revision: 1 });
  expect((await get('/v1/bundles')).body).toBe('{"items":[],"nextPageToken":"","revision":1}');
  expect((await get('/v1/services/shop.test/resources')).json()).toEqual({ items: [], nextPageToken: '', revision: 1 });
});

test('a parent that is not there is 404, and - is every parent', async () => {
  expect((await get('/v1/services/nope.test/versions')).statusCode).toBe(404);
  const list: List = (await get('/v1/services/-/versions')).json();
  expect(names(list)).toEqual([
    'services/iam.test/versions/v1',
    'services/iam.test/versions/v2',
    'services/shop.test/versions/v1',
  ]);
  expect(names((await get('/v1/projects/-/service-accounts')).json())).toHaveLength(1);
});

test('filter, orderBy and pages go together', async () => {
  const url = '/v1/services/-/versions?filter=parent:iam&orderBy=id%20desc&pageSize=1';
  const first: List = (await get(url)).json();
  expect(names(first)).toEqual(['services/iam.test/versions/v2']);
  const second: List = (await get(`${url}&pageToken=${first.nextPageToken}`)).json();
  expect(names(second)).toEqual(['services/iam.test/versions/v1']);
  expect(second.nextPageToken).toBe('');
});

test('pages by name follow one another to the end', async () => {
  const seen: string[] = [];
  let token = '';
  do {
    const list: List = (await get(`/v1/services/-/versions?pageSize=2&pageToken=${token}`)).json();
    seen.push(...names(list));
    token = list.nextPageToken;
  } while (token !== '');
  expect(seen).toHaveLength(3);
  expect(new Set(seen).size).toBe(3);
});

test.each([
  ['filter=nme%3Dx', 'filter at character 1: there is no field "nme"'],
  ['orderBy=title%20up', 'orderBy at character 7: expected'],
  ['pageSize=0', 'pageSize must be at least 1'],
  ['pageSize=1001', 'pageSize must be at most 1000'],
  ['pageSize=ten', 'pageSize must be a whole number'],
  ['pageToken=abc', 'pageToken is not one that a list has answered'],
  ['filter=id%3Dx&filter=id%3Dy', 'filter is given more than once; give it once'],
  ['pagesize=1', 'pagesize is not a parameter of this route; there are filter, orderBy, pageSize, pageToken'],
  ['dryRun=true', 'dryRun is not a parameter of this route'],
])('a list with ?%s is refused', async (query, detail) => {
  const response = await get(`/v1/regions?${query}`);
  expect(response.statusCode).toBe(400);
  expect(response.json()).toMatchObject({ type: '/problems/invalid', detail: expect.stringContaining(detail) });
  expect(response.json().errors[0].parameter).toBe(query.split('=')[0]);
});

test('a page token of another list, filter or order is refused with its fix', async () => {
  const { nextPageToken }: List = (await get('/v1/services/-/versions?pageSize=1')).json();
  for (const url of [
    '/v1/services/iam.test/versions?x',
    '/v1/services/-/versions?filter=id:v',
    '/v1/services/-/versions?orderBy=id',
  ]) {
    const response = await get(`${url.replace('?x', '?pageSize=1')}&pageToken=${nextPageToken}`);
    expect(response.statusCode).toBe(400);
    expect(response.json().detail).toContain('belongs to a list with another path, filter or orderBy');
  }
});

test('a list answered from what is kept is the list as it is now', async () => {
  const own = await openFilledEdge();
  const read = async (): Promise<List> => (await own.app.inject('/v1/regions')).json() as List;
  expect((await read()).revision).toBe(1);
  await own.app.inject({ method: 'PUT', url: '/v1/projects/other', payload: { title: 'x' } });
  expect(await read()).toMatchObject({ revision: 2, items: [{ revision: 1 }, { revision: 1 }] });
  await own.app.inject({ method: 'PATCH', url: '/v1/regions/eu', payload: { title: 'y' } });
  expect(await read()).toMatchObject({ revision: 3, items: [{ title: 'y', revision: 3 }, { revision: 1 }] });
  expect(names((await own.app.inject('/v1/regions?pageSize=1')).json())).toEqual(['regions/eu']);
  expect(names(await read())).toEqual(['regions/eu', 'regions/us']);
  await own.app.close();
});

test('a read waits for the revision that the caller has seen, and no longer than it may', async () => {
  const own = await openFilledEdge();
  const headers = { 'x-signalbox-min-revision': '2' };
  const waiting = own.app.inject({ url: '/v1/regions', headers });
  await own.app.inject({ method: 'PUT', url: '/v1/regions/ap', payload: { title: 'x' } });
  const reached = await waiting;
  expect(reached.json().items).toHaveLength(3);
  expect(reached.headers['x-signalbox-revision']).toBe('2');
  const late = await own.app.inject({ url: '/v1/regions', headers: { 'x-signalbox-min-revision': '9' } });
  expect(late.statusCode).toBe(503);
  expect(late.headers['retry-after']).toBe('1');
  expect(late.json()).toMatchObject({ type: '/problems/revision-not-reached', retryAfter: 1 });
  for (const bad of ['x', '-1', '1.5', '', '9'.repeat(30)]) {
    const response = await own.app.inject({ url: '/v1/regions', headers: { 'x-signalbox-min-revision': bad } });
    expect(response.statusCode).toBe(400);
    expect(response.json().errors).toEqual([{ header: 'X-Signalbox-Min-Revision', detail: expect.any(String) }]);
  }
  await own.app.close();
});

test('PUSH7 what is not loaded yet is 503 and never an empty list', async () => {
  const own = await openEdge();
  own.catalog.ready = false;
  const urls = [
    '/v1/regions',
    '/v1/regions/us',
    '/v1/export',
    '/v1/coverage',
    '/v1/instances',
    '/v1/services/iam.test/instances',
    '/v1/overrides',
    '/v1/advisories',
    '/v1/changes?since=0',
    '/v1/state',
    '/readyz',
  ];
  for (const url of urls) {
    const response = await own.app.inject(url);
    expect([url, response.statusCode, response.headers['retry-after']]).toEqual([url, 503, '1']);
    expect(response.headers['x-signalbox-revision']).toBeUndefined();
  }
  const write = await own.app.inject({ method: 'PUT', url: '/v1/regions/us', payload: { title: 'x' } });
  expect(write.json()).toMatchObject({ type: '/problems/not-ready', retryAfter: 1 });
  expect((await own.app.inject('/livez')).statusCode).toBe(200);
  own.catalog.ready = true;
  expect((await own.app.inject('/readyz')).json()).toEqual({
    ready: true,
    epoch: 'e1',
    revision: 0,
    resources: 0,
    degraded: [],
  });
  await own.app.close();
});

test('every kind has its routes', () => {
  const urls = edge.app.routeTable.entries.filter((route) => route.method === 'PUT').map((route) => route.url);
  expect(urls.filter((url) => !url.endsWith('/override'))).toHaveLength(CATALOG_KINDS.length);
  expect(urls).toContain('/v1/services/:service/deployments/:region');
  expect(urls).toContain('/v1/projects/:project/service-accounts/:serviceAccount');
});
