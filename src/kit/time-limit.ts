import { parseDuration } from '../domain/duration.ts';

/** What an operator sets for a time is forgotten after a day at the latest. */
const MAX_MS = 24 * 3_600_000;
const MIN_MS = 1000;

/** How long something is to hold, as `for` says it: milliseconds; undefined where there is no limit; a text says what is wrong. */
export function readTimeLimit(value: unknown): number | undefined | string {
  if (value === undefined || value === null) return undefined;
  const ms = typeof value === 'string' ? parseDuration(value) : undefined;
  if (ms !== undefined && ms >= MIN_MS && ms <= MAX_MS) return ms;
  return `for: write a time from 1s to 24h, such as 90s, 10m or 2h`;
}
