import { Credentials, type Login } from './credentials.ts';
import { failure } from './errors.ts';
import type { Token } from './http.ts';
import type { Io } from './io.ts';
import { Openid } from './openid.ts';

/** A token is renewed when it has less to live than this, so that it does not end on the way. */
const EARLY_MS = 30_000;

/** The access token of the login for a server, renewed where it has to be; `undefined` where nobody is logged in. */
export function savedToken(server: string, io: Pick<Io, 'env'>): ReturnType<Token> {
  const credentials = new Credentials(io);
  const login = credentials.find(server);
  if (login === undefined || isFresh(login)) return login?.accessToken;
  // Issuers take a refresh token once, and another command may be at it.
  return credentials.locked(async () => {
    const now = credentials.find(server);
    if (now === undefined || isFresh(now)) return now?.accessToken;
    const renewed = await renew(now);
    if (renewed === undefined) throw failure('Your login has ended', `Log in again: signalbox login --url ${server}`);
    credentials.write(server, renewed);
    return renewed.accessToken;
  });
}

const isFresh = ({ expiresAt }: Login): boolean => Date.now() < expiresAt - EARLY_MS;

async function renew(login: Login): Promise<Login | undefined> {
  if (login.refreshToken === undefined) return Date.now() < login.expiresAt ? login : undefined;
  return (await openidOf(login)).renew(login);
}

export const openidOf = ({ issuer, clientId, resource }: Login): Promise<Openid> =>
  Openid.open({ issuer, clientId, scopes: [], parameters: {}, ...(resource !== undefined && { resource }) });
