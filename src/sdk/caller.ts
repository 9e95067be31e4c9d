import type { TokenSource } from './auth.ts';
import type { Auth } from './options.ts';
import type { Time } from './time.ts';

/**
 * As whom Signalbox is asked, as far as can be told from here: what one caller may see is not shown to another. `kind` `token` is one
 * who is known by nothing but the token; then `key` is the token, which is compared in memory and written nowhere.
 */
export interface Caller {
  readonly kind: 'nobody' | 'client' | 'subject' | 'token';
  readonly key: string;
}

export const isSameCaller = (a: Caller | undefined, b: Caller | undefined): boolean =>
  a !== undefined && b !== undefined && a.kind === b.kind && a.key === b.key;

const NOBODY: Caller = { kind: 'nobody', key: '' };

/** What a token claims is believed: it says whose copy is looked at, and the server what is in it. */
export function callerOf(auth: Auth | undefined, token: string | undefined): Caller {
  const known = knownCaller(auth);
  if (known !== undefined) return known;
  if (token === undefined) return NOBODY;
  const claims = claimsOf(token);
  if (typeof claims?.iss !== 'string' || typeof claims.sub !== 'string') return { kind: 'token', key: token };
  return { kind: 'subject', key: JSON.stringify([claims.iss, claims.sub]) };
}

/** Who needs no token to be told by. */
function knownCaller(auth: Auth | undefined): Caller | undefined {
  if (auth === undefined) return NOBODY;
  if (!('clientCredentials' in auth)) return undefined;
  const { tokenUrl, clientId } = auth.clientCredentials;
  return { kind: 'client', key: JSON.stringify([tokenUrl, clientId]) };
}

/** Of a JWT (RFC 7519), without a look at its signature. */
function claimsOf(token: string): { readonly iss?: unknown; readonly sub?: unknown } | undefined {
  const [, payload, signature, ...more] = token.split('.');
  if (payload === undefined || signature === undefined || more.length > 0) return undefined;
  try {
    const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof claims === 'object' && claims !== null ? claims : undefined;
  } catch {
    return undefined;
  }
}

export interface StartingDeps {
  readonly auth: Auth | undefined;
  readonly tokens: Pick<TokenSource, 'get'>;
  readonly time: Pick<Time, 'after'>;
  /** Milliseconds that a token is waited for. */
  readonly timeoutMs: number;
}

/**
 * Who it is before there is any connection; asked once. Undefined where that takes a token, and none can be had: nobody knows then
 * whose copies may be shown.
 */
export function startingCaller({ auth, tokens, time, timeoutMs }: StartingDeps): () => Promise<Caller | undefined> {
  const known = knownCaller(auth);
  let asked: Promise<Caller | undefined> | undefined;
  const ask = (): Promise<Caller | undefined> =>
    new Promise((resolve) => {
      const end = (caller: Caller | undefined): void => {
        cancel();
        resolve(caller);
      };
      const cancel = time.after(timeoutMs, () => end(undefined));
      tokens.get(false).then(
        (token) => end(callerOf(auth, token)),
        () => end(undefined),
      );
    });
  return () => (asked ??= known === undefined ? ask() : Promise.resolve(known));
}
