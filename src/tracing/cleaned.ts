import { SpanKind, SpanStatusCode, type Attributes } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';

/** All that a span may say. What a library adds beside it, such as paths, queries and messages, stays here. */
const TOLD: ReadonlySet<string> = new Set([
  'http.request.method',
  'http.response.status_code',
  'http.route',
  'signalbox.changes',
  'signalbox.commands',
  'signalbox.outcome',
  'signalbox.revision',
  'signalbox.subscriptions',
  'signalbox.topics',
  'signalbox.wait_ms',
]);

/** The scope of spans of our own. */
export const SCOPE = 'signalbox';

/**
 * A span as it may leave the process: no events, no messages, and only attributes that are known to hold no secret.
 * Undefined for what a library makes beside the spans of requests.
 */
export function cleaned(span: ReadableSpan): ReadableSpan | undefined {
  if (span.instrumentationScope.name !== SCOPE && !isOfRoute(span)) return undefined;
  const attributes = told(span.attributes);
  return {
    name: span.name,
    kind: span.kind,
    spanContext: () => span.spanContext(),
    ...(span.parentSpanContext !== undefined && { parentSpanContext: span.parentSpanContext }),
    startTime: span.startTime,
    endTime: span.endTime,
    status: { code: isFailure(span) ? SpanStatusCode.ERROR : SpanStatusCode.UNSET },
    attributes,
    links: [],
    events: [],
    duration: span.duration,
    ended: span.ended,
    resource: span.resource,
    instrumentationScope: span.instrumentationScope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

/** What was asked of no route is nobody's request. */
const isOfRoute = ({ kind, attributes }: ReadableSpan): boolean =>
  kind === SpanKind.SERVER && attributes['http.route'] !== undefined;

/** A request that was refused has not failed: the server did what it should. */
function isFailure({ status, attributes }: ReadableSpan): boolean {
  const answer = attributes['http.response.status_code'];
  return typeof answer === 'number' ? answer >= 500 : status.code === SpanStatusCode.ERROR;
}

function told(attributes: Attributes): Attributes {
  const kept: Attributes = {};
  for (const [name, value] of Object.entries(attributes)) if (TOLD.has(name)) kept[name] = value;
  return kept;
}
