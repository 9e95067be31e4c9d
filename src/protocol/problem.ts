import type { FieldError, Refusal, Violation } from '../domain/errors.ts';
import { PROBLEMS, problemType, type ProblemCode } from './problem-catalogue.ts';

/** An error in the URL's query or in a header field, beside the domain's errors in the body. */
export type RequestError =
  /** `resource` is the name of the document that the pointer leads into, where a body has several. */
  | (FieldError & { readonly resource?: string })
  | { readonly parameter: string; readonly detail: string }
  | { readonly header: string; readonly detail: string };

/** What a problem says beside its type. */
export interface ProblemDetails {
  readonly detail: string;
  readonly errors?: readonly RequestError[];
  readonly violations?: readonly Violation[];
  /** Seconds; also sent as Retry-After. */
  readonly retryAfter?: number;
  /** With precondition-failed: the revision that the resource has. */
  readonly revision?: number;
  /** With start-over: why, and the position to go on from. */
  readonly reason?: string;
  readonly head?: { readonly epoch: string; readonly revision: number };
}

/** A problem as an error: thrown by what reads a request, answered by the edge's error handler. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly details: ProblemDetails;

  constructor(code: ProblemCode, details: ProblemDetails | string) {
    const all = typeof details === 'string' ? { detail: details } : details;
    super(all.detail);
    this.name = 'Problem';
    this.code = code;
    this.details = all;
  }

  get status(): number {
    return PROBLEMS[this.code].status;
  }
}

/** A parameter of the query that is wrong. */
export const badParameter = (parameter: string, detail: string): Problem =>
  new Problem('invalid', { detail: `${parameter} ${detail}`, errors: [{ parameter, detail }] });

export const badHeader = (header: string, detail: string): Problem =>
  new Problem('invalid', { detail: `${header} ${detail}`, errors: [{ header, detail }] });

/** An answer lists so many errors or violations at most, and says how many there are. */
const MAX_LISTED = 5000;

function conflict(detail: string, violations: readonly Violation[]): ProblemDetails {
  if (violations.length <= MAX_LISTED) return { detail, violations };
  const listed = violations.slice(0, MAX_LISTED);
  return {
    detail: `${detail} The first ${MAX_LISTED} are listed; the rest shows when these are mended.`,
    violations: listed,
  };
}

export function fromRefusal(refusal: Refusal): Problem {
  switch (refusal.code) {
    case 'invalid':
      return new Problem('invalid', { detail: refusal.detail, errors: refusal.errors.slice(0, MAX_LISTED) });
    case 'forbidden':
      return new Problem('forbidden', refusal.detail);
    case 'not-found':
      return new Problem('not-found', refusal.detail);
    case 'quota-exceeded':
      return new Problem('quota-exceeded', `${refusal.detail}.`);
    case 'precondition-failed':
      return new Problem('precondition-failed', {
        detail: refusal.detail,
        ...(refusal.revision !== undefined && { revision: refusal.revision }),
      });
    case 'conflict':
      return new Problem('conflict', conflict(refusal.detail, refusal.violations));
  }
}

/** The body of the answer (RFC 9457, `application/problem+json`). */
export const renderProblem = (code: ProblemCode, details: ProblemDetails, requestId: string | undefined): string =>
  JSON.stringify({
    type: problemType(code),
    title: PROBLEMS[code].title,
    status: PROBLEMS[code].status,
    ...details,
    requestId,
  });
