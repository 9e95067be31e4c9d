import type { IncomingHttpHeaders } from 'node:http';
import type { Caller } from '../domain/command.ts';

/** What of a request says who is calling in development mode. */
export interface Connection {
  /** `undefined` once the socket is closed. */
  readonly remoteAddress: string | undefined;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** What a proxy has added (`proxyHeaderIn`). */
  readonly proxyHeader?: string | undefined;
}

export type Resolution =
  { readonly ok: true; readonly caller: Caller } | { readonly ok: false; readonly detail: string };

const ADMINISTRATOR: Resolution = { ok: true, caller: { kind: 'administrator', subject: 'development' } };

/**
 * Development mode has no tokens: whoever is on the same machine is the administrator. A web page from elsewhere is not,
 * although its browser runs here: it comes with its own Origin, or, after rebinding its name to 127.0.0.1, with its own
 * Host. Nor is whoever comes through a proxy or a tunnel on this machine, as far as that says so: its other end is elsewhere.
 */
export function resolveDevelopmentCaller({ remoteAddress, host, origin, proxyHeader }: Connection): Resolution {
  if (!isLoopbackAddress(remoteAddress)) return refuse('Only connections from this machine are answered');
  if (host === undefined || !isLoopbackAuthority(host)) {
    return refuse('The Host header must be localhost, 127.0.0.1 or [::1], with an optional port');
  }
  if (origin !== undefined && !isLoopbackOrigin(origin)) {
    return refuse('Requests from web pages of other hosts are not answered');
  }
  if (proxyHeader !== undefined) {
    return {
      ok: false,
      detail: `This came through a proxy or a tunnel (${proxyHeader}), at whose other end may be anyone, and in development mode everyone is the administrator. Ask without it, or set OIDC_ISSUERS so that people log in.`,
    };
  }
  return ADMINISTRATOR;
}

const PROXY_HEADER = /^(?:forwarded|via|x-real-ip|x-forwarded(?:-.*)?)$/;

/** The first header of a request that proxies add. */
export const proxyHeaderIn = (headers: IncomingHttpHeaders): string | undefined =>
  Object.keys(headers).find((name) => PROXY_HEADER.test(name));

const refuse = (detail: string): Resolution => ({ ok: false, detail: `${detail} in development mode.` });

const LOOPBACK = String.raw`(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])`;
const AUTHORITY = new RegExp(`^${LOOPBACK}(?::[0-9]{1,5})?$`, 'i');
const ORIGIN = new RegExp(`^https?://${LOOPBACK}(?::[0-9]{1,5})?$`, 'i');

export const isLoopbackAuthority = (host: string): boolean => AUTHORITY.test(host);
export const isLoopbackOrigin = (origin: string): boolean => ORIGIN.test(origin);

/** IPv4 addresses may come mapped into IPv6. */
export function isLoopbackAddress(address: string | undefined): boolean {
  if (address === '127.0.0.1' || address === '::1') return true;
  return address !== undefined && /^(?:::ffff:)?127(?:\.[0-9]{1,3}){3}$/.test(address);
}
