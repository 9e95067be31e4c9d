import type { FastifyRequest } from 'fastify';
import type { Action } from '../auth/actions.ts';
import { authorize } from '../auth/authorize.ts';
import { STRANGER } from '../auth/caller.ts';
import { resolveDevelopmentCaller } from '../auth/development.ts';
import { knownCaller } from '../auth/known-callers.ts';
import type { Target } from '../auth/target.ts';
import type { Grant, Verified, Verifier } from '../auth/grant.ts';
import type { Caller } from '../domain/command.ts';
import type { View } from '../domain/view.ts';
import { badParameter, Problem } from '../protocol/problem.ts';
import { bearerToken } from './bearer.ts';

/** How callers are known; what is left out is not taken. */
export interface Access {
  /** Who brings nothing is the administrator, on loopback alone (SEC2). */
  readonly development: boolean;
  /** Access tokens of issuers. */
  readonly tokens?: Verifier;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before any handler runs. */
    caller: Caller;
    /** What the caller's token is worth; `undefined` without one. */
    grant: Grant | undefined;
  }
}

const MAX_URL_LENGTH = 8192;

/** Finds out what a request brings to be known by, or says why it is not answered. Most answers come at once. */
export function identify(access: Access, request: FastifyRequest): Problem | undefined | Promise<Problem | undefined> {
  const url = request.raw.url ?? '';
  if (url.length > MAX_URL_LENGTH) {
    return new Problem('uri-too-long', `The URL has ${url.length} characters; ${MAX_URL_LENGTH} are taken.`);
  }
  request.caller = STRANGER;
  const refused = access.development ? identifyLocally(request) : undefined;
  if (refused !== undefined) return refused;
  if (hasToken(url)) return badParameter('access_token', IN_URL);
  const { authorization } = request.raw.headers;
  // Where no tokens are known, what a client sends along by habit does no harm.
  if (authorization === undefined || access.tokens === undefined) return undefined;
  const token = bearerToken(request.raw);
  if (token === undefined) return new Problem('unauthenticated', `Authorization has another form; ${HOW}`);
  const verified = access.tokens.verify(token);
  return verified instanceof Promise ? verified.then((late) => take(request, late)) : take(request, verified);
}

/** Whether the caller may do it, by what the catalog says now; for who was identified. */
export function decide(
  request: FastifyRequest,
  action: Action,
  target: Target | undefined,
  state: View,
): Problem | undefined {
  const { grant } = request;
  if (grant !== undefined) {
    const found = knownCaller(grant.identity, state);
    if (!found.ok) return new Problem('forbidden', found.detail);
    request.caller = found.caller;
  }
  const verdict = authorize(request.caller, action, target, state);
  if (verdict.allowed) return undefined;
  if (request.caller === STRANGER) return new Problem('unauthenticated', `This needs a token; ${HOW}`);
  return new Problem('forbidden', verdict.detail);
}

const HOW = 'send the header "Authorization: Bearer TOKEN".';
const IN_URL = 'is not taken: URLs are written to logs and histories. Send the header "Authorization: Bearer TOKEN"';

function identifyLocally(request: FastifyRequest): Problem | undefined {
  const { raw } = request;
  const { host, origin } = raw.headers;
  const resolution = resolveDevelopmentCaller({ remoteAddress: raw.socket.remoteAddress, host, origin });
  if (!resolution.ok) return new Problem('forbidden', resolution.detail);
  request.caller = resolution.caller;
  return undefined;
}

function take(request: FastifyRequest, verified: Verified): Problem | undefined {
  if (!verified.ok) return refusal(verified);
  request.grant = verified.grant;
  return undefined;
}

function refusal({ away, detail }: Extract<Verified, { ok: false }>): Problem {
  if (away)
    return new Problem('issuer-unavailable', { detail: `The token cannot be verified: ${detail}.`, retryAfter: 2 });
  return new Problem('invalid-token', `The token is not taken: ${detail}.`);
}

const hasToken = (url: string): boolean => {
  const question = url.indexOf('?');
  return question !== -1 && /access(?:_|%5f)token/i.test(url.slice(question));
};
