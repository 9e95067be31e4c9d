import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { belongs } from '../auth/caller.ts';
import type { Reader } from '../domain/view.ts';
import { PROBLEMS, type ProblemCode } from '../protocol/problem-catalogue.ts';
import { Problem } from '../protocol/problem.ts';
import { RegistryUnavailable } from '../registry/errors.ts';
import { REVISION_HEADER, sendProblem } from './answers.ts';
import type { EdgeDeps } from './deps.ts';
import { namesOf } from './origin.ts';
import { refusalOf } from './refusals.ts';
import { securityHeaders } from './security-headers.ts';

/** What cannot be read as a request has never come to its admission. */
const isKnown = ({ caller }: { readonly caller?: FastifyRequest['caller'] }, view: Reader): boolean =>
  caller !== undefined && belongs(caller, view);

/** Who is refused like this may be anyone. */
const UNKNOWN_TO: ReadonlySet<ProblemCode> = new Set([
  'forbidden',
  'unauthenticated',
  'invalid-token',
  'issuer-unavailable',
  'cross-site',
  'session-unavailable',
]);

/** Everything that goes wrong in a request ends here and leaves as problem+json (RFC 9457). */
export const errorHandler = ({ logger, state, tls, audit }: Pick<EdgeDeps, 'logger' | 'state' | 'tls' | 'audit'>) => {
  // Problems may be met where no route is, and a browser shows them.
  const setHeaders = securityHeaders('', undefined, tls !== undefined);
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    setHeaders(reply);
    const problem = problemOf(error, request);
    const fields = { ...namesOf(request), method: request.method, url: request.url, problem: problem.code };
    if (problem.code === 'internal') logger.error({ ...fields, err: error }, 'a request failed');
    else logger.debug({ ...fields, detail: problem.details.detail }, 'a request was refused');
    const refusal = audit && refusalOf(request, problem, state.view);
    if (refusal !== undefined) audit?.note(refusal);
    // What never reached a route has not passed its admission, which sets these; a stranger is not told the revision.
    reply.header('x-request-id', request.id);
    if (state.ready && !UNKNOWN_TO.has(problem.code) && isKnown(request, state.view))
      reply.header(REVISION_HEADER, state.head.revision);
    sendProblem(reply, problem);
  };
};

export function problemOf(error: unknown, request: FastifyRequest): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof RegistryUnavailable) {
    return new Problem(error.code, { detail: PROBLEMS[error.code].title, retryAfter: error.retryAfterSeconds });
  }
  if (isError(error)) {
    // The log is read from the store, whose errors the edge does not import.
    if (error.name === 'StoreUnavailable') {
      return new Problem('store-unavailable', { detail: 'The log cannot be read now.', retryAfter: 1 });
    }
    const known = fromFastify(error, request);
    if (known !== undefined) return known;
  }
  return new Problem('internal', 'The server made a mistake; its log has more under this requestId.');
}

const isError = (error: unknown): error is FastifyError =>
  typeof error === 'object' && error !== null && 'name' in error;

function fromFastify(error: FastifyError, request: FastifyRequest): Problem | undefined {
  switch (error.code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE': {
      const accepted = request.routeOptions.config.accepts ?? [];
      const sent = request.headers['content-type'];
      const found =
        sent === undefined
          ? 'The body has no Content-Type'
          : `Content-Type ${JSON.stringify(sent.slice(0, 80))} is not taken`;
      const wanted = accepted.length === 0 ? 'this route takes no body.' : `send ${accepted.join(' or ')}.`;
      return new Problem('unsupported-media-type', `${found}; ${wanted}`);
    }
    case 'FST_ERR_CTP_BODY_TOO_LARGE': {
      const { bodyLimit, config } = request.routeOptions;
      if (config.accepts === undefined)
        return new Problem('unsupported-media-type', 'This route takes no body; send none.');
      return new Problem('too-large', `The body has more than the ${bodyLimit} bytes that this route takes.`);
    }
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new Problem('malformed-request', 'The body is not as long as Content-Length says.');
    case 'FST_ERR_BAD_URL':
      return new Problem('malformed-request', 'The path of the URL is not properly percent-encoded.');
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new Problem('uri-too-long', `A part of the path has more than ${MAX_PARAM_LENGTH} characters.`);
    default:
      return fromStatus(error);
  }
}

/** Service ids have 253 characters at most. */
export const MAX_PARAM_LENGTH = 400;

const BY_STATUS: Readonly<Record<number, ProblemCode>> = {
  400: 'malformed-request',
  404: 'unknown-path',
  408: 'timeout',
  413: 'too-large',
  414: 'uri-too-long',
  415: 'unsupported-media-type',
};

/** Errors of plugins: the status is theirs, the words are ours. */
function fromStatus(error: FastifyError): Problem | undefined {
  const code = error.statusCode === undefined ? undefined : BY_STATUS[error.statusCode];
  return code === undefined ? undefined : new Problem(code, `${PROBLEMS[code].title}.`);
}
