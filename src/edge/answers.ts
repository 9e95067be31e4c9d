import type { FastifyReply } from 'fastify';
import type { AnyItem } from '../domain/item.ts';
import { PROBLEMS, type ProblemCode } from '../protocol/problem-catalogue.ts';
import { renderProblem, type Problem } from '../protocol/problem.ts';

export const REVISION_HEADER = 'x-signalbox-revision';
/** With its charset: Fastify would otherwise parse and complete it on every answer. */
export const JSON_TYPE = 'application/json; charset=utf-8';
const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

export const etagOf = (revision: number): string => `"${revision}"`;

/** A text that is JSON already, or its bytes; with its type set, Fastify sends it as it is. */
export function sendJson(reply: FastifyReply, json: string | Buffer): FastifyReply {
  return reply.header('content-type', JSON_TYPE).send(json);
}

export function sendItem(reply: FastifyReply, item: AnyItem): FastifyReply {
  return sendJson(reply.header('etag', etagOf(item.revision)), item.json);
}

export function sendProblem(reply: FastifyReply, { code, details }: Problem): FastifyReply {
  if (PROBLEMS[code].status === 401) reply.header('www-authenticate', challenge(code, details.detail));
  if (details.retryAfter !== undefined) reply.header('retry-after', details.retryAfter);
  return reply
    .code(PROBLEMS[code].status)
    .header('content-type', PROBLEM_TYPE)
    .header('cache-control', 'no-store')
    .send(renderProblem(code, details, reply.request.id));
}

/** RFC 6750, section 3: what was wrong with a token is said only to those who sent one. */
function challenge(code: ProblemCode, detail: string): string {
  if (code !== 'invalid-token') return 'Bearer realm="signalbox"';
  const description = detail.replaceAll('"', "'").replaceAll(/[^\x20-\x7e]|\\/g, ' ');
  return `Bearer realm="signalbox", error="invalid_token", error_description="${description}"`;
}
