import { CLOSE } from '../../protocol/close-codes.ts';
import type { ErrorFrame } from '../../protocol/frames.ts';
import type { LinkEnd } from '../connection/link.ts';
import type { ProblemDetails } from '../errors.ts';
import { codeOf, whyUnreachable } from './why-unreachable.ts';

/** A problem of Signalbox, with what only some of them have. */
export interface Problem extends ProblemDetails {
  readonly retryAfter?: number;
  readonly reason?: string;
  readonly head?: { readonly epoch: string; readonly revision: number };
}

/** A request that was answered with something else than what was asked for. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;
  /** Undefined where the answer is not Signalbox's own. */
  readonly problem: Problem | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(status: number, problem: Problem | undefined, retryAfter: string | null, detail = `HTTP ${status}`) {
    super(problem?.detail ?? problem?.title ?? detail);
    this.status = status;
    this.problem = problem;
    const seconds = problem?.retryAfter ?? (retryAfter === null ? NaN : Number(retryAfter));
    this.retryAfterMs = Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
  }
}

/** A list that one subscription begins with may not be read: no other subscription is meant by that. */
export class ListRefusal extends Refusal {}

/** The link is over, as if a socket had been closed with this code. */
export class Closed extends Error {
  override readonly name = 'Closed';
  readonly code: number;

  constructor(code: number, reason: string) {
    super(reason);
    this.code = code;
  }
}

/** Of RFC 6455: the connection is gone, and nobody has said why. */
export const BROKEN = 1006;

/** How a link ends that failed so. `isOpen`: there was a welcome before. */
export function endOf(error: unknown, { isOpen, url }: { readonly isOpen: boolean; readonly url: string }): LinkEnd {
  if (error instanceof Closed) return { type: 'closed', code: error.code, reason: error.message };
  if (error instanceof Refusal) return refusalEnd(error, isOpen);
  if (isOpen) return { type: 'closed', code: BROKEN, reason: reasonOf(error) };
  const isUnheard = NO_CONNECTION.test(codeOf(error) ?? '');
  return { type: 'unreachable', detail: whyUnreachable(url, error), ...(isUnheard && { reached: false }) };
}

/** There was not even a connection. Node says so; a browser keeps it to itself. */
const NO_CONNECTION = /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)$/;

function refusalEnd({ status, message, retryAfterMs, problem }: Refusal, isOpen: boolean): LinkEnd {
  // Nobody but Signalbox can say that a token or a right has ended.
  const hasEnded = isOpen && problem !== undefined;
  if (hasEnded && status === 401) return { type: 'closed', code: CLOSE.tokenEnded, reason: message };
  if (hasEnded && status === 403) return { type: 'closed', code: CLOSE.accessEnded, reason: message };
  return {
    type: 'refused',
    status,
    detail: message,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(problem !== undefined && { problem }),
  };
}

/** `fetch` says only that it failed; why is in its cause. Its errors need not be of this realm's `Error`. */
export function reasonOf(error: unknown): string {
  const { message = String(error), cause } = (error ?? {}) as { readonly message?: string; readonly cause?: unknown };
  return cause === undefined ? message : `${message}: ${reasonOf(cause)}`;
}

/** What a refused subscription is told where only it is meant; undefined where the link cannot go on. */
export function subscriptionError(id: string, refusal: Refusal): ErrorFrame | undefined {
  const { status, problem, message, retryAfterMs } = refusal;
  if (refusal instanceof ListRefusal) return errorFrame(id, 'forbidden', message);
  if (status === 400) return errorFrame(id, 'bad-select', problem?.errors?.[0]?.detail ?? message);
  if (status === 409) return errorFrame(id, 'quota-exceeded', message);
  if (status === 429) return errorFrame(id, 'rate-limited', message, { retryAfterMs: retryAfterMs ?? 1000 });
  return undefined;
}

export const errorFrame = (
  id: string | undefined,
  code: ErrorFrame['code'],
  message: string,
  more: Pick<ErrorFrame, 'errors' | 'retryAfter' | 'retryAfterMs'> = {},
): ErrorFrame => ({ type: 'error', ...(id !== undefined && { id }), code, message, ...more });
