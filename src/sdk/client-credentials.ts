import { accessToken } from './access-token.ts';
import type { TokenSource } from './auth.ts';
import { SignalboxError } from './errors.ts';
import type { Auth } from './options.ts';

type Options = Extract<Auth, { readonly clientCredentials: unknown }>['clientCredentials'];

const TIMEOUT_MS = 10_000;
/** A token whose answer says nothing of its end is kept so long. */
const DEFAULT_LIFE_S = 300;

/** OAuth 2.0 client credentials (RFC 6749, 4.4): the token is kept until it has a tenth of its time left. */
export class ClientCredentials implements TokenSource {
  readonly renewable = true;
  readonly #options: Options;
  readonly #clock: () => number;
  #kept: { readonly token: string; readonly until: number } | undefined;
  #underWay: Promise<string> | undefined;

  /** `clock` in milliseconds. */
  constructor(options: Options, clock: () => number) {
    this.#options = options;
    this.#clock = clock;
  }

  get(anew: boolean): Promise<string> {
    if (!anew && this.#kept !== undefined && this.#clock() < this.#kept.until) return Promise.resolve(this.#kept.token);
    this.#underWay ??= this.#ask().finally(() => (this.#underWay = undefined));
    return this.#underWay;
  }

  async #ask(): Promise<string> {
    const { tokenUrl, clientId, clientSecret, scope, audience } = this.#options;
    const askedAt = this.#clock();
    const body = new URLSearchParams({
      grant_type: 'client_credentials',
      ...(scope !== undefined && { scope }),
      ...(audience !== undefined && { audience }),
    });
    const id = `${formEncoded(clientId)}:${formEncoded(clientSecret)}`;
    const response = await fetch(tokenUrl, {
      method: 'POST',
      headers: {
        authorization: `Basic ${btoa(id)}`,
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'application/json',
      },
      body: body.toString(),
      // What the secret is sent to is the configured address and no other.
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const answer = (await response.json().catch(() => undefined)) as Answer | undefined;
    if (!response.ok || typeof answer?.access_token !== 'string') {
      const why = answer?.error_description ?? answer?.error ?? `it was answered with ${response.status}`;
      throw new SignalboxError('unauthorized', `${tokenUrl} gives no token: ${why}`);
    }
    const token = accessToken(answer.access_token, `What ${tokenUrl} gave`);
    const seconds = typeof answer.expires_in === 'number' ? answer.expires_in : DEFAULT_LIFE_S;
    this.#kept = { token, until: askedAt + seconds * 900 };
    return token;
  }
}

interface Answer {
  readonly access_token?: unknown;
  readonly expires_in?: unknown;
  readonly error?: string;
  readonly error_description?: string;
}

/** As RFC 6749, 2.3.1 wants id and secret before they are put together. */
const formEncoded = (text: string): string => new URLSearchParams({ '': text }).toString().slice(1);
