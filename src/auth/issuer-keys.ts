import { importJWK, type CryptoKey, type JWK } from 'jose';
import { fetchJson, whyFailed } from './fetch-json.ts';
import type { Issuer } from './issuer.ts';
import { isSecureUrl } from './read-settings.ts';

/** The algorithms that are taken, each with the type of its keys. A secret key (HS256) or none is never one of them. */
export const ALGORITHMS: Readonly<Record<string, string>> = { RS256: 'RSA', PS256: 'RSA', ES256: 'EC', EdDSA: 'OKP' };

/** A key of an issuer. Tokens that it has signed are good for as long as the issuer publishes it. */
export class IssuerKey {
  readonly jwk: JWK;
  readonly text: string;
  published = true;
  readonly #imported = new Map<string, Promise<CryptoKey>>();

  constructor(jwk: JWK) {
    this.jwk = jwk;
    this.text = JSON.stringify(jwk);
  }

  fits(kid: string, alg: string): boolean {
    const { jwk } = this;
    return jwk.kid === kid && jwk.kty === ALGORITHMS[alg] && (jwk.alg ?? alg) === alg && (jwk.use ?? 'sig') === 'sig';
  }

  imported(alg: string): Promise<CryptoKey> {
    let key = this.#imported.get(alg);
    if (key === undefined) {
      // A symmetric key is never among those that fit, so it is no Uint8Array.
      this.#imported.set(alg, (key = importJWK(this.jwk, alg) as Promise<CryptoKey>));
      key.catch(() => {});
    }
    return key;
  }
}

export interface KeysDeps {
  readonly log: { warn(fields: object, message: string): void; info(fields: object, message: string): void };
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** How long after the keys were read an unknown one does not make them be read again. */
  readonly cooldownMs?: number;
  readonly timeoutMs?: number;
}

const COOLDOWN_MS = 30_000;
/** After a failure it is shorter: somebody waits, and there may be nothing to go by. */
const RETRY_MS = 1000;
const TIMEOUT_MS = 5000;
const MAX_KEYS = 200;

/** The published keys of one issuer (RFC 7517). While they cannot be read, those that are known stay good. */
export class IssuerKeys {
  readonly #issuer: Pick<Issuer, 'issuer' | 'jwksUri'>;
  readonly #deps: KeysDeps;
  #keys: readonly IssuerKey[] = [];
  #jwksUri: string | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  #away = false;
  #reading: Promise<void> | undefined;

  constructor(issuer: Pick<Issuer, 'issuer' | 'jwksUri'>, deps: KeysDeps) {
    this.#issuer = issuer;
    this.#deps = deps;
  }

  /** A key that is not known is looked for once more, since issuers begin to use new ones at any time. */
  async find(kid: string, alg: string): Promise<IssuerKey | 'unknown' | 'away'> {
    const known = this.#find(kid, alg);
    if (known !== undefined) return known;
    const { now, cooldownMs = COOLDOWN_MS } = this.#deps;
    const pause = this.#away ? Math.min(RETRY_MS, cooldownMs) : cooldownMs;
    if (this.#reading !== undefined || now() - this.#readAt >= pause) await this.refresh();
    return this.#find(kid, alg) ?? (this.#away ? 'away' : 'unknown');
  }

  /** Reads the keys anew; whoever asks meanwhile waits for the same answer. Never rejects. */
  refresh(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
      this.#readAt = this.#deps.now();
    });
    return this.#reading;
  }

  #find(kid: string, alg: string): IssuerKey | undefined {
    return this.#keys.find((key) => key.fits(kid, alg));
  }

  async #read(): Promise<void> {
    const { issuer } = this.#issuer;
    try {
      this.#publish(jwksIn(await fetchJson(await this.#locate(), this.#timeoutMs)));
      if (this.#away) this.#deps.log.info({ issuer }, 'the keys of the issuer can be read again');
      this.#away = false;
    } catch (error) {
      const why = whyFailed(error);
      const message = `the keys of ${issuer} cannot be read (${why}); those that are known stay good, tokens signed with others are answered 503`;
      if (!this.#away) this.#deps.log.warn({ issuer }, message);
      this.#away = true;
    }
  }

  get #timeoutMs(): number {
    return this.#deps.timeoutMs ?? TIMEOUT_MS;
  }

  /** Issuers move their keys; where they were last is good enough while they cannot be asked. */
  async #locate(): Promise<string> {
    const { issuer, jwksUri } = this.#issuer;
    if (jwksUri !== undefined) return jwksUri;
    try {
      const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
      this.#jwksUri = discovered(await fetchJson(url, this.#timeoutMs), issuer);
    } catch (error) {
      if (this.#jwksUri === undefined) throw error;
    }
    return this.#jwksUri;
  }

  #publish(jwks: readonly JWK[]): void {
    const before = new Map(this.#keys.map((key) => [key.text, key]));
    this.#keys = jwks.map((jwk) => {
      const text = JSON.stringify(jwk);
      const kept = before.get(text);
      before.delete(text);
      return kept ?? new IssuerKey(jwk);
    });
    for (const gone of before.values()) gone.published = false;
  }
}

function discovered(document: unknown, issuer: string): string {
  const { issuer: named, jwks_uri: uri } = (document ?? {}) as Readonly<Record<string, unknown>>;
  if (named !== issuer)
    throw new Error(`its discovery document is of the issuer ${JSON.stringify(named)?.slice(0, 200)}`);
  if (typeof uri === 'string' && isSecureUrl(uri)) return uri;
  throw new Error('its discovery document names no jwks_uri with https://');
}

function jwksIn(document: unknown): readonly JWK[] {
  const { keys } = (document ?? {}) as { readonly keys?: unknown };
  if (!Array.isArray(keys)) throw new Error('it answered no list of keys');
  const types = new Set(Object.values(ALGORITHMS));
  return keys.filter((jwk: unknown): jwk is JWK => types.has(String((jwk as JWK | null)?.kty))).slice(0, MAX_KEYS);
}
