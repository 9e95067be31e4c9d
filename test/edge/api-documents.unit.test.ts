import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Response } from 'light-my-request';
import { apiDocumentRoutes } from '../../src/edge/http/api-document-routes.ts';
import { MAX_API_DOCUMENT } from '../../src/protocol/api-document.ts';
import { DocumentDesk } from '../../src/registry/documents.ts';
import { RegistryUnavailable } from '../../src/registry/errors.ts';
import { StoreUnavailable } from '../../src/store/port.ts';
import { MemoryDocuments } from '../support/memory-documents.ts';
import { AT, openFilledEdge, type Edge } from './harness.ts';

const V1 = 'services/iam.test/versions/v1';
const DOCUMENT = { openapi: '3.1.0', info: { title: 'IAM', version: '1.2' }, paths: {} };
const TEXT = JSON.stringify(DOCUMENT);
const sha256Of = (text: string): string => createHash('sha256').update(text).digest('hex');
const JSON_TYPE = { 'content-type': 'application/json' };
const YAML_TYPE = { 'content-type': 'application/yaml' };

let edge: Edge;
let store: MemoryDocuments;
let clock: number;
let desk: DocumentDesk;
/** What the store rejects with. */
let away: Error | undefined;

beforeEach(async () => {
  clock = AT;
  away = undefined;
  store = new MemoryDocuments(
    () => clock,
    () => edge.catalog.view.all(),
    () => (away === undefined ? Promise.resolve() : Promise.reject(away)),
  );
  desk = new DocumentDesk({ store, registry: { execute: (...asked) => edge.catalog.execute(...asked) } });
  const state = {
    get view() {
      return edge.catalog.view;
    },
  };
  edge = await openFilledEdge({ plugins: [apiDocumentRoutes({ desk, state, clock: () => AT })] });
});
afterEach(() => edge.app.close());

type Method = 'PUT' | 'GET' | 'HEAD' | 'DELETE' | 'PATCH' | 'POST';
const send = (
  method: Method,
  url: string,
  payload?: string | object | Buffer,
  headers: Record<string, string> = {},
): Promise<Response> =>
  edge.app.inject({ method, url: `/v1/${url}`, headers, ...(payload !== undefined && { payload }) });
const publish = (text: string | Buffer = TEXT, headers = JSON_TYPE as Record<string, string>, query = '') =>
  send('PUT', `${V1}/document${query}`, text, headers);
const version = (): Record<string, unknown> =>
  JSON.parse(edge.catalog.view.get(V1)?.json ?? '{}') as Record<string, unknown>;

test('REV1 PUT publishes: the version has its digest in a revision of its own, and GET answers it to the byte', async () => {
  const text = ` ${TEXT}\n`;
  const response = await publish(text);
  const document = {
    sha256: sha256Of(text),
    bytes: text.length,
    format: 'json',
    openapi: '3.1.0',
    title: 'IAM',
    apiVersion: '1.2',
  };
  expect(response.statusCode).toBe(201);
  expect(response.json()).toEqual({ name: V1, revision: 2, document });
  const etag = `"${sha256Of(text)}"`;
  expect(response.headers).toMatchObject({ etag, location: `/v1/${V1}/document`, 'x-signalbox-revision': '2' });
  expect(version()).toMatchObject({ revision: 2, document });
  expect(edge.catalog.entries.at(-1)?.changes).toHaveLength(1);
  const read = await send('GET', `${V1}/document`);
  expect([read.statusCode, read.body, read.headers['etag'], read.headers['content-type']]).toEqual([
    200,
    text,
    etag,
    'application/json',
  ]);
  for (const tag of [etag, `"x", W/${etag}`, '*']) {
    const held = await send('GET', `${V1}/document`, undefined, { 'if-none-match': tag });
    expect([held.statusCode, held.body, held.headers['etag']]).toEqual([304, '', etag]);
  }
  expect((await send('GET', `${V1}/document`, undefined, { 'if-none-match': '"2"' })).statusCode).toBe(200);
  expect((await send('HEAD', `${V1}/document`)).headers['etag']).toBe(etag);
});

test('REV3 the same document once more makes no revision, another one does', async () => {
  await publish();
  const again = await publish();
  expect([again.statusCode, again.json().revision, edge.catalog.head.revision]).toEqual([200, 2, 2]);
  const other = await publish(TEXT.replace('1.2', '1.3'));
  expect([other.statusCode, other.json().revision, other.headers['location']]).toEqual([200, 3, undefined]);
});

test('YAML is told from JSON by its type, and handed out as YAML', async () => {
  const text = '# ours\nopenapi: 3.1.0\ninfo: &info\n  title: IAM\n  version: "1.2"\nx-info: *info\n';
  expect((await publish(text, { 'content-type': 'application/yaml; charset=utf-8' })).json()).toMatchObject({
    document: { format: 'yaml', title: 'IAM', apiVersion: '1.2' },
  });
  const read = await send('GET', `${V1}/document`);
  expect([read.body, read.headers['content-type']]).toEqual([text, 'application/yaml']);
  expect((await publish(TEXT, { 'content-type': 'application/openapi+json' })).statusCode).toBe(200);
  expect((await publish(TEXT, { 'content-type': 'text/html' })).statusCode).toBe(415);
});

test('DELETE withdraws', async () => {
  expect((await send('DELETE', `${V1}/document`)).statusCode).toBe(404);
  await publish();
  const gone = await send('DELETE', `${V1}/document`);
  expect(gone.json()).toEqual({ name: `${V1}/document`, revision: 3, deleted: true });
  expect(version()).not.toHaveProperty('document');
  expect((await send('GET', `${V1}/document`)).statusCode).toBe(404);
});

test('If-Match and If-None-Match are held against the document', async () => {
  const etag = `"${sha256Of(TEXT)}"`;
  const status = async (headers: Record<string, string>, text = TEXT): Promise<number> =>
    (await publish(text, { ...JSON_TYPE, ...headers })).statusCode;
  expect(await status({ 'if-match': etag })).toBe(412);
  expect(await status({ 'if-none-match': '*' })).toBe(201);
  expect(await status({ 'if-none-match': '*' })).toBe(412);
  expect(await status({ 'if-match': `"${'0'.repeat(64)}"` }, `${TEXT} `)).toBe(412);
  expect(await status({ 'if-match': etag }, `${TEXT} `)).toBe(200);
  expect(await status({ 'if-match': '*' })).toBe(200);
  const unreadable: Record<string, string>[] = [
    { 'if-match': '"2"' },
    { 'if-match': etag, 'if-none-match': '*' },
    { 'if-none-match': etag },
  ];
  for (const bad of unreadable) expect(await status(bad)).toBe(400);
  expect((await send('DELETE', `${V1}/document`, undefined, { 'if-match': `"${'0'.repeat(64)}"` })).statusCode).toBe(
    412,
  );
});

test('COV5 a dry run answers what the write would, and neither changes nor stores anything', async () => {
  const dry = await publish(TEXT, JSON_TYPE, '?dryRun=true');
  expect(dry.headers['x-signalbox-dry-run']).toBe('true');
  expect(edge.catalog.head.revision).toBe(1);
  expect(await store.read(sha256Of(TEXT))).toBeUndefined();
  const real = await publish();
  expect([dry.statusCode, dry.json()]).toEqual([real.statusCode, real.json()]);
  const dryGone = await send('DELETE', `${V1}/document?dryRun=true`);
  expect([dryGone.statusCode, edge.catalog.head.revision]).toEqual([200, 2]);
  expect((await send('DELETE', `${V1}/document`)).json()).toEqual(dryGone.json());
});

test('a version that is not there has no document', async () => {
  for (const url of ['services/iam.test/versions/v9/document', 'services/none.test/versions/v1/document']) {
    expect((await send('GET', url)).statusCode).toBe(404);
    expect((await send('PUT', url, TEXT, JSON_TYPE)).statusCode).toBe(404);
    expect((await send('DELETE', url)).statusCode).toBe(404);
  }
  expect((await send('PUT', 'services/iam.test/versions/one/document', TEXT, JSON_TYPE)).statusCode).toBe(400);
  expect((await send('GET', `${V1}%2fdocument`)).statusCode).toBe(404);
});

test('the version is written as ever: PUT and PATCH neither lose nor forge its document', async () => {
  await publish();
  const { document } = version();
  await send('PUT', V1, { labels: { a: 'b' } });
  expect(version()).toMatchObject({ document, labels: { a: 'b' } });
  await send('PATCH', V1, { labels: null, document: null });
  expect(version()).toMatchObject({ document, labels: {} });
  const forged = { ...(document as object), sha256: 'f'.repeat(64) };
  expect((await send('PUT', V1, { document: forged })).statusCode).toBe(200);
  expect((await send('PUT', V1, version())).statusCode).toBe(200);
  expect(version()).toMatchObject({ document, revision: 4 });
});

test('what is exported leaves it out, and applied again changes nothing', async () => {
  await publish();
  const exported = await send('GET', 'export');
  expect(exported.body).not.toContain('sha256');
  const applied = await send('POST', 'apply', exported.body, { 'content-type': 'application/x-ndjson' });
  expect(applied.json().summary).toEqual({ created: 0, updated: 0, deleted: 0, unchanged: 12 });
  expect(version()).toHaveProperty('document');
});

test('filters know it', async () => {
  await publish();
  const filter = encodeURIComponent('document.openapi = "3.1.0"');
  const listed = await send('GET', `services/-/versions?filter=${filter}`);
  expect(listed.json().items).toHaveLength(1);
});

describe('what breaks off in between', () => {
  test('a document that cannot be stored is had by no version', async () => {
    away = new StoreUnavailable('away');
    expect((await publish()).statusCode).toBe(503);
    expect([edge.catalog.head.revision, version()['document']]).toEqual([1, undefined]);
  });

  test('a document whose version could not be written is read by nobody, and removed when it is old', async () => {
    edge.catalog.failure = new RegistryUnavailable('outcome-unknown', 1);
    expect((await publish()).statusCode).toBe(503);
    edge.catalog.failure = undefined;
    expect(await store.read(sha256Of(TEXT))).toBeDefined();
    expect((await send('GET', `${V1}/document`)).statusCode).toBe(404);
    clock += 9 * 60_000;
    await desk.tidy();
    expect(await store.read(sha256Of(TEXT))).toBeDefined();
    clock += 2 * 60_000;
    await desk.tidy();
    expect(await store.read(sha256Of(TEXT))).toBeUndefined();
  });

  test('what a version has stays however old it is, and what it had goes', async () => {
    await publish();
    clock += 24 * 3_600_000;
    await desk.tidy();
    expect((await send('GET', `${V1}/document`)).body).toBe(TEXT);
    const next = `${TEXT} `;
    await publish(next);
    clock += 60_000;
    await desk.tidy();
    expect([await store.read(sha256Of(TEXT)), (await send('GET', `${V1}/document`)).body]).toEqual([undefined, next]);
  });

  test('a node that has not heard of the next document says that it is not ready', async () => {
    await publish();
    store.forget(sha256Of(TEXT));
    const response = await send('GET', `${V1}/document`);
    expect([response.statusCode, response.headers['retry-after']]).toEqual([503, '1']);
    expect((await publish()).statusCode).toBe(200);
    expect((await send('GET', `${V1}/document`)).body).toBe(TEXT);
  });

  test('a database that is away is 503, to who has it already it is 304', async () => {
    await publish();
    away = new StoreUnavailable('away');
    expect((await send('GET', `${V1}/document`)).statusCode).toBe(503);
    const etag = `"${sha256Of(TEXT)}"`;
    expect((await send('GET', `${V1}/document`, undefined, { 'if-none-match': etag })).statusCode).toBe(304);
  });
});

describe('hostile bodies', () => {
  const padded = (bytes: number): string => `${TEXT}${' '.repeat(bytes - TEXT.length)}`;
  const deep = (open: string, close: string, levels: number): string =>
    `{"openapi":"3.1.0","info":{"title":"t","version":"1"},"x":${open.repeat(levels)}0${close.repeat(levels)}}`;

  test('two MiB are taken, and not a byte more', async () => {
    expect((await publish(padded(MAX_API_DOCUMENT))).statusCode).toBe(201);
    const more = await publish(padded(MAX_API_DOCUMENT + 1));
    expect([more.statusCode, more.json().type]).toEqual([413, '/problems/too-large']);
    const yaml = await publish(`${TEXT}\n#${'x'.repeat(256 * 1024)}`, YAML_TYPE);
    expect([yaml.statusCode, yaml.json().detail]).toEqual([413, expect.stringContaining('JSON')]);
  });

  test.each<[what: string, text: string | Buffer, type: Record<string, string>, status: number]>([
    ['no JSON', '{"openapi":', JSON_TYPE, 400],
    ['nothing', '', JSON_TYPE, 400],
    ['no YAML', 'a: [', YAML_TYPE, 400],
    ['no YAML document', '# nothing', YAML_TYPE, 400],
    ['two YAML documents', `${TEXT}\n---\n${TEXT}`, YAML_TYPE, 413],
    ['no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), JSON_TYPE, 400],
    ['no API', '{"name":"services/iam.test"}', JSON_TYPE, 400],
    ['a number for a version', 'swagger: 2.0\ninfo: {title: t, version: "1"}', YAML_TYPE, 400],
    ['inherited fields', `{"__proto__":${TEXT}}`, JSON_TYPE, 400],
    ['inherited fields in YAML', `__proto__: ${TEXT}`, YAML_TYPE, 400],
    ['deep YAML', `openapi: 3.1.0\nx: ${'['.repeat(5000)}${']'.repeat(5000)}`, YAML_TYPE, 400],
    [
      'a bomb of aliases',
      `a: &a [x]\n${Array.from({ length: 101 }, (_, i) => `b${i}: *a`).join('\n')}`,
      YAML_TYPE,
      400,
    ],
  ])('%s is refused', async (_what, text, type, status) => {
    const response = await publish(text, type);
    expect([response.statusCode, response.headers['content-type']]).toEqual([
      status,
      'application/problem+json; charset=utf-8',
    ]);
    expect(edge.catalog.head.revision).toBe(1);
  });

  test.each([
    ['deep lists', deep('[', ']', 400_000)],
    ['deep objects', deep('{"a":', '}', 200_000)],
    ['a huge key', TEXT.replace('"paths"', `"${'k'.repeat(1024 * 1024)}"`)],
    [
      'keys of prototypes',
      TEXT.replace('"paths":{}', '"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}'),
    ],
  ])('%s are kept as text, which nothing here reads again', async (_what, text) => {
    expect((await publish(text)).statusCode).toBe(201);
    expect((await send('GET', `${V1}/document`)).body).toBe(text);
    expect(Object.keys(version()['document'] as object)).toHaveLength(6);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test('what is missing is named', async () => {
    const response = await publish('{"openapi":"3.1.0","info":{"title":7}}');
    expect(response.json()).toMatchObject({
      type: '/problems/invalid',
      errors: [{ pointer: '/info/title' }, { pointer: '/info/version' }],
    });
  });
});
