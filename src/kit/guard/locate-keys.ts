/** Where an issuer publishes its keys: as told, or as its discovery document says (OpenID Connect Discovery, RFC 8414). */
export async function locateKeys(issuer: string, told: string | undefined, timeoutMs: number): Promise<URL> {
  if (told !== undefined) return safe(told, 'guard.jwksUri');
  const url = safe(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, 'guard.issuer');
  const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok) throw new Error(`its discovery document is answered with ${response.status}`);
  const { issuer: named, jwks_uri: uri } = ((await response.json()) ?? {}) as Readonly<Record<string, unknown>>;
  if (named !== issuer) throw new Error('its discovery document is of another issuer');
  if (typeof uri !== 'string') throw new Error('its discovery document names no jwks_uri');
  return safe(uri, 'its jwks_uri');
}

/** Keys that somebody in between could exchange prove nothing; what stays on this machine is safe. */
function safe(text: string, what: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) throw new Error(`${what} is no URL`);
  const local = /^(?:localhost|127\.[\d.]+|\[::1\])$/.test(url.hostname);
  if (url.protocol === 'https:' || (url.protocol === 'http:' && local)) return url;
  throw new Error(`${what} does not begin with https://`);
}
