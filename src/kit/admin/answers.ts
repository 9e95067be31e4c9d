import { STATUS_CODES, type IncomingHttpHeaders } from 'node:http';
import type { AdminAnswer } from './request.ts';

/** Nothing that the kit answers may be kept by anybody in between. */
const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const;

export const answer = (body: unknown, did?: string): AdminAnswer => ({
  status: 200,
  body,
  ...(did !== undefined && { did }),
});

/** Problem details (RFC 9457); `type` is left out, which means `about:blank`. */
export function problem(status: number, detail: string, headers: Readonly<Record<string, string>> = {}): AdminAnswer {
  return { status, body: { title: STATUS_CODES[status] ?? 'Error', status, detail }, headers };
}

/** Whether JSON is asked for rather than text: named, and text is not named before it. */
export function wantsJson(headers: IncomingHttpHeaders): boolean {
  const ranges = (headers.accept ?? '').toLowerCase().split(',').map(quality);
  const best = (of: RegExp): number => Math.max(0, ...ranges.filter(({ type }) => of.test(type)).map(({ q }) => q));
  const json = best(/^application\/(?:json|\*|[\w.-]+\+json)$/);
  return json > 0 && json >= best(/^text\/(?:plain|\*)$/);
}

function quality(range: string): { readonly type: string; readonly q: number } {
  const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
  const q = Number(parameters.find((part) => part.startsWith('q='))?.slice(2) ?? 1);
  return { type, q: Number.isNaN(q) ? 0 : q };
}

/** An answer as it is sent. */
export function encoded({ status, body, headers = {} }: AdminAnswer): {
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
} {
  if (typeof body === 'string') {
    return { headers: { 'content-type': 'text/plain; charset=utf-8', ...HEADERS, ...headers }, text: body };
  }
  const type = status >= 400 && isProblem(body) ? 'application/problem+json' : 'application/json; charset=utf-8';
  return { headers: { 'content-type': type, ...HEADERS, ...headers }, text: JSON.stringify(body) };
}

const isProblem = (body: unknown): boolean => typeof body === 'object' && body !== null && 'detail' in body;
