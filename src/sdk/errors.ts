/**
 * What can go wrong, in codes that stay:
 *
 * - `not-ready`: no complete snapshot yet (PUSH7); wait for `ready()`.
 * - `timeout`: something took longer than its option allows.
 * - `stopped`: the client, the watch or the service was closed.
 * - `stale`: what is held is older than `maxAge` allows.
 * - `refused`: Signalbox does not take it; `problem` says why.
 * - `unauthorized`: Signalbox does not take the token, or there is none.
 * - `unreachable`: no address of Signalbox answers.
 * - `protocol`: the server speaks no version of the push protocol that is spoken here.
 * - `no-instances`: the service has no instance that can be called.
 * - `circuit-open`: so many calls of the service failed that none is tried for a moment; `retryAfterMs` says for how long.
 * - `overloaded`: so many calls wait for a connection to the instance that no more may.
 * - `call-failed`: no instance answered; `cause` is what happened at the last one.
 * - `invalid-options`: what was passed in makes no sense; the message names the option.
 */
export type ErrorCode =
  | 'not-ready'
  | 'timeout'
  | 'stopped'
  | 'stale'
  | 'refused'
  | 'unauthorized'
  | 'unreachable'
  | 'protocol'
  | 'no-instances'
  | 'circuit-open'
  | 'overloaded'
  | 'call-failed'
  | 'invalid-options';

/** What Signalbox answered: problem+json (RFC 9457), or as much of it as there was. */
export interface ProblemDetails {
  readonly type?: string;
  readonly title?: string;
  readonly status?: number;
  readonly detail?: string;
  /** With a registration: what is wrong with which field; `pointer` is a JSON pointer into it. */
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
}

/** With these no instance was called. */
const NOBODY_CALLED: ReadonlySet<ErrorCode> = new Set([
  'not-ready',
  'stale',
  'no-instances',
  'circuit-open',
  'overloaded',
]);

/** Every error of this library. `code` says what happened, `message` what to do about it. */
export class SignalboxError extends Error {
  override readonly name = 'SignalboxError';
  readonly code: ErrorCode;
  readonly problem: ProblemDetails | undefined;
  /** Milliseconds before it makes sense to try again, where that is known. */
  readonly retryAfterMs: number | undefined;
  /** Of a call: true where repeating it does no harm, be it because no instance has received it or because it is idempotent. */
  readonly unsent: boolean;

  constructor(
    code: ErrorCode,
    message: string,
    about: {
      readonly problem?: ProblemDetails;
      readonly cause?: unknown;
      readonly retryAfterMs?: number;
      readonly unsent?: boolean;
    } = {},
  ) {
    super(message, about.cause === undefined ? undefined : { cause: about.cause });
    this.code = code;
    this.problem = about.problem;
    this.retryAfterMs = about.retryAfterMs;
    this.unsent = about.unsent ?? NOBODY_CALLED.has(code);
  }
}
