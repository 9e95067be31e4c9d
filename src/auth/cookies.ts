/** The value of a cookie in a request's header; of several with a name the first, which is that of the longest path (RFC 6265, section 5.4). */
export function readCookie(header: string | undefined, name: string): string | undefined {
  for (const pair of header?.split(';') ?? []) {
    const at = pair.indexOf('=');
    if (at !== -1 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return undefined;
}

/**
 * A Set-Cookie for this host and all its paths, which no script reads and no other site sends along with more than a link.
 * Without `seconds` it goes with the browser; an empty value removes it.
 */
export function writeCookie(name: string, value: string, options: { secure: boolean; seconds?: number }): string {
  const seconds = value === '' ? 0 : options.seconds;
  const parts = [`${name}=${value}`, 'Path=/', 'HttpOnly', 'SameSite=Lax'];
  if (options.secure) parts.push('Secure');
  if (seconds !== undefined) parts.push(`Max-Age=${seconds}`);
  return parts.join('; ');
}
