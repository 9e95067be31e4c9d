import type { IncomingHttpHeaders } from 'node:http';

/** About one connection, or what undici says itself. `expect` was answered to the caller already. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'expect',
  'host',
]);

const FORWARDED: ReadonlySet<string> = new Set(['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'via']);

export interface From {
  /** Of the caller. */
  readonly address: string | undefined;
  readonly encrypted: boolean;
  /** `1.0`, `1.1` or `2.0`. */
  readonly httpVersion: string;
}

export interface Passing {
  /** Names this proxy in `via`; of no other one. */
  readonly pseudonym: string;
  /** What is for this proxy, and not for those behind it. */
  readonly drop: ReadonlySet<string>;
}

/** The fields of a request as they go on; `raw` has names and values by turns, in the caller's order. */
export function requestHeaders(
  raw: readonly string[],
  parsed: IncomingHttpHeaders,
  from: From,
  { pseudonym, drop }: Passing,
): string[] {
  const named = connectionNames(parsed.connection);
  const headers: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase();
    // Of HTTP/2: method, path and authority have places of their own.
    if (name.startsWith(':') || HOP_BY_HOP.has(name) || FORWARDED.has(name) || drop.has(name)) continue;
    if (named?.has(name) === true) continue;
    headers.push(name, raw[i + 1] ?? '');
  }
  // gRPC asks for trailers; they are passed on.
  if (parsed.te === 'trailers') headers.push('te', 'trailers');
  forwarded(headers, parsed, from);
  const via = `${from.httpVersion} ${pseudonym}`;
  headers.push('via', parsed.via === undefined ? via : `${parsed.via}, ${via}`);
  return headers;
}

function forwarded(headers: string[], parsed: IncomingHttpHeaders, { address, encrypted }: From): void {
  const before = text(parsed['x-forwarded-for']);
  const chain = address === undefined ? before : before === undefined ? address : `${before}, ${address}`;
  if (chain !== undefined) headers.push('x-forwarded-for', chain);
  headers.push('x-forwarded-proto', text(parsed['x-forwarded-proto']) ?? (encrypted ? 'https' : 'http'));
  const host = text(parsed['x-forwarded-host']) ?? text(parsed[':authority']) ?? parsed.host;
  if (host !== undefined) headers.push('x-forwarded-host', host);
}

/** Whether the request has been here before. */
export const isLoop = (via: string | undefined, pseudonym: string): boolean =>
  via !== undefined && via.split(',').some((hop) => hop.trim().split(' ')[1] === pseudonym);

/** The fields of an answer as they go back. */
export function responseHeaders(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const named = connectionNames(headers.connection);
  const passed: Record<string, string | string[]> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined || named?.has(name) === true) continue;
    // Trailers are announced to the caller as they were to us.
    if (HOP_BY_HOP.has(name) && name !== 'trailer') continue;
    passed[name] = value;
  }
  return passed;
}

/** `connection` names further fields that are about the connection. */
function connectionNames(connection: string | undefined): ReadonlySet<string> | undefined {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return undefined;
  return new Set(connection.split(',').map((name) => name.trim().toLowerCase()));
}

const text = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value.join(', ') : value;
