import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

/** A span as a collector gets it, with its attributes and those of its resource as plain values. */
export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for a root. */
  readonly parent: string;
  readonly name: string;
  /** As OTLP numbers them: 1 internal, 2 server, 5 consumer. */
  readonly kind: number;
  readonly isError: boolean;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly service: string;
  /** The name of the node that it is of. */
  readonly node: string;
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
}

export interface OtlpCollector {
  readonly url: string;
  readonly port: number;
  /** Everything that has come, in order. */
  readonly spans: readonly CollectedSpan[];
  /** The bodies as they came. */
  readonly bodies: readonly string[];
  readonly headers: readonly IncomingHttpHeaders[];
  /** What it answers from now on; `none` leaves every request without an answer. */
  answer: number | 'none';
  close(): Promise<void>;
}

interface AnyValue {
  readonly stringValue?: string;
  readonly intValue?: string | number;
  readonly doubleValue?: number;
  readonly boolValue?: boolean;
}

interface KeyValue {
  readonly key: string;
  readonly value: AnyValue;
}

interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status?: { readonly code?: number };
  readonly attributes?: readonly KeyValue[];
}

interface OtlpTraces {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] };
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[];
  }[];
}

/** A collector of traces that takes OTLP as JSON over HTTP, at `/v1/traces` alone. */
export async function startCollector(port = 0): Promise<OtlpCollector> {
  const spans: CollectedSpan[] = [];
  const bodies: string[] = [];
  const headers: IncomingHttpHeaders[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (collector.answer === 'none') return;
      const whole = Buffer.concat(chunks);
      const text = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(whole) : whole).toString();
      if (collector.answer === 200 && request.method === 'POST' && request.url === '/v1/traces') {
        bodies.push(text);
        headers.push(request.headers);
        spans.push(...spansOf(JSON.parse(text) as OtlpTraces));
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      } else response.writeHead(collector.answer === 200 ? 404 : collector.answer).end();
    });
  });
  await new Promise<void>((done) => server.listen(port, '127.0.0.1', done));
  const { port: taken } = server.address() as AddressInfo;
  const collector: OtlpCollector = {
    url: `http://127.0.0.1:${taken}`,
    port: taken,
    spans,
    bodies,
    headers,
    answer: 200,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
  return collector;
}

function spansOf({ resourceSpans }: OtlpTraces): CollectedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const about = plain(resource.attributes);
    return scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parent: span.parentSpanId ?? '',
        name: span.name,
        kind: span.kind,
        isError: span.status?.code === 2,
        attributes: plain(span.attributes ?? []),
        service: String(about['service.name']),
        node: String(about['service.instance.id']),
        from: Number(BigInt(span.startTimeUnixNano) / 1000n) / 1000,
        to: Number(BigInt(span.endTimeUnixNano) / 1000n) / 1000,
      })),
    );
  });
}

function plain(attributes: readonly KeyValue[]): Record<string, string | number | boolean> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, plainValue(value)]));
}

const plainValue = ({ stringValue, intValue, doubleValue, boolValue }: AnyValue): string | number | boolean =>
  stringValue ?? (intValue === undefined ? (doubleValue ?? boolValue ?? '') : Number(intValue));
