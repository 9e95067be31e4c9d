import type { FastifyRequest } from 'fastify';
import type { Action } from '../auth/actions.ts';
import { authorize } from '../auth/authorize.ts';
import { STRANGER } from '../auth/caller.ts';
import { proxyHeaderIn, resolveDevelopmentCaller } from '../auth/development.ts';
import { knownCaller } from '../auth/known-callers.ts';
import { isAbsentFor } from '../auth/registrar.ts';
import type { Certificates } from '../auth/certificates.ts';
import type { Site } from '../auth/site.ts';
import type { Target } from '../auth/target.ts';
import type { Grant, Verified, Verifier } from '../auth/grant.ts';
import type { Caller } from '../domain/command.ts';
import { REGISTRATION_TOKEN_PREFIX } from '../domain/registration-token.ts';
import type { View } from '../domain/view.ts';
import { badParameter, Problem } from '../protocol/problem.ts';
import { bearerToken } from './bearer.ts';
import { certificateOf } from './client-certificate.ts';
import type { BeforeLookUp } from './rate-limiting.ts';
import { sessionIn, whyNotByPage, whyNotWith, type SessionAccess } from './session-access.ts';

/** How callers are known; what is left out is not taken. */
export interface Access {
  /** Who brings nothing is the administrator, on loopback alone (SEC2). */
  readonly development: boolean;
  /** In development mode too, nobody is let in who brings nothing. */
  readonly mustLogIn?: boolean;
  /** Access tokens of issuers. */
  readonly tokens?: Verifier;
  /** Registration tokens, in development mode too. */
  readonly registrationTokens?: Verifier;
  /** Certificates of clients, over TLS. */
  readonly certificates?: Certificates;
  /** Cookies of browsers. */
  readonly sessions?: SessionAccess;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before any handler runs. */
    caller: Caller;
    /** What the caller's token is worth; `undefined` without one. */
    grant: Grant | undefined;
    /** What the grant is of. */
    knownBy: 'token' | 'session' | 'certificate' | undefined;
  }
}

const MAX_URL_LENGTH = 8192;

/** Finds out what a request brings to be known by, or says why it is not answered. Most answers come at once. */
export function identify(
  access: Access,
  request: FastifyRequest,
  credentials?: 'none' | 'form',
  before: BeforeLookUp = () => undefined,
): Problem | undefined | Promise<Problem | undefined> {
  const url = request.raw.url ?? '';
  if (url.length > MAX_URL_LENGTH) {
    return new Problem('uri-too-long', `The URL has ${url.length} characters; ${MAX_URL_LENGTH} are taken.`);
  }
  request.caller = STRANGER;
  const refused = access.development ? identifyLocally(request, access.mustLogIn === true) : undefined;
  if (refused !== undefined) return refused;
  if (hasToken(url)) return badParameter('access_token', IN_URL);
  if (credentials === 'none') return undefined;
  const { authorization } = request.raw.headers;
  const token = authorization === undefined ? undefined : bearerToken(request.raw);
  if (access.registrationTokens !== undefined && token?.startsWith(REGISTRATION_TOKEN_PREFIX) === true) {
    // In development mode as well its bearer is the registrar and nobody else.
    request.caller = STRANGER;
    return verify(access.registrationTokens, request, token, before);
  }
  if (authorization === undefined && access.certificates !== undefined) {
    const problem = identifyByTls(access.certificates, request, access.sessions?.site);
    if (problem !== undefined || request.grant !== undefined) return problem;
  }
  // Where no tokens are known, what a client sends along by habit does no harm.
  if (authorization === undefined || access.tokens === undefined)
    return identifySession(access, request, credentials, before);
  request.caller = STRANGER;
  if (token === undefined) return new Problem('unauthenticated', `Authorization has another form; ${HOW}`);
  return verify(access.tokens, request, token, before);
}

function verify(
  verifier: Verifier,
  request: FastifyRequest,
  token: string,
  before: BeforeLookUp,
): Problem | undefined | Promise<Problem | undefined> {
  const first = verifier.knows?.(token) === false ? before(request) : undefined;
  if (first !== undefined) return first === 'nobody' ? undefined : first;
  const verified = verifier.verify(token);
  return verified instanceof Promise ? verified.then((late) => take(request, late)) : take(request, verified);
}

/** Who comes with a session that has ended is a stranger, in development mode as well. */
function identifySession(
  { sessions }: Access,
  request: FastifyRequest,
  credentials: 'form' | undefined,
  before: BeforeLookUp,
): Problem | undefined | Promise<Problem | undefined> {
  const credential = sessions && sessionIn(request, sessions.site);
  if (sessions === undefined || credential === undefined || credential === '') return undefined;
  request.caller = STRANGER;
  const foreign = whyNotWith(request, credential, sessions.site, credentials);
  if (foreign !== undefined) return foreign;
  const first = sessions.sessions.knows?.(credential) === false ? before(request) : undefined;
  if (first !== undefined) return first === 'nobody' ? undefined : first;
  const verified = sessions.sessions.verify(credential);
  return verified instanceof Promise
    ? verified.then((late) => takeSession(request, late))
    : takeSession(request, verified);
}

function takeSession(request: FastifyRequest, verified: Verified): Problem | undefined {
  if (verified.ok) {
    request.grant = verified.grant;
    request.knownBy = 'session';
  } else if (verified.away) {
    return new Problem('session-unavailable', {
      detail: `The session cannot be looked at: ${verified.detail}.`,
      retryAfter: 2,
    });
  }
  return undefined;
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
    // Who cannot be told apart can still log out.
    if (!found.ok && action !== 'session.use') return new Problem('forbidden', found.detail);
    request.caller = found.ok ? found.caller : STRANGER;
  }
  if (isAbsentFor(request.caller, action, target, state)) return new Problem('not-found', NOT_YOURS);
  const verdict = authorize(request.caller, action, target, state);
  if (verdict.allowed) return undefined;
  if (request.caller === STRANGER) return new Problem('unauthenticated', `This needs a token, or a session; ${HOW}`);
  return new Problem('forbidden', verdict.detail);
}

const NOT_YOURS =
  'The service of this registration token has no such instance: if it runs, register it with POST /v1/instances.';
const HOW = 'send the header "Authorization: Bearer TOKEN", or log in at /login.';
const IN_URL = 'is not taken: URLs are written to logs and histories. Send the header "Authorization: Bearer TOKEN"';

function identifyLocally(request: FastifyRequest, mustLogIn: boolean): Problem | undefined {
  const { raw } = request;
  const { host, origin } = raw.headers;
  const resolution = resolveDevelopmentCaller({
    remoteAddress: raw.socket.remoteAddress,
    host,
    origin,
    proxyHeader: proxyHeaderIn(raw.headers),
  });
  if (!resolution.ok) return new Problem('forbidden', resolution.detail);
  if (!mustLogIn) request.caller = resolution.caller;
  return undefined;
}

function identifyByTls(
  certificates: Certificates,
  request: FastifyRequest,
  site: Site | undefined,
): Problem | undefined {
  const verified = certificateOf(certificates, request.raw);
  if (verified === undefined) return undefined;
  if (!verified.ok)
    return new Problem('invalid-certificate', `The client certificate is not taken: ${verified.detail}.`);
  if (!certificates.stillHolds(verified.grant)) return new Problem('invalid-certificate', OUTLIVED);
  const foreign = whyNotByPage(request, site);
  if (foreign !== undefined) return foreign;
  request.grant = verified.grant;
  request.knownBy = 'certificate';
  return undefined;
}

const OUTLIVED =
  'The client certificate of this connection has expired, or the authorities that are taken have changed: connect again.';

function take(request: FastifyRequest, verified: Verified): Problem | undefined {
  if (!verified.ok) return refusal(verified);
  request.grant = verified.grant;
  request.knownBy = 'token';
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
