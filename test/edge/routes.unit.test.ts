import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import type { FastifyPluginCallback, InjectOptions } from 'fastify';
import { ACTIONS } from '../../src/auth/actions.ts';
import { PROBLEMS } from '../../src/protocol/problem-catalogue.ts';
import { openEdge, openFilledEdge, type Edge } from './harness.ts';

let edge: Edge;
beforeAll(async () => {
  edge = await openFilledEdge();
});
afterAll(() => edge.app.close());

type Method = NonNullable<InjectOptions['method']>;

/** A path that the route takes. */
const pathOf = (url: string): string =>
  url.replace('/docs/static/*', '/docs/static/index.css').replaceAll(/:[a-zA-Z]+/g, 'us');

test('SEC1 every route declares an action that exists', () => {
  expect(edge.app.routeTable.entries.length).toBeGreaterThan(50);
  for (const { action } of edge.app.routeTable.entries) expect(Object.keys(ACTIONS)).toContain(action);
});

test.each<[what: string, more: Partial<InjectOptions>]>([
  ['another machine', { remoteAddress: '10.0.0.7' }],
  ['a rebound name', { headers: { host: 'evil.example' } }],
  ['a web page of another host', { headers: { origin: 'https://evil.example' } }],
  ['a sandboxed web page', { headers: { origin: 'null' } }],
  ['a proxy', { headers: { 'X-Forwarded-For': '10.0.0.7' } }],
])('SEC1 no route answers %s', async (_what, more) => {
  for (const { method, url } of edge.app.routeTable.entries) {
    const response = await edge.app.inject({ method: method as Method, url: pathOf(url), ...more });
    expect([method, url, response.statusCode]).toEqual([method, url, 403]);
    if (method !== 'HEAD') expect(response.json()).toMatchObject({ type: '/problems/forbidden' });
  }
  for (const url of ['/nope', '/docs/', '/v1', '/v1/regions/us/x']) {
    expect((await edge.app.inject({ url, ...more })).statusCode).toBe(403);
  }
  expect(edge.catalog.head.revision).toBe(1);
});

test('SEC1 a web page of this machine is answered, and no other is told that it may read', async () => {
  const response = await edge.app.inject({ url: '/v1/regions', headers: { origin: 'http://localhost:5173' } });
  expect(response.statusCode).toBe(200);
  expect(response.headers['access-control-allow-origin']).toBeUndefined();
});

test('SEC1 a route without an action, or with one that does not exist, is refused at registration', async () => {
  const bare: FastifyPluginCallback = (app, _options, done) => {
    app.get('/bare', () => 'x');
    done();
  };
  const invented: FastifyPluginCallback = (app, _options, done) => {
    app.get('/invented', { config: { action: 'toString' as 'catalog.read' } }, () => 'x');
    done();
  };
  for (const plugin of [bare, invented])
    await expect(openEdge({ plugins: [plugin] })).rejects.toThrow('declares no action');
});

test('SEC1 a plugin with an action is admitted like any other route', async () => {
  const own = await openEdge({
    plugins: [
      (app, _options, done) => {
        app.get('/v1/own', { config: { action: 'catalog.read' } }, (request, reply) => {
          reply.send({ caller: request.caller.kind });
        });
        done();
      },
    ],
  });
  expect((await own.app.inject('/v1/own')).json()).toEqual({ caller: 'administrator' });
  expect((await own.app.inject({ url: '/v1/own', remoteAddress: '10.0.0.7' })).statusCode).toBe(403);
  own.catalog.ready = false;
  expect((await own.app.inject('/v1/own')).statusCode).toBe(503);
  await own.app.close();
});

test('nothing lives at an unknown path', async () => {
  for (const url of [
    '/nope',
    '/v1',
    '/v1/',
    '/v2/regions',
    '/v1/regions/us/',
    '/v1/regions//',
    '/V1/regions',
    '/problems/nope',
  ]) {
    const response = await edge.app.inject(url);
    expect([url, response.statusCode]).toEqual([url, 404]);
    expect(response.headers).toMatchObject({ 'x-signalbox-revision': '1', 'x-request-id': expect.any(String) });
    expect(response.json().type).toMatch(/unknown-path|not-found/);
  }
});

test.each<[method: Method, url: string, allow: string]>([
  ['POST', '/v1/regions/us', 'DELETE, GET, HEAD, PATCH, PUT'],
  ['POST', '/v1/regions', 'GET, HEAD'],
  ['DELETE', '/v1/services/-/deployments', 'GET, HEAD'],
  ['GET', '/v1/apply', 'POST'],
  ['OPTIONS', '/v1/state', 'GET, HEAD'],
])('%s %s is 405 with what is allowed', async (method, url, allow) => {
  const response = await edge.app.inject({ method, url });
  expect([response.statusCode, response.headers['allow']]).toEqual([405, allow]);
  expect(response.json().type).toBe('/problems/method-not-allowed');
});

test('a request id that can be logged is echoed, any other is replaced, and a problem always has one', async () => {
  const id = async (given: string | undefined, url = '/livez'): Promise<unknown> =>
    (await edge.app.inject({ url, headers: given === undefined ? {} : { 'x-request-id': given } })).headers[
      'x-request-id'
    ];
  expect(await id('abc-123_x/y=')).toBe('abc-123_x/y=');
  for (const bad of ['', 'a b', 'x'.repeat(129), 'é', '"']) {
    expect(await id(bad)).toMatch(/^[\w-]{10,30}$/);
    expect(await id(bad)).not.toBe(bad);
  }
  expect(await id(undefined)).toBeUndefined();
  const made = await id(undefined, '/nope');
  expect(made).toMatch(/^[\w-]+$/);
  expect(await id(undefined, '/nope')).not.toBe(made);
});

test('the pointer page leads to what there is', async () => {
  const { places } = (await edge.app.inject('/')).json() as { places: Record<string, string> };
  for (const path of Object.keys(places)) {
    const elsewhere = ['/v1', '/v1/watch', '/v1/subscribers', '/v1/changes', '/v1/apply', '/login', '/v1/whoami'];
    if (elsewhere.includes(path)) continue;
    expect([path, (await edge.app.inject(path)).statusCode]).toEqual([path, 200]);
  }
  const html = await edge.app.inject({ url: '/', headers: { accept: 'text/html,*/*;q=0.8' } });
  expect(html.headers['content-type']).toContain('text/html');
});

test('the documentation needs nothing from elsewhere', async () => {
  for (const url of ['/docs', '/docs/static/swagger-initializer.js']) {
    const response = await edge.app.inject(url);
    expect(response.statusCode).toBe(200);
    expect(response.body).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
  }
  const policy = String((await edge.app.inject('/docs')).headers['content-security-policy']);
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toMatch(/https?:/);
});

test('every problem is explained where its type points', async () => {
  for (const [code, { status }] of Object.entries(PROBLEMS)) {
    const response = await edge.app.inject(`/problems/${code}`);
    expect(response.body.startsWith(`${status} ${code}: `)).toBe(true);
  }
});

test('the OpenAPI document has every route under /v1, each with its own operation id', async () => {
  const document = (await edge.app.inject('/openapi.json')).json() as {
    openapi: string;
    paths: Record<string, Record<string, { operationId: string; responses: Record<string, unknown> }>>;
    components: { schemas: Record<string, { required?: string[] }> };
  };
  expect(document.openapi).toBe('3.1.0');
  const ids = new Set<string>();
  for (const { method, url } of edge.app.routeTable.entries) {
    if (!url.startsWith('/v1/') || method === 'HEAD') continue;
    const operation = document.paths[url.replaceAll(/:([a-zA-Z]+)/g, '{$1}')]?.[method.toLowerCase()];
    expect([url, operation?.operationId]).toEqual([url, expect.any(String)]);
    expect(operation?.responses).toHaveProperty('403');
    expect(ids).not.toContain(operation?.operationId);
    ids.add(operation?.operationId ?? '');
  }
  expect(document.components.schemas['Deployment']?.required).toEqual([
    'name',
    'revision',
    'createTime',
    'updateTime',
    'regionalEndpoint',
    'currentVersion',
  ]);
});

test('requests are counted by route, method and status, whatever their path', async () => {
  const own = await openFilledEdge();
  for (const url of ['/v1/regions/us', '/v1/regions/eu', '/v1/regions/nope']) await own.app.inject(url);
  const metrics = await own.app.inject('/metrics');
  expect(metrics.headers['content-type']).toContain('text/plain');
  expect(metrics.body).toContain(
    'signalbox_http_request_duration_seconds_count{method="GET",route="/v1/regions/:region",status="200"} 2',
  );
  expect(metrics.body).toContain(
    'signalbox_http_request_duration_seconds_count{method="GET",route="/v1/regions/:region",status="404"} 1',
  );
  expect(metrics.body).toMatch(/_bucket\{le="\+Inf",method="POST",route="\/v1\/apply",status="200"\} 1/);
  expect(metrics.body).not.toContain('nope');
  await own.app.close();
});

test('docs/problems.md has every problem', () => {
  const page = readFileSync('docs/problems.md', 'utf8');
  for (const code of Object.keys(PROBLEMS)) expect(page).toContain(`## ${code}\n`);
});
