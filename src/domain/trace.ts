/**
 * Where a trace goes on: a `traceparent` of the W3C (version 00), such as
 * `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`. To all rooms but `tracing` it is a text to hand on.
 */
export type Traceparent = string;

/** A revision whose change is traced, and the span that its delivery belongs under. */
export interface TracedRevision {
  readonly revision: number;
  readonly parent: Traceparent;
}

const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

export const isTraceparent = (value: unknown): value is Traceparent =>
  typeof value === 'string' && value.length === 55 && TRACEPARENT.test(value);

/** As logs name it. */
export interface TraceIds {
  readonly trace_id: string;
  readonly span_id: string;
}

export function traceIdsOf(trace: Traceparent): TraceIds {
  return { trace_id: trace.slice(3, 35), span_id: trace.slice(36, 52) };
}
