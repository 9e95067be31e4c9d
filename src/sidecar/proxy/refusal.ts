import { SignalboxError } from '../../sdk/errors.ts';
import type { Refusal } from '../problem.ts';

/** The caller has stopped sending its body. */
export class StalledCaller extends Error {
  override readonly name = 'StalledCaller';

  constructor() {
    super('nothing more of the body came');
  }
}

/** It answered, with what this caller cannot be given: a status that its protocol does not have, for one. */
export class UnfitAnswer extends Error {
  override readonly name = 'UnfitAnswer';

  constructor(cause: unknown) {
    super('the answer cannot be passed on', { cause });
  }
}

/** What a caller is told of a call that failed before anything of an answer was passed on. */
export function refusalOf(error: unknown, target: string): Refusal {
  if (error instanceof SignalboxError) {
    const refusal = ofSignalbox(error, target);
    return error.unsent ? { ...refusal, unsent: true } : refusal;
  }
  if (error instanceof StalledCaller) return stalled;
  if (error instanceof UnfitAnswer) return unfit(error.cause, target);
  const code = codeOf(error);
  if (TIMEOUTS.has(code)) {
    return {
      status: 504,
      code: 'upstream-timeout',
      title: 'No answer in time',
      detail: `${target} did not begin to answer in time (${code}). Where it needs longer, make egress.timeout, or for the backend ingress.timeout, longer.`,
    };
  }
  return {
    status: 502,
    code: 'upstream-failed',
    title: 'The call failed',
    detail: `${target} could not be called, or broke off before it answered (${code}). The request may have reached it; repeat it if that is safe.`,
  };
}

function ofSignalbox(error: SignalboxError, target: string): Refusal {
  const { code, message, cause, retryAfterMs } = error;
  switch (code) {
    case 'no-instances':
      return unavailable(
        'no-instances',
        'No instance',
        `${target} has no instance that can be called now. Is it registered, and passing?`,
      );
    case 'not-ready':
      return unavailable(
        'not-ready',
        'Not ready',
        `The instances of ${target} are not known yet: Signalbox has not answered. Ask again.`,
        1,
      );
    case 'stale':
      return unavailable(
        'stale',
        'Known too long ago',
        `The instances of ${target} were last known longer ago than signalbox.maxAge allows. Is Signalbox there?`,
        5,
      );
    case 'circuit-open':
      return unavailable(
        'circuit-open',
        'Called too often in vain',
        `So many calls of ${target} failed that none is tried for a moment.`,
        Math.max(1, Math.ceil((retryAfterMs ?? 0) / 1000)),
      );
    case 'overloaded':
      return unavailable(
        'overloaded',
        'Too many calls wait',
        `So many calls wait for instances of ${target} that no more are taken. Ask again in a moment.`,
        1,
      );
    case 'call-failed':
      return error.unsent && !TIMEOUTS.has(codeOf(cause)) ? unreached(cause, target) : refusalOf(cause, target);
    case 'stopped':
      return unavailable('stopping', 'Stopping', 'The sidecar is being stopped.');
    case 'timeout':
      return {
        status: 504,
        code: 'upstream-timeout',
        title: 'No answer in time',
        detail: `${target} did not begin to answer in time. Where it needs longer, make egress.timeout, or for the backend ingress.timeout, longer.`,
      };
    default:
      return {
        status: 502,
        code: 'upstream-failed',
        title: 'The call failed',
        detail: `${target} was not called: ${message}`,
      };
  }
}

const unreached = (cause: unknown, target: string): Refusal => ({
  status: 502,
  code: 'upstream-failed',
  title: 'The call failed',
  detail: `${target} takes no connection (${codeOf(cause)}). Nothing of the request has reached it.`,
});

const unfit = (cause: unknown, target: string): Refusal => ({
  status: 502,
  code: 'upstream-failed',
  title: 'The answer cannot be passed on',
  detail: `${target} answered with a status or a header that cannot be passed on (${codeOf(cause)}). It has done what it was asked for.`,
});

const stalled: Refusal = {
  status: 408,
  code: 'request-timeout',
  title: 'The body does not come',
  detail: 'Nothing more of the body of the request came in time. Send it without such a pause.',
};

const unavailable = (code: string, title: string, detail: string, retryAfterS?: number): Refusal => ({
  status: 503,
  code,
  title,
  detail,
  ...(retryAfterS !== undefined && { retryAfterS }),
});

const TIMEOUTS: ReadonlySet<string> = new Set([
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'ETIMEDOUT',
]);

function codeOf(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  return typeof code === 'string' ? code : typeof name === 'string' ? name : 'unknown';
}
