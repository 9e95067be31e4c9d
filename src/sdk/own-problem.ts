import type { ProblemDetails } from './errors.ts';

/** Types of Signalbox's own problems. */
const OURS = '/problems/';

/** Whether a problem is Signalbox's own: gateways and proxies answer in JSON too, and know nothing of what was asked. */
export const isOwnProblem = (problem: ProblemDetails | null | undefined): boolean =>
  typeof problem?.type === 'string' && problem.type.startsWith(OURS);
