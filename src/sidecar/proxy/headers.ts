import type { IncomingHttpHeaders } from 'node:http';
import { UNSENT_HEADER } from '../../sdk/calling/retry.ts';
import type { RawHeaders } from '../ports.ts';

/** About one connection. */
const HOP_BY_HOP: readonly string[] = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
];
/** Written anew, or said by undici itself. `expect` was answered to the caller already. Of HTTP/2: what has a place of its own. */
const REWRITTEN: readonly string[] = [
  'trailer',
  'expect',
  'host',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'via',
  ':method',
  ':path',
  ':scheme',
  ':authority',
  ':protocol',
];

/** Trailers are announced to the caller as they were to us. What was sent on here did arrive somewhere. */
const NOT_OF_ANSWERS: ReadonlySet<string> = new Set([...HOP_BY_HOP, 'expect', 'host', UNSENT_HEADER]);

/** Who was called before, and from where, as a proxy tells; only of a trusted caller. */
const isForwarded = (name: string): boolean =>
  name.startsWith('x-forwarded-') || name === 'forwarded' || name === 'x-real-ip';

export interface From {
  /** Of the caller. */
  readonly address: string | undefined;
  /** Whether it is believed what it says of callers before it. */
  readonly isTrusted: boolean;
  readonly encrypted: boolean;
  /** `1.0`, `1.1` or `2.0`. */
  readonly httpVersion: string;
}

export interface Passing {
  /** Names this proxy in `via`; of no other one. */
  readonly pseudonym: string;
  /** Whether a caller at an address is believed what it says of callers before it. */
  readonly trusts: (address: string | undefined) => boolean;
  /** Names, in lower case, that are not passed on. */
  readonly stops: ReadonlySet<string>;
}

/** What of a request goes no further, with names in lower case that are for this proxy alone. */
export const stopsWith = (own: Iterable<string> = []): ReadonlySet<string> =>
  new Set([...HOP_BY_HOP, ...REWRITTEN, ...own]);

/** The fields of a request as they go on; `raw` has names and values by turns, in the caller's order. */
export function requestHeaders(
  raw: readonly string[],
  parsed: IncomingHttpHeaders,
  from: From,
  { pseudonym, stops }: Pick<Passing, 'pseudonym' | 'stops'>,
): string[] {
  const named = connectionNames(parsed.connection);
  const headers: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase();
    if (stops.has(name) || named?.has(name) === true || name === 'cookie') continue;
    if (!from.isTrusted && isForwarded(name)) continue;
    if (name.includes('_') && isTaken(name.replaceAll('_', '-'), stops)) continue;
    headers.push(name, raw[i + 1] ?? '');
  }
  // Over HTTP/2 it may come in parts, which over HTTP/1.1 are one field (RFC 9113, 8.2.3).
  if (parsed.cookie !== undefined && named?.has('cookie') !== true) headers.push('cookie', parsed.cookie);
  // gRPC asks for trailers; they are passed on.
  if (parsed.te === 'trailers') headers.push('te', 'trailers');
  forwarded(headers, from.isTrusted ? parsed : {}, parsed, from);
  const via = `${from.httpVersion} ${pseudonym}`;
  headers.push('via', parsed.via === undefined ? via : `${parsed.via}, ${via}`);
  return headers;
}

/** Many backends take `X_Forwarded_For` for `X-Forwarded-For`. */
const isTaken = (name: string, stops: ReadonlySet<string>): boolean =>
  stops.has(name) || isForwarded(name) || name === 'content-length';

/** `said` are the headers whose word is taken. */
function forwarded(
  headers: string[],
  said: IncomingHttpHeaders,
  parsed: IncomingHttpHeaders,
  { address, encrypted }: From,
): void {
  const before = text(said['x-forwarded-for']);
  const chain = address === undefined ? before : before === undefined ? address : `${before}, ${address}`;
  if (chain !== undefined) headers.push('x-forwarded-for', chain);
  headers.push('x-forwarded-proto', text(said['x-forwarded-proto']) ?? (encrypted ? 'https' : 'http'));
  const host = text(said['x-forwarded-host']) ?? text(parsed[':authority']) ?? parsed.host;
  if (host !== undefined) headers.push('x-forwarded-host', host);
}

/** Whether the request has been here before. */
export const isLoop = (via: string | undefined, pseudonym: string): boolean =>
  via !== undefined && via.split(',').some((hop) => hop.trim().split(' ')[1] === pseudonym);

/** The fields of an answer as they go back: names in lower case and values by turns. */
export function answerHeaders(raw: RawHeaders): string[] {
  const passed: string[] = [];
  let named: ReadonlySet<string> | undefined;
  for (let n = 0; n + 1 < raw.length; n += 2) {
    const name = latin1(raw[n]).toLowerCase();
    const value = raw[n + 1];
    if (NOT_OF_ANSWERS.has(name)) {
      if (name === 'connection') named = connectionNames(latin1(value));
    } else if (Array.isArray(value)) for (const one of value) passed.push(name, latin1(one));
    else passed.push(name, latin1(value));
  }
  return named === undefined ? passed : passed.filter((_, n) => !named.has(passed[n - (n % 2)] ?? ''));
}

/** `connection` names further fields that are about the connection. */
function connectionNames(connection: string | undefined): ReadonlySet<string> | undefined {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return undefined;
  return new Set(connection.split(',').map((name) => name.trim().toLowerCase()));
}

const text = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value.join(', ') : value;

const latin1 = (bytes: RawHeaders[number] | undefined): string =>
  typeof bytes === 'string' ? bytes : Buffer.isBuffer(bytes) ? bytes.toString('latin1') : String(bytes ?? '');
