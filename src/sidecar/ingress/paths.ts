import { readingsOf, tidy } from './readings.ts';

/** What a path leads to, before anybody is let in. */
export type Place =
  /** Everybody may go on to the backend. */
  | { readonly type: 'open' }
  /** Only bearers of an admin token; `path` is as it was sent, without the query. */
  | { readonly type: 'guarded'; readonly path: string }
  /** It may mean a guarded path to the backend, but is not written as one. */
  | { readonly type: 'disguised' };

/** Of the sidecar's own; `/health` itself is open. */
const HEALTH = '/health';

/**
 * Whether a path is guarded. Backends read paths in ways of their own: what any of them could take for a guarded path is not let
 * through as an open one (SEC1). `target` is what `isTarget` takes.
 */
export function placeOf(target: string, guarded: readonly string[]): Place {
  const path = pathOf(target);
  const readings = readingsOf(path);
  if (readings === undefined) return { type: 'disguised' };
  const prefixes = guarded.map((prefix) => prefix.toLowerCase());
  let isGuarded = false;
  for (const reading of readings) isGuarded ||= isBelowAny(tidy(reading), prefixes);
  if (!isGuarded) return { type: 'open' };
  const isPlain = readings.size === 1 && readings.has(path.toLowerCase());
  return isPlain && tidy(path) === path && isBelowAny(path, guarded)
    ? { type: 'guarded', path }
    : { type: 'disguised' };
}

/** A path and a query in visible ASCII, as RFC 9112 has it (3.2.1). A fragment is read by some as the end of the path, by others not. */
export const isTarget = (target: string): boolean => /^\/[!"$-~]*$/.test(target);

export const pathOf = (target: string): string => target.split('?', 1)[0] ?? '';

const isBelowAny = (path: string, prefixes: readonly string[]): boolean =>
  path.startsWith(`${HEALTH}/`) || prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}/`));
