import type { AdminRequest } from '../admin/request.ts';

type Asked = Pick<AdminRequest, 'listener' | 'headers'>;

/**
 * Why a request is not let in by `guard: 'development'`; undefined where it is. Only programs on this machine may reach it: the listener
 * is bound to loopback, no proxy passed the request on, and no page in a browser sent it from elsewhere, nor under a name
 * of its own that leads here (DNS rebinding).
 */
export function whyNotDevelopment({ listener, headers }: Asked): string | undefined {
  if (listener === undefined || !isLoopback(listener)) return 'the listener is not bound to a loopback address';
  if (PASSED_ON.some((name) => headers[name] !== undefined)) return 'a proxy passed the request on';
  // HTTP/2 has no Host.
  const host = headers.host ?? headers[':authority'];
  if (!isLocalHost(hostOf(typeof host === 'string' ? host : undefined)))
    return 'the request is for another host than this machine';
  const { origin } = headers;
  if (origin !== undefined && !isLocalHost(URL.canParse(origin) ? new URL(origin).hostname : undefined))
    return 'a page of another host sent it';
  const site = headers['sec-fetch-site'];
  if (site === 'cross-site') return 'a page of another host sent it';
  return undefined;
}

const PASSED_ON = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'via'] as const;

export const isLoopback = (address: string): boolean =>
  /^(?:::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/i.test(address) || address === '::1';

function hostOf(host: string | undefined): string | undefined {
  const url = `http://${host ?? ''}`;
  return URL.canParse(url) ? new URL(url).hostname : undefined;
}

const isLocalHost = (name: string | undefined): boolean =>
  name !== undefined && (name === 'localhost' || isLoopback(name.replace(/^\[|\]$/g, '')));
