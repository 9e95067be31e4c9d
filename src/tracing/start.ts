import { propagation } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base';
import type { FastifyPluginCallback } from 'fastify';
import type { Logger } from 'pino';
import { SCOPE } from './cleaned.ts';
import { Commits } from './commits.ts';
import { PROPAGATOR } from './context.ts';
import { Deliveries } from './deliveries.ts';
import { CleanExporter } from './exporter.ts';
import type { CommitTraces, RootSpans } from './port.ts';
import { requestTraces } from './requests.ts';
import { rootsOf } from './roots.ts';

export interface StartOptions {
  /** Where the collector is, without `/v1/traces`. */
  readonly endpoint: string;
  /** What each request to the collector carries. */
  readonly headers: Readonly<Record<string, string>>;
  /** Of the traces that begin here, from 0 to 1. */
  readonly share: number;
  readonly service: string;
  readonly version: string;
  /** The name of this node. */
  readonly node: string;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

export interface Tracing {
  /** For the edge, before its routes. */
  readonly requests: FastifyPluginCallback;
  readonly commits: CommitTraces;
  /** Listens to the bus, the tail and the feed. */
  readonly deliveries: Deliveries;
  readonly roots: RootSpans;
  /** Sends what is left, for two seconds at most. Never rejects. */
  close(): Promise<void>;
}

/** Spans that wait to be sent; more are dropped. Sending is given up a little before closing is. */
const QUEUE = { maxQueueSize: 4096, maxExportBatchSize: 512, scheduledDelayMillis: 1000, exportTimeoutMillis: 1800 };
/** Batches are sent one at a time, but for the last ones, which go out together. */
const AT_ONCE = Math.ceil(QUEUE.maxQueueSize / QUEUE.maxExportBatchSize) + 1;
const LIMITS = { attributeCountLimit: 16, attributeValueLengthLimit: 256, eventCountLimit: 1, linkCountLimit: 1 };
const CLOSE_MS = 2000;

/** Everything is given explicitly, so that the SDK does not look for it in the environment. */
export function startTracing(options: StartOptions): Tracing {
  const { endpoint, headers, share, service, version, node, log } = options;
  const exporter = new OTLPTraceExporter({
    url: `${endpoint.replace(/\/$/, '')}/v1/traces`,
    headers: { ...headers },
    timeoutMillis: QUEUE.exportTimeoutMillis,
    concurrencyLimit: AT_ONCE,
    httpAgentOptions: { keepAlive: true },
  });
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({
      'service.name': service,
      'service.version': version,
      'service.instance.id': node,
      'process.pid': process.pid,
    }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(share) }),
    spanLimits: LIMITS,
    spanProcessors: [new BatchSpanProcessor(new CleanExporter(exporter, log), QUEUE)],
  });
  // The plugin of requests asks for it there; it keeps nothing, so it may stay.
  propagation.setGlobalPropagator(PROPAGATOR);
  const tracer = provider.getTracer(SCOPE);
  const deliveries = new Deliveries(tracer);
  return {
    requests: requestTraces(provider),
    commits: new Commits({ tracer, deliveries, now: () => performance.now() }),
    deliveries,
    roots: rootsOf(tracer),
    close: () => within(CLOSE_MS, provider.shutdown()),
  };
}

async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  // What could not be sent was logged by the exporter.
  await Promise.race([work.catch(() => undefined), late]);
  clearTimeout(timer);
}
