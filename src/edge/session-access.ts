import type { FastifyReply, FastifyRequest } from 'fastify';
import { readCookie, writeCookie } from '../auth/cookies.ts';
import { isCsrfToken, isSafe, whyNotFrom, whyNotFromPage, type Need, type Source } from '../auth/csrf.ts';
import type { Verifier } from '../auth/grant.ts';
import type { Site } from '../auth/site.ts';
import { Problem } from '../protocol/problem.ts';
import { wantsEvents } from './sse/accept.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * What the route takes callers to be known by: `none` where that is its own business, `form` where the token against
     * cross-site requests is in the body, which the route itself looks at.
     */
    credentials?: 'none' | 'form';
  }
}

export const CSRF_HEADER = 'x-signalbox-csrf';

/** Sessions as requests bring them. */
export interface SessionAccess {
  readonly sessions: Verifier;
  readonly site: Site;
}

/** The session that a request comes with, whether it is good or not. */
export const sessionIn = (request: FastifyRequest, site: Site): string | undefined =>
  cookieIn(request, () => site.cookies.session);

export function cookieIn(request: FastifyRequest, name: () => string): string | undefined {
  const { cookie } = request.raw.headers;
  return cookie === undefined ? undefined : readCookie(cookie, name());
}

export function setCookie(reply: FastifyReply, site: Site, name: string, value: string, seconds?: number): void {
  const text = writeCookie(name, value, { secure: site.isSecure, ...(seconds !== undefined && { seconds }) });
  reply.header('set-cookie', text);
}

/** Why a request with this session is not taken: it may come from the page of somebody else, whom the browser serves as well. */
export function whyNotWith(
  request: FastifyRequest,
  credential: string,
  site: Site,
  credentials?: 'form',
): Problem | undefined {
  const { headers } = request.raw;
  const need = needOf(request);
  const detail = whyNotFrom(sourceOf(request), need, site.origin);
  if (detail !== undefined) return new Problem('cross-site', detail);
  if (need !== 'write' || credentials === 'form') return undefined;
  if (isCsrfToken(headers[CSRF_HEADER], credential)) return undefined;
  return new Problem(
    'cross-site',
    'With a session cookie a write needs the header X-Signalbox-CSRF, with the csrf of /v1/whoami.',
  );
}

/** The same for a client certificate; without a `site`, the host that the browser believes to talk to is ours. */
export function whyNotByPage(request: FastifyRequest, site: Site | undefined): Problem | undefined {
  const source = sourceOf(request);
  const detail = whyNotFromPage(source, needOf(request), site?.origin ?? `https://${source.host}`);
  return detail === undefined ? undefined : new Problem('cross-site', detail);
}

function sourceOf({ raw: { method = 'GET', headers } }: FastifyRequest): Source {
  return {
    method,
    host: headers.host,
    origin: headers.origin,
    secFetchSite: one(headers['sec-fetch-site']),
    secFetchMode: one(headers['sec-fetch-mode']),
  };
}

function needOf({ raw }: FastifyRequest): Need {
  if (!isSafe(raw.method ?? 'GET')) return 'write';
  return raw.headers.upgrade !== undefined || wantsEvents(raw.headers.accept) ? 'stream' : 'read';
}

const one = (header: string | string[] | undefined): string | undefined => [header].flat()[0];
