import { mayRetry } from '../../protocol/close-codes.ts';
import { SignalboxError, type ErrorCode } from '../errors.ts';
import { LONGEST_ASKED_MS, retryAfterOf } from './backoff.ts';
import type { LinkEnd } from './link.ts';

/** What the end of a link asks of the client. */
export type Verdict =
  /** Another attempt after a pause. `broke`: without a word, so that others come back at the same time. */
  | { readonly do: 'again'; readonly error: SignalboxError; readonly afterMs?: number; readonly broke?: true }
  /** Something in between does not let this carrier through. */
  | { readonly do: 'other-carrier'; readonly error: SignalboxError }
  /** The token holds no longer, or never did. `isOwn`: it is Signalbox that says so. */
  | { readonly do: 'other-token'; readonly error: SignalboxError; readonly isOwn: boolean }
  /** It does not take this request. `mayChange`: another token, or another right, would help. */
  | { readonly do: 'denied'; readonly error: SignalboxError; readonly mayChange: boolean }
  /** Trying again does not help. */
  | { readonly do: 'stop'; readonly error: SignalboxError };

/** Codes of the protocol itself; below them the connection broke, whoever says so. */
const FIRST_CODE = 4000;
const TOKEN_ENDED = 4004;

/** Whether it is Signalbox that has closed, so that its frames do get through. */
export const isOwnCode = (code: number): boolean => code >= FIRST_CODE;

export function verdictOf(end: LinkEnd, url: string): Verdict {
  switch (end.type) {
    case 'closed':
      return closed(end.code, end.reason, url);
    case 'refused':
      return refused(end, url);
    case 'unreachable':
      return { do: 'again', error: new SignalboxError('unreachable', end.detail), broke: true };
  }
}

function closed(code: number, reason: string, url: string): Verdict {
  if (!mayRetry(code)) {
    return { do: 'stop', error: new SignalboxError('refused', reason || `${url} closed the connection with ${code}.`) };
  }
  if (code === TOKEN_ENDED) {
    return { do: 'other-token', error: new SignalboxError('unauthorized', inWords(code)), isOwn: true };
  }
  const afterMs = retryAfterOf(reason);
  return {
    do: 'again',
    error: new SignalboxError('unreachable', inWords(code), { cause: { closeCode: code } }),
    ...(afterMs !== undefined && { afterMs }),
    ...(!isOwnCode(code) && { broke: true as const }),
  };
}

function refused(end: Extract<LinkEnd, { type: 'refused' }>, url: string): Verdict {
  const { status, detail, problem } = end;
  const about = problem === undefined ? {} : { problem };
  const error = (kind: ErrorCode, message = detail): SignalboxError => new SignalboxError(kind, message, about);
  if (status === 401) return { do: 'other-token', error: error('unauthorized'), isOwn: problem !== undefined };
  if (status === 403 && problem !== undefined) return { do: 'denied', error: error('refused'), mayChange: true };
  const busy = status === 408 || status === 425 || status === 429 || status >= 500;
  if (busy && (problem !== undefined || (status !== 501 && status !== 502 && status !== 505))) {
    const afterMs = end.retryAfterMs === undefined ? undefined : Math.min(end.retryAfterMs, LONGEST_ASKED_MS);
    return { do: 'again', error: error('unreachable'), ...(afterMs !== undefined && { afterMs }) };
  }
  if (problem === undefined || status === 426) {
    return {
      do: 'other-carrier',
      error: error('refused', `${url} was answered with ${status}, which is not an answer of Signalbox.`),
    };
  }
  if (isAboutVersions(problem)) return { do: 'stop', error: error('protocol') };
  return { do: 'denied', error: error('refused'), mayChange: false };
}

const isAboutVersions = (problem: object): boolean => /sec-websocket-protocol/i.test(JSON.stringify(problem));

export function inWords(code: number): string {
  switch (code) {
    case 4000:
      return 'the server is going away';
    case 4001:
      return 'this client read too slowly';
    case 4002:
      return 'the server heard nothing from here';
    case 4003:
      return 'the server holds as many watchers as it may';
    case TOKEN_ENDED:
      return 'the token has expired';
    case 4005:
      return 'the server is behind what was seen here, and cannot read its log';
    default:
      return `the connection broke (${code})`;
  }
}
