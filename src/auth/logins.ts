import type { SessionRows } from '../store/port.ts';
import { hashOf, isCredential, newCredential } from './credentials.ts';
import type { Pending, ProviderClient } from './provider-client.ts';
import type { SessionData } from './session-data.ts';
import type { Renew } from './session-renewal.ts';
import type { Sessions } from './sessions.ts';

/** So long a person may take to sign in. */
export const SIGN_IN_MS = 600_000;

interface SignIn extends Pending {
  readonly issuer: string;
  readonly returnTo: string;
}

export type Finished =
  | {
      readonly ok: true;
      readonly credential: string;
      readonly data: SessionData;
      readonly returnTo: string;
    }
  | { readonly ok: false; readonly away: boolean; readonly why: string; readonly issuer?: string };

export interface LoginsDeps {
  /** Known once the server listens. */
  readonly clients: () => readonly ProviderClient[];
  readonly rows: SessionRows;
  readonly sessions: Pick<Sessions, 'start' | 'end'>;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly random: (bytes: number) => Buffer;
}

/** How people sign in with a browser: what is remembered between leaving for the issuer and coming back, and what comes of it. */
export class Logins {
  readonly #deps: LoginsDeps;

  constructor(deps: LoginsDeps) {
    this.#deps = deps;
  }

  get clients(): readonly ProviderClient[] {
    return this.#deps.clients();
  }

  of(issuer: string): ProviderClient | undefined {
    return this.#deps.clients().find((client) => client.issuer.issuer === issuer);
  }

  /** Begins a sign-in, which belongs to the browser that holds the credential. Rejects when the issuer cannot be asked. */
  async begin(
    client: ProviderClient,
    returnTo: string,
  ): Promise<{ readonly url: string; readonly credential: string }> {
    const { rows, clock, random } = this.#deps;
    const { url, pending } = await client.begin();
    const credential = newCredential(random);
    const createdAt = clock();
    const data: SignIn = { ...pending, issuer: client.issuer.issuer, returnTo };
    await rows.insert({ id: hashOf(credential), kind: 'sign-in', data, createdAt, expiresAt: createdAt + SIGN_IN_MS });
    return { url, credential };
  }

  /** Takes what the issuer has sent back, once; `former` is the session that the browser had, which ends. */
  async finish(credential: string | undefined, query: string, former: string | undefined): Promise<Finished> {
    const { rows, sessions, clock } = this.#deps;
    const row = credential !== undefined && isCredential(credential) ? await rows.take(hashOf(credential)) : undefined;
    if (row?.kind !== 'sign-in' || row.expiresAt <= clock()) return { ok: false, away: false, why: NOT_BEGUN };
    const { issuer, returnTo, ...pending } = row.data as SignIn;
    const client = this.of(issuer);
    if (client === undefined) return { ok: false, away: false, why: NOT_BEGUN, issuer };
    const answer = await client.finish(query, pending);
    if (!answer.ok) return { ...answer, issuer };
    if (former !== undefined) await sessions.end(former);
    const { credential: session, data } = await sessions.start(answer.signedIn, issuer);
    return { ok: true, credential: session, data, returnTo };
  }
}

const NOT_BEGUN =
  'this browser has not begun to log in, or took longer than ten minutes, or has been here with this answer before';

/** Renews the tokens of sessions at the issuer that they came from. */
export const renewAt =
  (clients: () => readonly ProviderClient[]): Renew =>
  async (issuer, refreshToken) => {
    const client = clients().find((one) => one.issuer.issuer === issuer);
    if (client === undefined) return { ok: false, why: 'refused' };
    const answer = await client.renew(refreshToken);
    return answer.ok ? answer : { ok: false, why: answer.away ? 'away' : 'refused' };
  };
