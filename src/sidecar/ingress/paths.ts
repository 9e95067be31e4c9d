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
 * through as an open one (SEC1).
 */
export function placeOf(target: string, guarded: readonly string[]): Place {
  const path = pathOf(target);
  const plain = plainest(path);
  const isGuarded =
    guarded.some((prefix) => isAtOrBelow(plain, prefix.toLowerCase())) || plain.startsWith(`${HEALTH}/`);
  if (!isGuarded) return { type: 'open' };
  return path.toLowerCase().replace(/\/$/, '') === plain && path.startsWith(prefixOf(plain))
    ? { type: 'guarded', path }
    : { type: 'disguised' };
}

export const pathOf = (target: string): string => target.split(/[?#]/, 1)[0] ?? '';

/** The part of it that decides who is let in is in small letters, as it is guarded. */
const prefixOf = (plain: string): string => plain.slice(0, (plain.indexOf('/', 1) + 1 || plain.length + 1) - 1);

const isAtOrBelow = (path: string, prefix: string): boolean => path === prefix || path.startsWith(`${prefix}/`);

const DECODINGS = 3;

/** The path as the most forgiving backend would read it: decoded, without parameters, dots and doubled slashes, in small letters. */
function plainest(path: string): string {
  let text = path;
  for (let n = 0; n < DECODINGS; n++) {
    const next = text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    if (next === text) break;
    text = next;
  }
  const segments: string[] = [];
  for (const raw of text.replaceAll('\\', '/').split('/')) {
    const segment = raw.split(/[;\0]/, 1)[0]?.trim() ?? '';
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  return `/${segments.join('/')}`.toLowerCase();
}
