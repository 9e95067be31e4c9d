import { createHmac, timingSafeEqual } from 'node:crypto';

/** What of a request says which page it comes from. */
export interface Source {
  readonly method: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly secFetchSite: string | undefined;
  readonly secFetchMode: string | undefined;
}

/**
 * Why a request with a client certificate is not taken: a browser shows that as well, whichever page asked for it. Programs
 * say nothing of a page.
 */
export function whyNotFromPage(source: Source, need: Need, own: string): string | undefined {
  if (source.origin === undefined && source.secFetchSite === undefined) return undefined;
  return whyNotFrom(source, need, own) && FOREIGN;
}

/** What a request with a session cookie has to show. */
export type Need =
  /** Nothing that another page could not do by itself: it reads, and answers only to its own page. */
  | 'read'
  /** It stays open and is not kept from other pages by the browser: WebSocket, server-sent events. */
  | 'stream'
  | 'write';

/** Reading is left to what has no side effect (RFC 9110, section 9.2.1). */
export const isSafe = (method: string): boolean => method === 'GET' || method === 'HEAD' || method === 'OPTIONS';

/**
 * Why a request that brings a session cookie is not taken, by the page that it comes from; `undefined` when it is. Browsers
 * say so themselves, and no page can make them lie: in `Origin`, and in `Sec-Fetch-Site` where they leave that out.
 */
export function whyNotFrom(source: Source, need: Need, own: string): string | undefined {
  const from = pageOf(source, own);
  if (from === 'ours') return undefined;
  if (from === 'unknown') return need === 'read' ? undefined : NOT_SAID;
  // A link on another page may lead here; what it shows is for the person alone.
  if (need === 'read' && source.origin === undefined && source.secFetchMode === 'navigate') return undefined;
  return FOREIGN;
}

const NOT_SAID =
  'With a session cookie this needs an Origin (or Sec-Fetch-Site) that says which page it comes from; programs send a token instead.';
const FOREIGN =
  'A page of another origin sent this with the session cookie, or the client certificate, that is for this one.';

function pageOf({ host, origin, secFetchSite }: Source, own: string): 'ours' | 'foreign' | 'unknown' {
  if (origin !== undefined) return isOwn(origin, host, own) ? 'ours' : 'foreign';
  if (secFetchSite === undefined) return 'unknown';
  // "none": typed in, or from a bookmark.
  return secFetchSite === 'same-origin' || secFetchSite === 'none' ? 'ours' : 'foreign';
}

/**
 * Without TLS (on this machine) the host that the browser believes to talk to will do as well, since it has several names.
 * With TLS only the public URL does: the same host without TLS may be somebody in between.
 */
function isOwn(origin: string, host: string | undefined, own: string): boolean {
  if (origin === own) return true;
  return !own.startsWith('https:') && host !== undefined && origin.toLowerCase() === `http://${host.toLowerCase()}`;
}

/** A session's token against cross-site requests. It is made from the cookie, and the cookie cannot be made from it. */
export const csrfToken = (credential: string): string =>
  createHmac('sha256', credential).update('signalbox csrf').digest('base64url');

export function isCsrfToken(given: unknown, credential: string): boolean {
  if (typeof given !== 'string') return false;
  const wanted = Buffer.from(csrfToken(credential));
  const found = Buffer.from(given);
  return found.length === wanted.length && timingSafeEqual(found, wanted);
}
