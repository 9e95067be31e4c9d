import type { ProblemDetails } from '../errors.ts';
import { isOwnProblem } from '../own-problem.ts';
import type { Answer } from './desk.ts';

/** What came over HTTP, as far as it was read. */
export interface HttpReply {
  readonly status: number;
  readonly contentType: string;
  readonly retryAfter: string | null;
  readonly text: string;
  /** Such as `POST http://127.0.0.1:4400/v1/instances`. */
  readonly request: string;
}

type Failure = Exclude<Answer<never>, { type: 'done' }>;

/** A server is not believed when it asks for a longer pause. */
const LONGEST_ASKED_S = 60;

/** What a reply means that is no success. `there`: it was about an instance that may be gone. */
export function failureOf(reply: HttpReply, there: boolean): Failure {
  const { status } = reply;
  const problem = problemIn(reply);
  if (problem === undefined) return notSignalbox(reply);
  if (status === 404 && there) return { type: 'gone' };
  if (status !== 408 && status !== 425 && status !== 429 && status < 500) {
    return { type: 'refused', problem: { status, ...problem } };
  }
  const detail =
    textOf(problem['detail']) ?? textOf(problem['title']) ?? `${reply.request} was answered with ${status}.`;
  const seconds = secondsOf(problem['retryAfter']) ?? secondsOf(reply.retryAfter ?? undefined);
  if (seconds === undefined) return { type: 'away', detail };
  return { type: 'away', detail, retryAfterMs: Math.min(Math.max(seconds, 0), LONGEST_ASKED_S) * 1000 };
}

/** Something else stands at this address, or in front of it. */
export const notSignalbox = ({ request, status }: HttpReply): Failure => ({
  type: 'away',
  detail: `${request} was answered with ${status}, and not by Signalbox: check the address.`,
});

export const isSuccess = ({ status }: HttpReply): boolean => status >= 200 && status < 300;

/** Whether it is an answer of Signalbox at all: nothing, JSON or one of its own problems. A redirect is none. */
export const isOfSignalbox = (reply: HttpReply): boolean =>
  isSuccess(reply) ? reply.text === '' || objectOf(reply) !== undefined : problemIn(reply) !== undefined;

/** The type of a problem, such as `health-checks-off`. */
export const problemCode = (reply: HttpReply): string | undefined => problemIn(reply)?.type?.split('/').at(-1);

const objectOf = ({ contentType, text }: HttpReply): ReturnType<typeof objectIn> =>
  contentType.includes('json') ? objectIn(text) : undefined;

function problemIn(reply: HttpReply): ReturnType<typeof objectIn> {
  const problem = objectOf(reply);
  return isOwnProblem(problem) ? problem : undefined;
}

export function objectIn(text: string): (ProblemDetails & Readonly<Record<string, unknown>>) | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? { ...parsed } : undefined;
  } catch {
    return undefined;
  }
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

function secondsOf(value: unknown): number | undefined {
  const seconds = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  return typeof seconds === 'number' && Number.isFinite(seconds) ? seconds : undefined;
}
