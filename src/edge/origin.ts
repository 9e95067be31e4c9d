import type { FastifyRequest } from 'fastify';
import type { Origin } from '../domain/command.ts';
import { traceIdsOf, type TraceIds, type Traceparent } from '../domain/trace.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Of its span, where it is traced. */
    trace: Traceparent | undefined;
  }
}

/** Where a request came from, as the audit names it. */
export function originOf({ raw, id }: Pick<FastifyRequest, 'raw' | 'id'>): Origin {
  const address = raw.socket.remoteAddress;
  return address === undefined ? { requestId: id } : { address, requestId: id };
}

/** What a command carries of the request that it is made of, beside its caller. */
export function askedBy(request: FastifyRequest): { origin: Origin; trace?: Traceparent } {
  const { trace } = request;
  return trace === undefined ? { origin: originOf(request) } : { origin: originOf(request), trace };
}

/** What log lines about a request name it by. */
export function namesOf({ id, trace }: FastifyRequest): { requestId: string } & Partial<TraceIds> {
  return trace === undefined ? { requestId: id } : { requestId: id, ...traceIdsOf(trace) };
}
