import { createHash } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, errors, jwtVerify } from 'jose';
import { Recent } from '../domain/recent.ts';
import type { Grant, Verified, Verifier } from './grant.ts';
import { identityOf, type Identity } from './identity.ts';
import { ALGORITHMS, IssuerKeys, type IssuerKey, type KeysDeps } from './issuer-keys.ts';
import type { Issuer } from './issuer.ts';

/** How far the clocks of issuers and of Signalbox may be apart. */
export const SKEW_MS = 10_000;
/** Tokens that are remembered; those used longest ago are forgotten first. */
const MAX_REMEMBERED = 10_000;
/** Tokens that are remembered as they are, which saves the hash for those in constant use. */
const MAX_RECENT = 500;

/** What OpenID Connect puts into ID tokens alone (Core, sections 2 and 3.3.2.11); some providers put `nonce` into access tokens as well. */
const OF_ID_TOKENS = ['at_hash', 'c_hash'] as const;

/** An access token of an issuer. */
class TokenGrant implements Grant {
  readonly identity: Identity;
  readonly expiresAt: number;
  readonly #key: IssuerKey;

  constructor(identity: Identity, expiresAt: number, key: IssuerKey) {
    this.identity = identity;
    this.expiresAt = expiresAt;
    this.#key = key;
  }

  /** Until it expires, or its issuer withdraws the key that signed it. */
  holds(at: number): boolean {
    return this.#key.published && at < this.expiresAt + SKEW_MS;
  }
}

export interface TokensDeps extends KeysDeps {
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly maxRemembered?: number;
}

/** Checks access tokens as RFC 9068 asks, and remembers them by a hash until they expire. */
export class Tokens implements Verifier {
  readonly #issuers: ReadonlyMap<string, { readonly issuer: Issuer; readonly keys: IssuerKeys }>;
  readonly #deps: TokensDeps;
  readonly #grants = new Map<string, Grant>();
  readonly #recent: Recent<Extract<Verified, { ok: true }>>;

  constructor(issuers: readonly Issuer[], deps: TokensDeps) {
    this.#issuers = new Map(
      issuers.map((issuer) => [issuer.issuer, { issuer, keys: new IssuerKeys(issuer, deps) }] as const),
    );
    this.#deps = deps;
    this.#recent = new Recent(Math.min(MAX_RECENT, deps.maxRemembered ?? MAX_REMEMBERED));
  }

  /** To be called every so often: a key that is withdrawn is noticed by nothing else. Never rejects. */
  async refresh(): Promise<void> {
    await Promise.all(Array.from(this.#issuers.values(), ({ keys }) => keys.refresh()));
  }

  /** Answers at once for a token that has been seen before. */
  verify(token: string): Verified | Promise<Verified> {
    const now = this.#deps.clock();
    const recent = this.#recent.get(token);
    if (recent?.grant.holds(now) === true) return recent;
    const hash = createHash('sha256').update(token).digest('base64');
    const grant = this.#grants.get(hash);
    if (grant?.holds(now) === true) {
      this.#remember(hash, grant);
      const verified = { ok: true, grant } as const;
      this.#recent.set(token, verified);
      return verified;
    }
    this.#grants.delete(hash);
    return this.#verify(token, hash);
  }

  async #verify(token: string, hash: string): Promise<Verified> {
    const parts = read(token);
    if (parts === undefined) return refuse('it is not a JWT');
    const { alg, kid, typ, iss } = parts;
    if (typeof alg !== 'string' || !Object.hasOwn(ALGORITHMS, alg)) {
      return refuse(`it is not signed with one of ${Object.keys(ALGORITHMS).join(', ')}`);
    }
    const known = typeof iss === 'string' ? this.#issuers.get(iss) : undefined;
    if (known === undefined) return refuse('it is of another issuer');
    const { issuer, keys } = known;
    if (!issuer.types.includes(typeOf(typ))) return refuse(`its typ is not ${issuer.types.join(' or ')}`);
    if (typeof kid !== 'string') return refuse('it does not say which key signed it (kid)');
    const key = await keys.find(kid, alg);
    if (key === 'away') return { ok: false, away: true, detail: `the keys of ${issuer.issuer} cannot be read now` };
    if (key === 'unknown') return refuse('its issuer has no such key (kid)');
    try {
      const { payload } = await jwtVerify(token, await key.imported(alg), {
        algorithms: [alg],
        issuer: issuer.issuer,
        audience: [...issuer.audience],
        clockTolerance: SKEW_MS / 1000,
        currentDate: new Date(this.#deps.clock()),
        requiredClaims: ['exp'],
      });
      const stray = OF_ID_TOKENS.find((claim) => Object.hasOwn(payload, claim));
      if (stray !== undefined) return refuse(`it is an ID token: access tokens have no ${stray}`);
      const identity = identityOf(payload, issuer);
      if (typeof identity === 'string') return refuse(identity);
      const grant = new TokenGrant(identity, (payload.exp ?? 0) * 1000, key);
      this.#remember(hash, grant);
      return { ok: true, grant };
    } catch (error) {
      return refuse(inWords(error));
    }
  }

  #remember(hash: string, grant: Grant): void {
    this.#grants.delete(hash);
    this.#grants.set(hash, grant);
    if (this.#grants.size <= (this.#deps.maxRemembered ?? MAX_REMEMBERED)) return;
    const [oldest] = this.#grants.keys();
    if (oldest !== undefined) this.#grants.delete(oldest);
  }
}

interface Parts {
  readonly alg?: unknown;
  readonly kid?: unknown;
  readonly typ?: unknown;
  readonly iss?: unknown;
}

/** What a token says about itself, none of which is known to be true yet. */
function read(token: string): Parts | undefined {
  try {
    const { alg, kid, typ } = decodeProtectedHeader(token);
    return { alg, kid, typ, iss: decodeJwt(token).iss };
  } catch {
    return undefined;
  }
}

/** Without a `typ` it is a JWT (RFC 7519, section 5.1). */
function typeOf(typ: unknown): string {
  if (typ === undefined) return 'jwt';
  return typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : '';
}

const refuse = (detail: string): Verified => ({ ok: false, away: false, detail });

/** Errors of jose carry the claims; none of that is passed on. */
function inWords(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'it has expired';
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'aud') return 'it is for another audience (aud)';
    if (error.claim === 'nbf') return 'it is not valid yet (nbf)';
    return `its ${error.claim} is missing or not what it should be`;
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'its signature is not right';
  return 'it cannot be verified';
}
