const MAX_LENGTH = 2000;
/** Any host will do: what leads away from it is no local path. */
const HERE = 'http://here.invalid';

/**
 * Where to go after logging in: the path that was asked for if it is one of this server, else `otherwise`. Browsers read
 * `//host`, `/\host` and some with control characters in them as other servers, so a path is taken only if a browser's
 * own reading of it stays here.
 */
export function returnTo(asked: unknown, otherwise: string): string {
  if (typeof asked !== 'string' || asked.length > MAX_LENGTH) return otherwise;
  if (!/^\/(?![/\\])[\x21-\x7e]*$/.test(asked) || asked.includes('\\')) return otherwise;
  if (!URL.canParse(asked, HERE)) return otherwise;
  const { origin, pathname, search, hash } = new URL(asked, HERE);
  if (origin !== HERE || pathname.startsWith('//')) return otherwise;
  return pathname + search + hash;
}
