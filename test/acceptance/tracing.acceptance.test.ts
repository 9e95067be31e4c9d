import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { startCollector, type CollectedSpan, type OtlpCollector } from '../support/otlp-collector.ts';
import { startRedis, type PrivateRedis } from '../support/redis.ts';
import { call, type Signalbox } from '../support/signalbox.ts';
import { embeddedHome, postgresHome, type Home } from './homes.ts';
import { instance, ttlCheck } from './instance-api.ts';
import { startNode } from './nodes.ts';
import { until } from './until.ts';
import { WatchClient } from './watch-client.ts';

/** Of the caller's own span. */
const PARENT = 'a1b2c3d4e5f60718';
const newTrace = (): string => randomBytes(16).toString('hex');
const sampled = (trace: string): Record<string, string> => ({ traceparent: `00-${trace}-${PARENT}-01` });

describe('two nodes with PostgreSQL and Redis that send traces', () => {
  let home: Home;
  let redis: PrivateRedis;
  let collector: OtlpCollector;
  let a: Signalbox;
  let b: Signalbox;
  let watchers: WatchClient[];

  beforeAll(async () => {
    [home, redis, collector] = await Promise.all([postgresHome(), startRedis(), startCollector()]);
    const env = {
      ...home.env,
      REDIS_URL: redis.url,
      // News that the bus does not bring comes so late that a test would see it.
      TAIL_INTERVAL: '60s',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_HEADERS: 'api-key=only%20for%20the%20collector',
      OTEL_TRACES_SAMPLER_ARG: '0',
      LOG_LEVEL: 'debug',
    };
    a = await startNode({ ...env, NODE_NAME: 'a' });
    b = await startNode({ ...env, NODE_NAME: 'b' });
    watchers = await Promise.all([a, b, b].map(({ url }) => WatchClient.open(url)));
    for (const watcher of watchers) await watcher.sync('s1', { kind: 'region' });
  }, 180_000);
  afterAll(async () => {
    for (const { ws } of watchers) ws.terminate();
    await Promise.all([a.stop('SIGKILL'), b.stop('SIGKILL')]);
    await Promise.all([home.drop(), redis.destroy(), collector.close()]);
  });

  const spansOf = (trace: string): CollectedSpan[] => collector.spans.filter(({ traceId }) => traceId === trace);

  test('a change is one trace from its request to its delivery at both nodes', async () => {
    const trace = newTrace();
    const put = await call(a.url, 'PUT', '/v1/regions/eu', { title: 'Europe' }, sampled(trace));
    expect(put.status).toBe(201);
    const { revision } = put.body as { revision: number };
    await until('all of it has come', () => spansOf(trace).length >= 5);
    const spans = spansOf(trace);
    const one = (name: string, node: string): CollectedSpan => {
      const found = spans.filter((span) => span.name === name && span.node === node);
      expect({ name, node, found: found.length }).toEqual({ name, node, found: 1 });
      return found[0] as CollectedSpan;
    };
    const request = one('PUT /v1/regions/:region', 'a');
    const commit = one('commit', 'a');
    const receive = one('receive', 'b');
    const here = one('deliver', 'a');
    const there = one('deliver', 'b');
    expect(spans).toHaveLength(5);
    expect([request, commit, receive, here, there].map(({ parent }) => parent)).toEqual([
      PARENT,
      request.spanId,
      commit.spanId,
      commit.spanId,
      receive.spanId,
    ]);
    expect(request.attributes).toMatchObject({ 'http.request.method': 'PUT', 'http.response.status_code': 201 });
    expect(commit.attributes).toMatchObject({
      'signalbox.outcome': 'committed',
      'signalbox.revision': revision,
      'signalbox.changes': 1,
      'signalbox.commands': 1,
    });
    expect(receive.attributes).toEqual({ 'signalbox.outcome': 'folded', 'signalbox.revision': revision });
    const delivered = { 'signalbox.revision': revision, 'signalbox.topics': 1 };
    expect(here.attributes).toEqual({ ...delivered, 'signalbox.subscriptions': 1 });
    expect(there.attributes).toEqual({ ...delivered, 'signalbox.subscriptions': 2 });
    expect(new Set(spans.map(({ service }) => service))).toEqual(new Set(['signalbox']));
    expect(request.from).toBeLessThanOrEqual(commit.from);
    expect(commit.from).toBeLessThan(commit.to);
    expect(collector.headers[0]).toMatchObject({ 'api-key': 'only for the collector' });
  });

  test('the log names the trace of a request', async () => {
    const trace = newTrace();
    await call(a.url, 'GET', '/v1/regions/none', undefined, sampled(trace));
    await until('the line is there', () => a.output().includes(`"trace_id":"${trace}"`));
    const [span] = await until('its span has come', () => spansOf(trace).length > 0 && spansOf(trace));
    expect(a.output()).toContain(`"span_id":"${span?.spanId}"`);
    // It was refused, and that is no failure of the server's.
    expect(span).toMatchObject({ name: 'GET /v1/regions/:region', isError: false });
  });

  test('what is registered for others to see is told as the trace of its command, whoever asks', async () => {
    const trace = newTrace();
    const body = instance('traced.example.com', 8080, { check: ttlCheck('30s') });
    const posted = await call(b.url, 'POST', '/v1/instances', body, sampled(trace));
    expect(posted.status).toBe(201);
    await until('all of it has come', () => spansOf(trace).length >= 5);
    const names = spansOf(trace).map(({ name, node }) => `${name} ${node}`);
    const wanted = ['POST /v1/instances b', 'commit b', 'deliver b', 'receive a', 'deliver a'];
    expect(names.toSorted()).toEqual(wanted.toSorted());
  });

  test('what is not sampled is not sent, nor are renewals, watches and questions about health', async () => {
    const [not, asked] = [newTrace(), newTrace()];
    await call(a.url, 'PUT', '/v1/regions/us', { title: 'US' }, { traceparent: `00-${not}-${PARENT}-00` });
    await call(a.url, 'PUT', '/v1/regions/ap', { title: 'AP' });
    for (const path of ['/livez', '/readyz', '/metrics', '/openapi.json', '/v1/whoami']) {
      expect(await call(a.url, 'GET', path, undefined, sampled(asked))).toMatchObject({ status: 200 });
    }
    await call(a.url, 'GET', '/of-no-route', undefined, sampled(asked));
    await call(a.url, 'POST', '/v1/instances/renew', { instances: [] }, sampled(asked));
    // What comes after shows that nothing else was on its way.
    const after = newTrace();
    await call(a.url, 'GET', '/v1/regions', undefined, sampled(after));
    await until('the last has come', () => spansOf(after).length > 0);
    expect([...spansOf(not), ...spansOf(asked)]).toEqual([]);
    expect(collector.spans.filter(({ parent }) => parent === '')).toEqual([]);
  });

  test('what is left is sent while a node shuts down', async () => {
    const trace = newTrace();
    const put = call(b.url, 'PUT', '/v1/regions/last', { title: 'Last' }, sampled(trace));
    expect((await put).status).toBe(201);
    expect(await b.stop('SIGTERM')).toBe(0);
    const names = spansOf(trace).filter(({ node }) => node === 'b');
    expect(names.map(({ name }) => name).toSorted()).toEqual(['PUT /v1/regions/:region', 'commit', 'deliver']);
  });
});

/** Writes which packages are loaded when the process ends. */
const LISTING =
  'data:text/javascript,' +
  encodeURIComponent(`
    import { createRequire } from 'node:module';
    import { writeSync } from 'node:fs';
    const { cache } = createRequire('/');
    const packageOf = (file) => /node_modules\\/((?:@[^/]+\\/)?[^/]+)\\/(?!.*node_modules)/.exec(file)?.[1];
    process.on('exit', () => writeSync(2, 'LOADED ' + [...new Set(Object.keys(cache).map(packageOf))].join(' ') + ' END'));
  `);

async function loadedBy(node: Signalbox): Promise<string[]> {
  expect(await node.stop('SIGTERM')).toBe(0);
  const [, list] = /LOADED (.*) END/.exec(node.output()) ?? [];
  if (list === undefined) throw new Error(`nothing was listed: ${node.output().slice(-500)}`);
  // prom-client loads the interface, and nothing behind it.
  return list.split(' ').filter((name) => /opentelemetry\/(?!api$)|^@fastify\/otel$/.test(name));
}

describe('one node', () => {
  test('without a collector, nothing of OpenTelemetry is loaded', async () => {
    const home = await embeddedHome();
    const node = await startNode({ ...home.env, OTEL_TRACES_SAMPLER_ARG: '1' }, { nodeArgs: ['--import', LISTING] });
    const put = await call(node.url, 'PUT', '/v1/regions/eu', { title: 'Europe' }, sampled(newTrace()));
    expect(put.status).toBe(201);
    expect(await loadedBy(node)).toEqual([]);
    await home.drop();
  }, 120_000);

  test('SEC5 that traces everything tells the collector no secret, and of what began over sockets and in checks', async () => {
    const [home, collector] = await Promise.all([embeddedHome(), startCollector()]);
    const env = { ...home.env, OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/`, OTEL_TRACES_SAMPLER_ARG: '1' };
    const node = await startNode(env, { nodeArgs: ['--import', LISTING] });
    const HUSH = 'hush4f1c';
    const headers = {
      authorization: `Bearer sbr_${HUSH}`,
      cookie: `signalbox_session=${HUSH}`,
      'x-request-id': `id-${HUSH}`,
      'user-agent': HUSH,
      referer: `http://127.0.0.1/${HUSH}`,
      baggage: `key=${HUSH}`,
      tracestate: `key=${HUSH}`,
    };
    const { authorization: _, ...open } = headers;
    for (const [method, path, body] of [
      ['PUT', '/v1/regions/eu', { title: HUSH, labels: { a: HUSH } }],
      ['PUT', `/v1/regions/${HUSH}`, { title: 'x', nonsense: HUSH }],
      ['GET', `/v1/regions/${HUSH}?token=${HUSH}`, undefined],
      ['GET', `/v1/regions?filter=${HUSH}&access_token=sbr_${HUSH}`, undefined],
      ['POST', '/v1/apply', `[{"name": "${HUSH}`],
      ['POST', '/v1/instances', { token: `sbr_${HUSH}`, service: HUSH }],
      ['GET', `/sbr_${HUSH}`, undefined],
    ] as const) {
      await call(node.url, method, path, body, headers);
      await call(node.url, method, path, body, { ...open, ...sampled(newTrace()) });
    }
    const watcher = await WatchClient.open(node.url);
    const body = instance('socket.example.com', 9, { check: ttlCheck('1s') });
    watcher.send({ type: 'register', id: 'r1', instance: body });
    await watcher.next('registered');
    watcher.send({ type: 'register', id: 'r2', instance: { ...body, nonsense: HUSH } });
    await watcher.next('error');
    // Its lease runs out with its socket.
    watcher.ws.terminate();
    const rootOf = (name: string, outcome: string): CollectedSpan | undefined =>
      collector.spans.find((span) => span.name === name && span.attributes['signalbox.outcome'] === outcome);
    for (const name of ['register over a socket', 'health decision']) {
      const root = await until(`${name} is told of`, () => rootOf(name, 'ok'));
      const below = ['commit', 'deliver'];
      await until(`${name} is followed`, () =>
        below.every((one) => collector.spans.some((span) => span.name === one && span.traceId === root.traceId)),
      );
    }
    await until('the refusal is told of', () => rootOf('register over a socket', 'refused'));
    const loaded = await loadedBy(node);
    expect(loaded).toContain('@fastify/otel');
    expect(collector.spans.filter(({ name }) => name === 'GET /v1/regions/:region').length).toBeGreaterThan(0);
    expect(collector.bodies.join('\n')).not.toContain(HUSH);
    expect(collector.bodies.join('\n')).not.toMatch(/sbr_|Bearer/);
    await Promise.all([home.drop(), collector.close()]);
  }, 120_000);
});
