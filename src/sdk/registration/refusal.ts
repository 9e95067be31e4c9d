import { SignalboxError, type ProblemDetails } from '../errors.ts';

/** What Signalbox says against a registration. */
export function refusalError(problem: ProblemDetails): SignalboxError {
  if (problem.status === 401) {
    const how = 'Give an access token with `auth`, or in SIGNALBOX_TOKEN.';
    return new SignalboxError('unauthorized', `${textOf(problem)} ${how}`, { problem });
  }
  return new SignalboxError('refused', textOf(problem), { problem });
}

export const awayError = (detail: string): SignalboxError => new SignalboxError('unreachable', detail);

function textOf({ title, detail, errors = [] }: ProblemDetails): string {
  const what = detail ?? title ?? 'Signalbox does not take it.';
  const where = errors.map((error) => `${error.pointer} ${error.detail}`);
  return where.length === 0 ? what : `${what} (${where.join('; ')})`;
}
