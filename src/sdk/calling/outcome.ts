import type { Outcome } from '../discovery/endpoint.ts';

/**
 * Whether a status says that the instance could not do its work. 501 and 505 say what it never does, and 4xx what is wrong with the
 * request.
 */
export function isFailure(status: number): boolean {
  return status >= 500 && status !== 501 && status !== 505;
}

/** How an attempt ended: with an answer, because nobody wanted it any more, or without one. */
export type Ending =
  | { readonly type: 'answered'; readonly status: number }
  /** `answered` before it broke, or not: what was begun and not ended is no good answer. */
  | { readonly type: 'broken' }
  | { readonly type: 'cancelled' };

export function outcomeOf(ending: Ending): Outcome {
  switch (ending.type) {
    case 'answered':
      return isFailure(ending.status) ? 'failed' : 'ok';
    case 'broken':
      return 'failed';
    case 'cancelled':
      return 'cancelled';
  }
}

/** Errors that come from here: the request makes no sense, or nothing was asked of the instance. */
const OURS = new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH', 'overloaded', 'stopped']);

/** The other side ended the connection, as it may at any time when nothing is under way. */
const RESETS = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

/** Whether a connection was ended by the other side. */
export function isReset(error: Error): boolean {
  return 'code' in error && typeof error.code === 'string' && RESETS.has(error.code);
}

/** Whether an error says something about the instance or the way to it. */
export function isBlamed(error: Error): boolean {
  return !('code' in error && typeof error.code === 'string' && OURS.has(error.code));
}
