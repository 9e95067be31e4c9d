import { afterEach, expect, test } from '@jest/globals';
import { ROOT_CONTEXT, SpanKind } from '@opentelemetry/api';
import { cleaned } from '../../src/tracing/cleaned.ts';
import { startTracing, type Tracing } from '../../src/tracing/start.ts';
import { until } from '../acceptance/until.ts';
import { startCollector, type OtlpCollector } from '../support/otlp-collector.ts';
import { recorded } from './recorded.ts';

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).toReversed()) await end();
});

class Lines {
  readonly lines: string[] = [];
  info = (...said: unknown[]): void => void this.lines.push(JSON.stringify(['info', ...said]));
  warn = (...said: unknown[]): void => void this.lines.push(JSON.stringify(['warn', ...said]));
}

async function open(): Promise<{ collector: OtlpCollector; tracing: Tracing; log: Lines }> {
  const collector = await startCollector();
  leftovers.push(() => collector.close());
  const log = new Lines();
  const about = { share: 1, service: 'signalbox', version: '1', node: 'n1', headers: {}, log };
  return { collector, tracing: startTracing({ endpoint: collector.url, ...about }), log };
}

// The first: what they could not send is tried again for a moment after the end, while the others run.
test.each(['none', 503, 'closed'] as const)(
  'a collector that answers %p holds up neither spans nor the end',
  async (how) => {
    const { collector, tracing } = await open();
    if (how === 'closed') await collector.close();
    else collector.answer = how;
    const before = performance.now();
    for (let i = 0; i < 20_000; i++) tracing.roots.begin('lost').end('ok');
    const each = (performance.now() - before) / 20_000;
    const closing = performance.now();
    await tracing.close();
    expect(performance.now() - closing).toBeLessThan(2500);
    expect(each).toBeLessThan(1);
  },
  20_000,
);

test('a collector that is away is one line in the log, and one when it is back', async () => {
  const { collector, tracing, log } = await open();
  collector.answer = 400;
  for (let i = 1; i <= 3; i++) {
    tracing.roots.begin(`lost ${i}`).end('ok');
    await until('it was tried', () => log.lines.length > 0);
    // Another batch a second, each of which fails.
    await new Promise((resolve) => setTimeout(resolve, 1100));
  }
  expect(log.lines).toHaveLength(1);
  expect(log.lines[0]).toContain('is away');
  collector.answer = 200;
  tracing.roots.begin('told').end('ok');
  await until('it is back', () => log.lines.length > 1);
  expect(log.lines[1]).toContain('is back');
  expect(collector.spans.map(({ name }) => name)).toEqual(['told']);
  await tracing.close();
}, 20_000);

test('what is left is sent at the end, with the names of service and node', async () => {
  const { collector, tracing } = await open();
  for (let i = 0; i < 4000; i++) tracing.roots.begin('last').end('ok');
  await tracing.close();
  expect(collector.spans).toHaveLength(4000);
  expect(collector.spans[0]).toMatchObject({ name: 'last', service: 'signalbox', node: 'n1', parent: '' });
});

test('SEC5 nothing leaves but what is known: no path, no query, no message, no event, no span of a library’s own', () => {
  const { provider, tracer, spans } = recorded();
  const library = provider.getTracer('@fastify/otel');
  const route = { 'http.request.method': 'GET', 'http.route': '/v1/regions/:region' };
  const request = library.startSpan(
    'GET /v1/regions/:region',
    { kind: SpanKind.SERVER, attributes: route },
    ROOT_CONTEXT,
  );
  request.setAttributes({ 'url.path': '/v1/regions/a?token=hush', 'http.response.status_code': 404 });
  request.recordException(new Error('hush'));
  request.setStatus({ code: 2, message: 'hush' }).end();
  library.startSpan('GET', { kind: SpanKind.SERVER, attributes: { 'url.path': '/hush' } }).end();
  library.startSpan('handler - hush').end();
  tracer.startSpan('commit', { attributes: { 'signalbox.outcome': 'ok', other: 'hush' } }).end();
  const left = spans()
    .map(cleaned)
    .filter((span) => span !== undefined);
  expect(left.map(({ name, attributes, status, events }) => ({ name, attributes, status, events }))).toEqual([
    {
      name: 'GET /v1/regions/:region',
      attributes: { ...route, 'http.response.status_code': 404 },
      status: { code: 0 },
      events: [],
    },
    { name: 'commit', attributes: { 'signalbox.outcome': 'ok' }, status: { code: 0 }, events: [] },
  ]);
});
