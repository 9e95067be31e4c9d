import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { gzipSync } from 'node:zlib';
import type { InjectOptions } from 'fastify';
import { openFilledEdge, type Edge } from './harness.ts';

let edge: Edge;
beforeAll(async () => {
  edge = await openFilledEdge();
});
afterAll(() => edge.app.close());

const json = { 'content-type': 'application/json' };
const put = (
  payload: string | Buffer,
  headers: Record<string, string> = json,
  url = '/v1/regions/us',
): InjectOptions => ({
  method: 'PUT',
  url,
  headers,
  payload,
});
const get = (url: string, headers: Record<string, string> = {}): InjectOptions => ({ method: 'GET', url, headers });
const title = JSON.stringify({ title: 'x' });

test.each<[what: string, request: InjectOptions, status: number, type: string]>([
  ['a URL of 9 kB', get(`/v1/regions?filter=${'x'.repeat(9000)}`), 414, 'uri-too-long'],
  ['a part of a path of 500 characters', get(`/v1/regions/${'x'.repeat(500)}`), 414, 'uri-too-long'],
  ['a path of a thousand parts', get(`/v1${'/x'.repeat(1000)}`), 404, 'unknown-path'],
  ['a path that is not encoded', get('/v1/regions/%zz'), 400, 'malformed-request'],
  ['a path that is not UTF-8', get('/v1/regions/%ff'), 400, 'malformed-request'],
  ['a null character in a path', get('/v1/regions/%00'), 404, 'not-found'],
  ['a null character in the path of a write', put(title, json, '/v1/regions/%00'), 400, 'invalid'],
  ['a newline in the path of a write', put(title, json, '/v1/regions/us%0a'), 400, 'invalid'],
  ['an encoded slash in the path of a write', put(title, json, '/v1/services/a%2Fversions%2Fv1'), 400, 'invalid'],
  ['the wildcard as the parent of a write', put('{}', json, '/v1/services/-/versions/v1'), 400, 'invalid'],
  ['dots as an id', put(title, json, '/v1/regions/%2e%2e'), 404, 'unknown-path'],
  ['a query that names the prototype', get('/v1/regions?__proto__=x'), 400, 'invalid'],
  ['a query that names the constructor', get('/v1/regions?constructor=x'), 400, 'invalid'],
  [
    'a query of a thousand parameters',
    get(`/v1/regions?${Array.from({ length: 1000 }, (_, i) => `a${i}`).join('&')}`),
    400,
    'invalid',
  ],
  ['a query that is not UTF-8', get('/v1/regions?filter=%ff'), 400, 'invalid'],
  ['a misspelt dry run', { method: 'DELETE', url: '/v1/regions/eu?dryrun=true' }, 400, 'invalid'],
  ['a dry run that is neither true nor false', { method: 'DELETE', url: '/v1/regions/eu?dryRun=1' }, 400, 'invalid'],
  ['a dry run of nothing', { method: 'DELETE', url: '/v1/regions/eu?dryRun' }, 400, 'invalid'],
  ['a filter of parentheses', get(`/v1/regions?filter=${'('.repeat(2048)}`), 400, 'invalid'],
  ['a filter too long', get(`/v1/regions?filter=${'x'.repeat(3000)}`), 400, 'invalid'],
  ['no body', put('', json), 400, 'malformed-body'],
  ['no body and no type', { method: 'PUT', url: '/v1/regions/us' }, 400, 'malformed-body'],
  ['a body without a type', put(title, {}), 415, 'unsupported-media-type'],
  ['a body of another type', put(title, { 'content-type': 'text/plain' }), 415, 'unsupported-media-type'],
  ['a type that is none', put(title, { 'content-type': 'json' }), 415, 'unsupported-media-type'],
  [
    'a type with a body in it',
    put(title, { 'content-type': `application/xml; x="${'y'.repeat(5000)}"` }),
    415,
    'unsupported-media-type',
  ],
  [
    'a form of a web page',
    put('title=x', { 'content-type': 'application/x-www-form-urlencoded' }),
    415,
    'unsupported-media-type',
  ],
  ['a compressed body', put(gzipSync(title), { ...json, 'content-encoding': 'gzip' }), 415, 'unsupported-media-type'],
  ['a body that is not UTF-8', put(Buffer.from([0x7b, 0xff, 0x7d])), 400, 'malformed-body'],
  ['half a character', put(Buffer.from('{"title":"é"}').subarray(0, 11)), 400, 'malformed-body'],
  ['a body of UTF-16', put(Buffer.from(title, 'utf16le')), 400, 'malformed-body'],
  ['a body too large', put(`{"title":"${'x'.repeat(70_000)}"}`), 413, 'too-large'],
  ['a body nested deeply', put('['.repeat(60_000)), 400, 'malformed-body'],
  ['an object nested deeply', put(`${'{"a":'.repeat(9000)}1${'}'.repeat(9000)}`), 400, 'invalid'],
  [
    'a patch nested deeply',
    { ...put(`${'{"labels":'.repeat(5000)}1${'}'.repeat(5000)}`), method: 'PATCH' },
    400,
    'invalid',
  ],
  [
    'a patch of the prototype',
    { ...put('{"__proto__":{"title":"x"},"labels":{"__proto__":{"x":"y"}}}'), method: 'PATCH' },
    200,
    '',
  ],
  ['a patch that is a list', { ...put('[]'), method: 'PATCH' }, 400, 'invalid'],
  ['a patch that is null', { ...put('null'), method: 'PATCH' }, 400, 'invalid'],
  ['a list', put('[]'), 400, 'invalid'],
  ['null', put('null'), 400, 'invalid'],
  ['a text', put('"x"'), 400, 'invalid'],
  ['a document with another name', put('{"name":"regions/eu","title":"x"}'), 400, 'invalid'],
  ['a document that names the prototype', put('{"title":"x","__proto__":{"x":1}}'), 400, 'invalid'],
  ['a lone surrogate', put('{"title":"\\ud800"}'), 400, 'invalid'],
  ['a control character', put('{"title":"\\u001b[31m"}'), 400, 'invalid'],
  [
    'a body with DELETE',
    { method: 'DELETE', url: '/v1/regions/eu', headers: json, payload: '{}' },
    415,
    'unsupported-media-type',
  ],
  [
    'a large body with DELETE',
    { method: 'DELETE', url: '/v1/regions/eu', headers: json, payload: 'x'.repeat(5000) },
    415,
    'unsupported-media-type',
  ],
  ['a body where nothing lives', { ...put('{'), url: '/v1/nope', method: 'POST' }, 404, 'unknown-path'],
  ['a body for a method that is not taken', { ...put('{'), method: 'POST' }, 405, 'method-not-allowed'],
  ['an unknown method', { method: 'TRACE' as 'GET', url: '/v1/regions' }, 405, 'method-not-allowed'],
])('%s is bounded and explained', async (_what, request, status, type) => {
  const before = edge.catalog.view.get('regions/us')?.json;
  const response = await edge.app.inject(request);
  expect([response.statusCode, response.body.slice(0, 300)]).toEqual([status, expect.anything()]);
  if (type === '') return;
  expect(response.headers['content-type']).toBe('application/problem+json; charset=utf-8');
  expect(response.json()).toMatchObject({
    type: `/problems/${type}`,
    status,
    detail: expect.any(String),
    requestId: expect.any(String),
  });
  expect(response.body.length).toBeLessThan(2000);
  expect(edge.catalog.view.get('regions/us')?.json).toBe(before);
});

test('a byte order mark before JSON is no fault', async () => {
  const body = Buffer.concat([
    Buffer.from([0xef, 0xbb, 0xbf]),
    Buffer.from(JSON.stringify({ title: 'Europe', location: { continent: 'Europe' } })),
  ]);
  expect((await edge.app.inject(put(body, json, '/v1/regions/eu'))).statusCode).toBe(200);
});

test('what is not taken is said together with what is', async () => {
  const of = async (request: InjectOptions): Promise<string> =>
    (await edge.app.inject(request)).json().detail as string;
  expect(await of(put(title, { 'content-type': 'text/plain' }))).toBe(
    'Content-Type "text/plain" is not taken; send application/json.',
  );
  expect(await of(put(title, {}))).toBe('The body has no Content-Type; send application/json.');
  expect(await of({ ...put(title, { 'content-type': 'text/csv' }, '/v1/apply'), method: 'POST' })).toContain(
    'application/json or application/x-ndjson or',
  );
  expect(await of({ method: 'DELETE', url: '/v1/regions/eu', headers: json, payload: '{}' })).toBe(
    'This route takes no body; send none.',
  );
  expect(await of(put(`"${'x'.repeat(70_000)}"`))).toBe(
    'The body has more than the 65536 bytes that this route takes.',
  );
});

test('a type without a body is no fault where no body is wanted', async () => {
  const response = await edge.app.inject({ method: 'DELETE', url: '/v1/regions/eu?dryRun=true', headers: json });
  expect(response.statusCode).toBe(200);
});
