import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { ReadableSpan, Sampler } from '@opentelemetry/sdk-trace-base';
import { SpanStatusCode, type Tracer } from '@opentelemetry/api';
import { SCOPE } from '../../src/tracing/cleaned.ts';

/** What a span says, as far as tests ask. */
export interface Told {
  readonly name: string;
  readonly id: string;
  readonly parent: string | undefined;
  readonly trace: string;
  readonly failed: boolean;
  readonly [attribute: `signalbox.${string}`]: unknown;
}

/** A tracer whose spans stay here. */
export function recorded(sampler?: Sampler): {
  tracer: Tracer;
  provider: BasicTracerProvider;
  finished: () => Told[];
  spans: () => ReadableSpan[];
} {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(exporter)],
    ...(sampler !== undefined && { sampler }),
  });
  const spans = (): ReadableSpan[] => exporter.getFinishedSpans();
  return {
    tracer: provider.getTracer(SCOPE),
    provider,
    spans,
    finished: () =>
      spans().map((span) => ({
        name: span.name,
        id: span.spanContext().spanId,
        parent: span.parentSpanContext?.spanId,
        trace: span.spanContext().traceId,
        failed: span.status.code === SpanStatusCode.ERROR,
        ...span.attributes,
      })),
  };
}

/** The trace of a number, sampled. */
export const traceparent = (n: number): string =>
  `00-${n.toString(16).padStart(32, '0')}-${n.toString(16).padStart(16, '0')}-01`;
