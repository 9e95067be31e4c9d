import type { FastifyReply } from 'fastify';
import type { Action } from '../auth/actions.ts';

/**
 * What a page may load, where it may send what, and who may frame it: nothing from elsewhere, nothing that is written into
 * the page itself, and nobody. `styles` are the hashes of styles that are let in all the same.
 */
export const pagePolicy = (...styles: readonly string[]): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    ["style-src 'self'", ...styles.map((hash) => `'${hash}'`)].join(' '),
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ');

type Headers = readonly (readonly [name: string, value: string])[];

/** A browser takes an answer for what it says that it is. */
const ALWAYS: Headers = [['x-content-type-options', 'nosniff']];
/** What is answered depends on who asks, so nobody keeps it for somebody else. */
const NOT_KEPT: Headers = [['cache-control', 'no-store']];
const PAGES: Headers = [
  ['content-security-policy', pagePolicy()],
  ['x-frame-options', 'DENY'],
  ['referrer-policy', 'no-referrer'],
  ['cross-origin-opener-policy', 'same-origin'],
  ['cross-origin-resource-policy', 'same-origin'],
];
/** From now on a browser comes here over TLS only: a year. */
const OVER_TLS: Headers = [['strict-transport-security', 'max-age=31536000']];

/** Sets the headers of a route's answers; made once for each route. What a handler sets itself goes before. */
export function securityHeaders(url: string, action: Action | undefined, tls: boolean): (reply: FastifyReply) => void {
  const headers = [
    ...ALWAYS,
    ...(action === 'docs.read' ? [] : NOT_KEPT),
    // No browser renders what the interface answers, and it is asked all the time.
    ...(isInterface(url) ? [] : PAGES),
    ...(tls ? OVER_TLS : []),
  ];
  const [first, second] = headers;
  // The interface is asked all the time, and has just these.
  if (headers.length === 2 && first !== undefined && second !== undefined) {
    return (reply) => void reply.header(first[0], first[1]).header(second[0], second[1]);
  }
  return (reply) => {
    for (const [name, value] of headers) reply.header(name, value);
  };
}

const isInterface = (url: string): boolean => /^\/(?:v1|livez|readyz|metrics)(?:\/|$)/.test(url);
