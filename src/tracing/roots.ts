import { ROOT_CONTEXT, type Tracer } from '@opentelemetry/api';
import { traceparentOf } from './context.ts';
import type { RootSpan, RootSpans } from './port.ts';

/** Starts the traces of changes that do not begin with an HTTP request; the sampler decides which. */
export const rootsOf = (tracer: Tracer): RootSpans => ({
  begin(name: string): RootSpan {
    const span = tracer.startSpan(name, {}, ROOT_CONTEXT);
    return {
      traceparent: traceparentOf(span.spanContext()),
      end(outcome) {
        span.setAttribute('signalbox.outcome', outcome);
        span.end();
      },
    };
  },
});
