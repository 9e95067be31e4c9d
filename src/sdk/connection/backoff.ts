export interface Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
}

export const BACKOFF: Backoff = { baseMs: 250, maxMs: 5_000 };

/** A server is not believed when it asks for a longer pause. */
export const LONGEST_ASKED_MS = 5 * 60_000;

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

/** The server spreads its clients itself when it says when to return. */
export function retryAfterOf(reason: string): number | undefined {
  try {
    const { retryAfterMs } = JSON.parse(reason) as { retryAfterMs?: unknown };
    if (typeof retryAfterMs !== 'number' || !(retryAfterMs >= 0)) return undefined;
    return Math.min(retryAfterMs, LONGEST_ASKED_MS);
  } catch {
    return undefined;
  }
}
