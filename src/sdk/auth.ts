import { ClientCredentials } from './client-credentials.ts';
import { SignalboxError } from './errors.ts';
import type { Auth } from './options.ts';

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

export function tokenSource(auth: Auth | undefined, clock: () => number): TokenSource {
  if (auth === undefined) return fixed(undefined);
  if ('clientCredentials' in auth) return new ClientCredentials(auth.clientCredentials, clock);
  if ('tokenFile' in auth) return { renewable: true, get: () => readToken(auth.tokenFile) };
  const { token } = auth;
  if (typeof token === 'string') return fixed(token);
  return { renewable: true, get: async () => token() };
}

const fixed = (token: string | undefined): TokenSource => ({ renewable: false, get: () => Promise.resolve(token) });

/** Whoever keeps the file current may do so at any time: it is read whenever a token is needed, which is seldom. */
async function readToken(file: string): Promise<string> {
  // Only Node has files, and only who names one needs this.
  const { readFile } = await import('node:fs/promises');
  const token = (await readFile(file, 'utf8')).trim();
  if (token === '') throw new SignalboxError('unauthorized', `The token file ${file} is empty.`);
  return token;
}

const LOOPBACK = /^(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])$/;

/** Whether what is sent there can be read by nobody else on the way. */
export function isPrivate(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' || LOOPBACK.test(hostname);
}
