import type { IncomingHttpHeaders } from 'node:http';
import { isLoopback } from '../loopback.ts';

/**
 * Whether a web page may have sent it. A browser on this machine reaches what listens on loopback, and a page can have it send requests
 * there: to its address, with an `Origin` or `Sec-Fetch-Site` of elsewhere, or to a name that the page's owner lets lead there.
 */
export function isForeign(headers: IncomingHttpHeaders): boolean {
  const host = (headers[':authority'] as string | undefined) ?? headers.host;
  if (host !== undefined && !isLocal(`http://${host}`)) return true;
  const { origin, 'sec-fetch-site': site } = headers;
  if (origin !== undefined) return !isLocal(origin);
  return site === 'cross-site' || site === 'same-site';
}

const isLocal = (url: string): boolean => URL.canParse(url) && isLoopback(new URL(url).hostname);
