import type { LinkEnd } from '../connection/link.ts';
import type { ProblemDetails } from '../errors.ts';
import { isOwnProblem } from '../own-problem.ts';

/** An answer where a feed was asked for. */
export interface HttpAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly retryAfter: string | undefined;
  /** What was asked. */
  readonly url: string;
}

/** What such an answer is the end of: whether it is Signalbox's own decides what helps. */
export function answerOf({ status, type, body, retryAfter, url }: HttpAnswer): LinkEnd {
  const problem = type.includes('json') ? problemOf(body) : undefined;
  const detail = problem?.detail ?? problem?.title ?? `${url} was answered with ${status}.`;
  const retryAfterMs = Number(retryAfter ?? '') * 1000;
  return {
    type: 'refused',
    status,
    detail,
    ...(retryAfter !== undefined && retryAfterMs >= 0 && { retryAfterMs }),
    ...(problem !== undefined && { problem: { status, ...problem } }),
  };
}

/** A problem of Signalbox's own; a gateway has problems as well. */
export const ownProblem = <P extends ProblemDetails>(problem: P | null | undefined): P | undefined =>
  isOwnProblem(problem) ? (problem ?? undefined) : undefined;

function problemOf(body: string): ProblemDetails | undefined {
  try {
    return ownProblem(JSON.parse(body) as ProblemDetails | null);
  } catch {
    return undefined;
  }
}
