import { createLocalJWKSet, createRemoteJWKSet, errors, jwtVerify, type JWTVerifyGetKey } from 'jose';
import { locateKeys } from './locate-keys.ts';
import type { Claims } from './scopes.ts';

/** An issuer of tokens, whose published keys tokens are verified with. */
export interface IssuerOptions {
  /** As `iss` has it, letter by letter. */
  readonly issuer: string;
  /** `aud` has to name one of these. */
  readonly audience: string | readonly string[];
  /** Where its keys are. Default: what `{issuer}/.well-known/openid-configuration` says. */
  readonly jwksUri?: string;
  /** Default: RS256, PS256, ES256, EdDSA. Secret keys (HS256) and none are never taken. */
  readonly algorithms?: readonly string[];
  /** Seconds that clocks may be apart. Default: 10. */
  readonly clockToleranceSeconds?: number;
  /** Milliseconds after which keys are read again, so that withdrawn ones are noticed. Default: 600000. */
  readonly keysMaxAgeMs?: number;
  /** Milliseconds after reading the keys within which an unknown `kid` does not make them be read again. Default: 30000. */
  readonly cooldownMs?: number;
}

/** `away`: the issuer cannot be asked now, and without it nothing can be said. `why` is for the log, and has no claims in it. */
export type Verified =
  | { readonly type: 'good'; readonly claims: Claims }
  | { readonly type: 'bad'; readonly why: string }
  | { readonly type: 'away'; readonly why: string };

const ALGORITHMS: readonly string[] = ['RS256', 'PS256', 'ES256', 'EdDSA'];
const ASYMMETRIC = /^(?:(?:RS|PS|ES)(?:256|384|512)|EdDSA|Ed25519)$/;
/** Access tokens (RFC 9068), and JWTs of no other kind. */
const TYPES: readonly string[] = ['at+jwt', 'jwt'];
/** What OpenID Connect puts into ID tokens alone. */
const OF_ID_TOKENS = ['at_hash', 'c_hash'] as const;
const COOLDOWN_MS = 30_000;
const MAX_AGE_MS = 600_000;
const TIMEOUT_MS = 5000;
/** After the keys could not be read they are not asked for again so long. */
const RETRY_MS = 1000;

/** Verifies tokens of one issuer. */
export class Tokens {
  readonly #options: IssuerOptions;
  readonly #algorithms: string[];
  readonly #now: () => number;
  #keys: Promise<JWTVerifyGetKey> | undefined;

  /** @throws Error where the options would let through what nobody should be let through with. */
  constructor(options: IssuerOptions, now: () => number = () => performance.now()) {
    this.#options = options;
    this.#now = now;
    this.#algorithms = [...(options.algorithms ?? ALGORITHMS)];
    const weak = this.#algorithms.filter((name) => !ASYMMETRIC.test(name));
    if (weak.length > 0) throw new Error(`guard.algorithms: ${weak.join(', ')} is not an asymmetric algorithm`);
    if (this.#algorithms.length === 0) throw new Error('guard.algorithms: name at least one');
    if (options.issuer === '') throw new Error('guard.issuer: name the issuer');
    const audience = [options.audience].flat();
    if (audience.length === 0 || audience.includes('')) throw new Error('guard.audience: name at least one');
  }

  get issuer(): string {
    return this.#options.issuer;
  }

  /** Never rejects. */
  async verify(token: string): Promise<Verified> {
    const { issuer, audience, clockToleranceSeconds = 10 } = this.#options;
    try {
      const { payload, protectedHeader } = await jwtVerify(token, await this.#getKeys(), {
        algorithms: this.#algorithms,
        issuer,
        audience: [audience].flat(),
        clockTolerance: clockToleranceSeconds,
        requiredClaims: ['exp'],
      });
      const stray = OF_ID_TOKENS.find((claim) => Object.hasOwn(payload, claim));
      if (stray !== undefined) return { type: 'bad', why: `it is an ID token: access tokens have no ${stray}` };
      const type = (protectedHeader.typ ?? 'jwt').toLowerCase().replace(/^application\//, '');
      return TYPES.includes(type) ? { type: 'good', claims: payload } : { type: 'bad', why: `its typ is ${type}` };
    } catch (error) {
      if (error instanceof KeysAway) return { type: 'away', why: error.message };
      return { type: 'bad', why: inWords(error) };
    }
  }

  #getKeys(): Promise<JWTVerifyGetKey> {
    if (this.#keys === undefined) {
      const locating = (this.#keys = this.#locate());
      // Where an issuer could not be asked, the next token asks again.
      locating.catch(() => (this.#keys = undefined));
    }
    return this.#keys;
  }

  async #locate(): Promise<JWTVerifyGetKey> {
    const { issuer, jwksUri, cooldownMs = COOLDOWN_MS, keysMaxAgeMs = MAX_AGE_MS } = this.#options;
    const url = await locateKeys(issuer, jwksUri, TIMEOUT_MS).catch((error: unknown) => {
      throw new KeysAway(error);
    });
    const remote = createRemoteJWKSet(url, {
      cooldownDuration: cooldownMs,
      cacheMaxAge: keysMaxAgeMs,
      timeoutDuration: TIMEOUT_MS,
    });
    let failed: { readonly at: number; readonly error: unknown } | undefined;
    return async (header, input) => {
      try {
        if (failed !== undefined && this.#now() - failed.at < RETRY_MS) throw failed.error;
        const key = await remote(header, input);
        failed = undefined;
        return key;
      } catch (error) {
        if (isAboutToken(error)) throw error;
        if (error !== failed?.error) failed = { at: this.#now(), error };
        // They could not be read again: those that are known stay good.
        const known = remote.jwks();
        if (known === undefined) throw new KeysAway(error);
        return createLocalJWKSet(known)(header, input).catch((unknown: unknown) => {
          throw unknown instanceof errors.JWKSNoMatchingKey ? new KeysAway(error) : unknown;
        });
      }
    };
  }
}

class KeysAway extends Error {
  constructor(cause: unknown) {
    super(`the keys of the issuer cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

/** That there is no such key, or too many that fit, is the token's fault; all else is about fetching. */
const isAboutToken = (error: unknown): boolean =>
  error instanceof errors.JWKSNoMatchingKey ||
  error instanceof errors.JWKSMultipleMatchingKeys ||
  error instanceof errors.JOSENotSupported;

/** Errors of jose carry the claims; none of that is passed on. */
function inWords(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'it has expired';
  if (error instanceof errors.JWTClaimValidationFailed) return `its ${error.claim} is missing or not what it should be`;
  if (error instanceof errors.JWKSNoMatchingKey) return 'its issuer has no such key';
  if (error instanceof errors.JOSEAlgNotAllowed) return 'it is not signed with an algorithm that is taken';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'its signature is not right';
  return 'it is no JWT that can be verified';
}
