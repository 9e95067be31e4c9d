import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Response } from 'light-my-request';
import { RegistryUnavailable, type UnavailableCode } from '../../src/registry/errors.ts';
import { ACCOUNT, openFilledEdge, type Edge } from './harness.ts';

let edge: Edge;
beforeEach(async () => {
  edge = await openFilledEdge();
});
afterEach(() => edge.app.close());

type Method = 'PUT' | 'PATCH' | 'DELETE' | 'POST';
const send = (
  method: Method,
  url: string,
  payload?: object | string,
  headers: Record<string, string> = {},
): Promise<Response> =>
  edge.app.inject({ method, url: `/v1/${url}`, headers, ...(payload !== undefined && { payload }) });

const jsonHeader = { 'content-type': 'application/json' };

test('PUT creates with 201 and Location, then replaces with 200, then changes nothing', async () => {
  const created = await send('PUT', 'regions/ap', { title: 'Asia', labels: { a: 'b' } });
  expect(created.statusCode).toBe(201);
  expect(created.headers).toMatchObject({ location: '/v1/regions/ap', etag: '"2"', 'x-signalbox-revision': '2' });
  expect(created.body).toBe(edge.catalog.view.get('regions/ap')?.json);
  const replaced = await send('PUT', 'regions/ap', { title: 'Asia' });
  expect([replaced.statusCode, replaced.headers['etag'], replaced.headers['location']]).toEqual([
    200,
    '"3"',
    undefined,
  ]);
  expect(replaced.json().labels).toEqual({});
  const again = await send('PUT', 'regions/ap', replaced.json());
  expect([again.statusCode, again.headers['etag'], again.headers['x-signalbox-revision']]).toEqual([200, '"3"', '3']);
});

test('PATCH merges, in either media type, and 404s on what is not there', async () => {
  const merge = { 'content-type': 'application/merge-patch+json' };
  const patched = await send('PATCH', 'regions/us', '{"labels":{"tier":null,"x":"y"}}', merge);
  expect(patched.json()).toMatchObject({ title: 'United States', labels: { x: 'y' }, revision: 2 });
  expect((await send('PATCH', 'regions/us', { title: 'US' })).json()).toMatchObject({ title: 'US', revision: 3 });
  expect((await send('PATCH', 'regions/nope', { title: 'x' })).statusCode).toBe(404);
  expect((await send('PUT', 'regions/us', '{}', merge)).statusCode).toBe(415);
});

test('DELETE says what it deleted and at which revision', async () => {
  const response = await send('DELETE', 'regions/eu');
  expect(response.json()).toEqual({ name: 'regions/eu', revision: 2, deleted: true });
  expect(response.headers['x-signalbox-revision']).toBe('2');
  expect((await send('DELETE', 'regions/eu')).statusCode).toBe(404);
});

test('If-Match and If-None-Match hold or 412 says what is there', async () => {
  const stale = await send('PUT', 'regions/us', { title: 'x' }, { 'if-match': '"9"' });
  expect(stale.statusCode).toBe(412);
  expect(stale.json()).toMatchObject({ type: '/problems/precondition-failed', revision: 1 });
  expect((await send('PUT', 'regions/us', { title: 'x' }, { 'if-match': '"1"' })).statusCode).toBe(200);
  expect((await send('PUT', 'regions/us', { title: 'y' }, { 'if-match': '*' })).statusCode).toBe(200);
  expect((await send('PUT', 'regions/nope', { title: 'y' }, { 'if-match': '*' })).statusCode).toBe(412);
  expect((await send('PUT', 'regions/us', { title: 'z' }, { 'if-none-match': '*' })).statusCode).toBe(412);
  expect((await send('PUT', 'regions/new', { title: 'z' }, { 'if-none-match': '*' })).statusCode).toBe(201);
  expect((await send('PATCH', 'regions/us', { title: 'z' }, { 'if-match': '"1"' })).statusCode).toBe(412);
  expect((await send('DELETE', 'regions/eu', undefined, { 'if-match': '"2"' })).statusCode).toBe(412);
  expect((await send('DELETE', 'regions/eu', undefined, { 'if-match': '"1"' })).statusCode).toBe(200);
});

test.each<Record<string, string>>([
  { 'if-match': '1' },
  { 'if-match': 'W/"1"' },
  { 'if-match': '"1", "2"' },
  { 'if-match': '"x"' },
  { 'if-match': '' },
  { 'if-none-match': '"1"' },
  { 'if-match': '*', 'if-none-match': '*' },
])('a precondition that cannot be read is refused, not passed over: %j', async (headers) => {
  const response = await send('PUT', 'regions/us', { title: 'x' }, headers);
  expect(response.statusCode).toBe(400);
  expect(edge.catalog.head.revision).toBe(1);
});

test('COV2 a refused change is 409 with every violation and a fix, and nothing changes', async () => {
  const response = await send('DELETE', 'services/iam.test/deployments/us');
  expect(response.statusCode).toBe(409);
  expect(response.headers['content-type']).toBe('application/problem+json; charset=utf-8');
  expect(response.json()).toMatchObject({
    type: '/problems/conflict',
    status: 409,
    violations: [
      { rule: 'COV1', importer: 'shop.test', imported: 'iam.test', region: 'us', fix: { path: expect.any(String) } },
    ],
  });
  expect(edge.catalog.head.revision).toBe(1);
});

test('COV2 the fix of a violation is a request that works as it is written', async () => {
  await send('PUT', 'services/shop.test/deployments/eu', { regionalEndpoint: 'eu.shop.test', currentVersion: 'v1' });
  const { violations } = (
    await send('PUT', 'services/shop.test/deployments/eu', {
      regionalEndpoint: 'eu.shop.test',
      currentVersion: 'v1',
    })
  ).json() as { violations: { fix: { method: Method; path: string; body?: object } }[] };
  expect(violations).toHaveLength(1);
  for (const { fix } of violations) {
    const fixed = await edge.app.inject({ method: fix.method, url: fix.path, ...(fix.body && { payload: fix.body }) });
    expect(fixed.statusCode).toBeLessThan(300);
  }
  const retried = await send('PUT', 'services/shop.test/deployments/eu', {
    regionalEndpoint: 'eu.shop.test',
    currentVersion: 'v1',
  });
  expect(retried.statusCode).toBe(201);
});

test('warnings come along with the resource only when there are any, and may be sent back', async () => {
  const odd = await send('PUT', 'services/iam.test/deployments/us', {
    regionalEndpoint: 'elsewhere.test',
    currentVersion: 'v1',
  });
  expect(odd.statusCode).toBe(200);
  expect(odd.json()).toMatchObject({ regionalEndpoint: 'elsewhere.test', warnings: [{ code: expect.any(String) }] });
  expect((await send('PUT', 'services/iam.test/deployments/us', odd.json())).statusCode).toBe(200);
  const fine = await send('PUT', 'services/iam.test/deployments/us', {
    regionalEndpoint: 'us.iam.test',
    currentVersion: 'v1',
  });
  expect(fine.json()).not.toHaveProperty('warnings');
});

const service = { displayName: 'x', globalEndpoint: 'x.test', primaryRegion: 'us' };

test.each<[what: string, method: Method, url: string, body: object | undefined]>([
  ['a creation', 'PUT', 'regions/ap', { title: 'Asia' }],
  ['a creation with a warning and an assigned id', 'PUT', 'services/new.test', { ...service, creator: ACCOUNT }],
  ['a replacement', 'PUT', 'regions/us', { title: 'US' }],
  ['no change', 'PATCH', 'regions/us', {}],
  ['a patch', 'PATCH', 'services/iam.test', { labels: { team: null } }],
  ['a deletion', 'DELETE', 'regions/eu', undefined],
  ['a conflict', 'DELETE', 'services/iam.test', undefined],
  ['an invalid document', 'PUT', 'regions/us', { titel: 'x' }],
  ['a resource that is not there', 'DELETE', 'regions/nope', undefined],
])('COV5 a dry run of %s answers what the write answers, and changes nothing', async (_what, method, url, body) => {
  const before = edge.catalog.head.revision;
  const dry = await send(method, `${url}?dryRun=true`, body);
  expect(edge.catalog.head.revision).toBe(before);
  expect(edge.catalog.view.size).toBe(12);
  const real = await send(method, url, body);
  const answer = ({ statusCode, headers, body: text }: Response): object => {
    const { etag, location } = headers;
    const type = headers['content-type'];
    return { statusCode, etag, location, type, body: { ...JSON.parse(text), requestId: undefined } };
  };
  expect(answer(dry)).toEqual(answer(real));
  expect(dry.headers['x-signalbox-dry-run']).toBe(dry.statusCode < 300 ? 'true' : undefined);
  expect(dry.headers['x-signalbox-revision']).toBe('1');
});

test.each<[body: string, detail: string]>([
  ['', 'The body is not JSON: it ends too early, at line 1, column 1.'],
  ['{', 'The body is not JSON: it ends too early, at line 1, column 2.'],
  ['{"title": tru}', 'The body is not JSON: "t" is not expected at line 1, column 11.'],
  ['{"title": "x",\n  }', 'The body is not JSON: "}" is not expected at line 2, column 3.'],
  ['{"title": "x"} {}', 'The body is not JSON: "{" is not expected at line 1, column 16.'],
  ['{"title": "a\tb"}', 'The body is not JSON: "\\t" is not expected at line 1, column 13.'],
  ["{'title': 1}", 'The body is not JSON: "\'" is not expected at line 1, column 2.'],
  ['[1,]', 'The body is not JSON: "]" is not expected at line 1, column 4.'],
  ['{"a":"\\x"}', 'The body is not JSON: "x" is not expected at line 1, column 8.'],
  ['{"a":01}', 'The body is not JSON: "0" is not expected at line 1, column 6.'],
])('a body that is not JSON is refused with the place: %j', async (body, detail) => {
  const response = await send('PUT', 'regions/us', body, jsonHeader);
  expect(response.statusCode).toBe(400);
  expect(response.json()).toMatchObject({ type: '/problems/malformed-body', detail });
});

test.each<[code: UnavailableCode, retryAfter: number]>([
  ['store-unavailable', 2],
  ['outcome-unknown', 2],
  ['overloaded', 1],
  ['draining', 5],
])('a registry that cannot write answers 503 %s with Retry-After', async (code, retryAfter) => {
  edge.catalog.failure = new RegistryUnavailable(code, retryAfter);
  for (const response of [
    await send('PUT', 'regions/us', { title: 'x' }),
    await send('POST', 'apply', [{ name: 'regions/us', title: 'x' }]),
  ]) {
    expect(response.statusCode).toBe(503);
    expect(response.headers['retry-after']).toBe(String(retryAfter));
    expect(response.json()).toMatchObject({ type: `/problems/${code}`, retryAfter });
  }
});

test('a mistake of the server is masked', async () => {
  edge.catalog.failure = new Error('password=hunter2');
  const response = await send('PUT', 'regions/us', { title: 'x' }, { 'x-request-id': 'abc-1' });
  expect(response.statusCode).toBe(500);
  expect(response.body).not.toContain('hunter2');
  expect(response.json()).toMatchObject({ type: '/problems/internal', requestId: 'abc-1' });
});

test('CAT2 a service names its creator, and REF1 the rest of what it refers to', async () => {
  const nobody = await send('PUT', 'services/new.test', service);
  expect(nobody.json()).toMatchObject({
    status: 400,
    errors: [{ pointer: '/creator', detail: expect.stringContaining('service account') }],
  });
  const nowhere = await send('PUT', 'services/new.test', { ...service, creator: ACCOUNT, primaryRegion: 'mars' });
  expect(nowhere.statusCode).toBe(409);
});
