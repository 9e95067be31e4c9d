import { accessToken } from './access-token.ts';
import { ClientCredentials } from './client-credentials.ts';
import { SignalboxError } from './errors.ts';
import type { Auth } from './options.ts';
import type { Parts } from './parts.ts';

/** Where access tokens come from. */
export interface TokenSource {
  /** Another one may be had later; a fixed one stays what it is. */
  readonly renewable: boolean;
  /**
   * Undefined where none is needed. `anew`: the last one was not taken, or is about to end.
   * @throws whatever keeps it from being had; it is asked for again after a pause.
   */
  get(anew: boolean): Promise<string | undefined>;
}

/** @throws SignalboxError `invalid-options`. */
export function tokenSource(auth: Auth | undefined, { time, readFile }: Pick<Parts, 'time' | 'readFile'>): TokenSource {
  if (auth === undefined) return NONE;
  if ('clientCredentials' in auth) return new ClientCredentials(auth.clientCredentials, () => time.now());
  if ('tokenFile' in auth) {
    if (readFile === undefined) {
      throw new SignalboxError('invalid-options', 'auth takes a tokenFile only where there are files; use a token.');
    }
    return { renewable: true, get: () => readToken(auth.tokenFile, readFile) };
  }
  const { token } = auth;
  if (typeof token === 'string') return { renewable: false, get: async () => accessToken(token, 'The token in auth') };
  return { renewable: true, get: async () => given(await token()) };
}

const NONE: TokenSource = { renewable: false, get: () => Promise.resolve(undefined) };

const given = (token: string | undefined): string | undefined =>
  token === undefined ? undefined : accessToken(token, 'What the token function of auth gave');

/** Whoever keeps the file current may do so at any time: it is read whenever a token is needed, which is seldom. */
async function readToken(file: string, readFile: NonNullable<Parts['readFile']>): Promise<string> {
  return accessToken(await readFile(file), `The token file ${file}`);
}

const LOOPBACK = /^(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])$/;

/** Whether what is sent there can be read by nobody else on the way. */
export function isPrivate(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' || LOOPBACK.test(hostname);
}
