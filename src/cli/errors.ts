import type { FieldError, Violation } from '../domain/errors.ts';

/** What the command's exit code says; `signalbox --help` lists the same. */
export const EXIT = {
  ok: 0,
  /** The server refused, or something else went wrong. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** Nothing answers at the server's address. */
  unreachable: 3,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** One mistake in a request: in its body, its query or a header field. */
export interface ErrorBody extends Partial<FieldError> {
  readonly parameter?: string;
  readonly header?: string;
  /** The resource that the pointer leads into, or through. */
  readonly resource?: string;
  /** Where the command read it: file, line, and the field by its dotted path. */
  readonly place?: string;
  readonly field?: string;
}

/** What a server says when it does not do what was asked (RFC 9457), as far as it is shown. */
export interface ProblemBody {
  readonly type?: string;
  readonly title?: string;
  readonly status?: number;
  readonly detail?: string;
  readonly errors?: readonly ErrorBody[];
  readonly violations?: readonly Violation[];
  readonly retryAfter?: number;
  readonly requestId?: string;
}

/** A failure with a sentence for the person at the terminal. Anything else that is thrown is a mistake of this program. */
export class CliError extends Error {
  readonly exitCode: ExitCode;
  readonly problem: ProblemBody;

  constructor(exitCode: ExitCode, problem: ProblemBody & { readonly title: string }, options?: { cause?: unknown }) {
    super(problem.detail ?? problem.title, options);
    this.name = 'CliError';
    this.exitCode = exitCode;
    this.problem = problem;
  }
}

export const usageError = (detail: string): CliError =>
  new CliError(EXIT.usage, { title: 'The command line is wrong', detail });

export const failure = (title: string, detail?: string): CliError =>
  new CliError(EXIT.failed, detail === undefined ? { title } : { title, detail });

export const unreachable = (detail: string, cause?: unknown): CliError =>
  new CliError(EXIT.unreachable, { title: 'Signalbox cannot be reached', detail }, { cause });

/** The server's own refusal. */
export const refused = (problem: ProblemBody): CliError =>
  new CliError(EXIT.failed, { ...problem, title: problem.title ?? 'The server refused' });

/** Not a failure of this command: the exit code of another one, which it ran, is its own. */
export class EndedWith extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`the command ended with ${code}`);
    this.name = 'EndedWith';
    this.code = code;
  }
}
