import type { FastifyRequest } from 'fastify';
import type { Origin } from '../domain/command.ts';

/** Where a request came from, as the audit names it. */
export function originOf({ raw, id }: Pick<FastifyRequest, 'raw' | 'id'>): Origin {
  const address = raw.socket.remoteAddress;
  return address === undefined ? { requestId: id } : { address, requestId: id };
}
