import {
  ROOT_CONTEXT,
  TraceFlags,
  trace,
  type Context,
  type SpanContext,
  type TextMapPropagator,
} from '@opentelemetry/api';
import { parseTraceParent } from '@opentelemetry/core';
import type { Traceparent } from '../domain/trace.ts';

/** Everything goes on under a span by its text: nothing here needs to follow calls through the event loop. */
export function contextOf(parent: Traceparent): Context {
  const span = parseTraceParent(parent);
  return span === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, { ...span, isRemote: true });
}

/** Undefined when the trace is not sampled: then nobody needs to carry it any further. */
export function traceparentOf({ traceId, spanId, traceFlags }: SpanContext): Traceparent | undefined {
  return (traceFlags & TraceFlags.SAMPLED) === 0 ? undefined : `00-${traceId}-${spanId}-01`;
}

/** Reads `traceparent` alone: what else a client may send with it, `tracestate` and `baggage`, is nobody's here. */
export const PROPAGATOR: TextMapPropagator = {
  extract(context, carrier, getter) {
    const header = getter.get(carrier, 'traceparent');
    const span = typeof header === 'string' ? parseTraceParent(header) : null;
    return span === null ? context : trace.setSpanContext(context, { ...span, isRemote: true });
  },
  inject() {},
  fields: () => ['traceparent'],
};
