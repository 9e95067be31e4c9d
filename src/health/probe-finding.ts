import type { HealthStatus } from '../domain/instances/check.ts';
import type { Finding } from './probe.ts';

const MAX_REASON = 300;

export const passing = (reason: string): Finding => finding('passing', reason);
export const warning = (reason: string): Finding => finding('warning', reason);
export const critical = (reason: string): Finding => finding('critical', reason);

const finding = (status: HealthStatus, reason: string): Finding => ({ status, reason: plain(reason, MAX_REASON) });

/**
 * Text from a target as people may see it in terminals, logs and pages: one line of at most `max` characters, without
 * characters that control, reorder or hide others.
 */
export function plain(text: string, max: number): string {
  const line = text
    .replaceAll(/[\s\p{Cc}\p{Z}]+/gu, ' ')
    .replaceAll(/[\p{C}\uFFFD]/gu, '')
    .trim();
  if (line.length <= max) return line;
  // A pair of surrogates that the cut would halve is left out.
  return `${line.slice(0, max - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}

export const NO_ANSWER = 'the connection was closed without an answer';

/** Where it was offered in the handshake, or in the clear. */
export const NO_HTTP2 = 'the server does not speak HTTP/2';

/** What a failure to connect, or of a connection, means to people. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: NO_ANSWER,
  EPIPE: NO_ANSWER,
  ETIMEDOUT: 'the connection timed out',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  HPE_HEADER_OVERFLOW: 'the headers of the answer are too large',
  EPROTO: 'the TLS handshake failed',
  ERR_HTTP2_ERROR: NO_HTTP2,
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate is for another host',
  CERT_HAS_EXPIRED: 'the certificate has expired',
  CERT_NOT_YET_VALID: 'the certificate is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is signed by nobody but itself',
  SELF_SIGNED_CERT_IN_CHAIN: 'the certificate is signed by an unknown authority',
  UNABLE_TO_GET_ISSUER_CERT: 'the certificate is signed by an unknown authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the certificate is signed by an unknown authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate is signed by an unknown authority',
};

/** `unreachable`: nobody was spoken to at this address. `ours`: this process could not even try. */
export type Failure = 'unreachable' | 'ours';

const FAILURES: Readonly<Record<string, Failure>> = {
  ECONNREFUSED: 'unreachable',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  EMFILE: 'ours',
  ENFILE: 'ours',
  ENOBUFS: 'ours',
  ENOMEM: 'ours',
};

export function failureOf(error: unknown): Failure | undefined {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return typeof code === 'string' && Object.hasOwn(FAILURES, code) ? FAILURES[code] : undefined;
}

export function inWords(error: unknown): string {
  const { code, message } = (error ?? {}) as { readonly code?: unknown; readonly message?: unknown };
  if (typeof code === 'string') {
    const words = Object.hasOwn(WORDS, code) ? WORDS[code] : undefined;
    if (words !== undefined) return words;
    if (code.endsWith('_ALERT_NO_APPLICATION_PROTOCOL')) return NO_HTTP2;
    if (code.startsWith('ERR_SSL_')) return 'the TLS handshake failed';
    if (code.startsWith('HPE_')) return 'the answer is not HTTP';
  }
  return `the check failed: ${plain(typeof message === 'string' ? message : String(error), 200)}`;
}
