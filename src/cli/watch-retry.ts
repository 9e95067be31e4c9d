import { mayRetry } from '../protocol/close-codes.ts';

export interface Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
}

export const BACKOFF: Backoff = { baseMs: 250, maxMs: 5_000 };

/** A server is not believed when it asks for a longer pause. */
const LONGEST_ASKED_MS = 5 * 60_000;

/** Full jitter: anything up to a bound that doubles with every failure, so that a thousand clients do not return at once. */
export const backoffMs = (failures: number, random: number, { baseMs, maxMs }: Backoff = BACKOFF): number =>
  Math.round(random * Math.min(maxMs, baseMs * 2 ** Math.min(failures, 30)));

/** What a client knows when it has to decide when to return. */
export interface Attempt {
  readonly failures: number;
  /** From 0 up to 1. */
  readonly random: number;
  /** As the last `welcome` has it. */
  readonly resumeWithin?: number | undefined;
  readonly backoff?: Backoff;
}

/**
 * After a connection that broke without a word: many others lost theirs with it, and the server has said over how long they
 * are to return. From then on as ever.
 */
export function afterBreak({ failures, random, resumeWithin, backoff = BACKOFF }: Attempt): number {
  if (failures > 0 || resumeWithin === undefined) return backoffMs(failures, random, backoff);
  return Math.round(random * Math.min(resumeWithin, LONGEST_ASKED_MS));
}

export type AfterClose =
  | { readonly do: 'retry'; readonly afterMs: number; readonly why: string }
  | { readonly do: 'stop'; readonly why: string };

/** Codes of the protocol itself; below them the connection broke, whoever says so. */
const FIRST_CODE = 4000;

/** What the end of a connection asks of the client, by its close code and reason. */
export function afterClose(code: number, reason: string, attempt: Attempt): AfterClose {
  if (!mayRetry(code)) return { do: 'stop', why: reason || `the server closed the connection with ${code}` };
  const { failures, random, backoff = BACKOFF } = attempt;
  const own = code < FIRST_CODE ? afterBreak(attempt) : backoffMs(failures, random, backoff);
  return { do: 'retry', afterMs: retryAfterOf(reason) ?? own, why: inWords(code) };
}

/** The server spreads its clients itself when it says when to return. */
function retryAfterOf(reason: string): number | undefined {
  try {
    const { retryAfterMs } = JSON.parse(reason) as { retryAfterMs?: unknown };
    if (typeof retryAfterMs !== 'number' || !(retryAfterMs >= 0)) return undefined;
    return Math.min(retryAfterMs, LONGEST_ASKED_MS);
  } catch {
    return undefined;
  }
}

function inWords(code: number): string {
  switch (code) {
    case 4000:
      return 'the server is going away';
    case 4001:
      return 'this command read too slowly';
    case 4002:
      return 'the server heard nothing from here';
    case 4003:
      return 'the server holds as many watchers as it may';
    case 4004:
      return 'the token has expired';
    case 4005:
      return 'the server is behind what was seen here, and cannot read its log';
    default:
      return `the connection broke (${code})`;
  }
}

/** Whether a connection that was quiet for so long is dead; one `ping` is sent halfway, to make a living server speak. */
export function silence(quietMs: number, heartbeatMs: number): 'fine' | 'ask' | 'dead' {
  if (quietMs >= heartbeatMs * 3) return 'dead';
  return quietMs >= heartbeatMs * 1.5 ? 'ask' : 'fine';
}
