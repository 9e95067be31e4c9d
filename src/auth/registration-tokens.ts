import { createHash, timingSafeEqual } from 'node:crypto';
import { readRegistrationToken, type RegistrationToken } from '../domain/registration-token.ts';
import { Gathered, TooManyLookups } from './gathered.ts';
import type { Grant, Verified, Verifier } from './grant.ts';
import { REGISTRATION_SUBJECT, type Identity } from './identity.ts';

/** So long what was read of a token counts: a revocation at another node is noticed within this time. */
export const FRESH_MS = 3000;
/** So long an id that nobody has is not looked up again. */
const MISSING_MS = 10_000;
/** Those used longest ago are forgotten first. */
const MAX_REMEMBERED = 10_000;
const LOOKUPS = { batch: 500, waiting: 2000 };

export interface RegistrationTokensDeps {
  /** Those of these ids that there are. */
  readonly find: (ids: readonly string[]) => Promise<readonly RegistrationToken[]>;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly maxRemembered?: number;
}

/** What a registration token is worth: until it expires or is revoked. */
class RegistrationGrant implements Grant {
  readonly identity: Identity;
  readonly expiresAt: number;
  readonly hash: Buffer;
  revoked = false;
  /** Monotonic milliseconds. */
  readAt: number;

  constructor({ id, service, hash, createdAt, expiresAt }: RegistrationToken, readAt: number) {
    this.identity = {
      subject: `${REGISTRATION_SUBJECT}${id}`,
      administrator: false,
      reader: false,
      owns: { apiIds: [], services: [], groups: [] },
      registers: service,
      givenOutAt: createdAt,
    };
    this.expiresAt = expiresAt;
    this.hash = Buffer.from(hash, 'hex');
    this.readAt = readAt;
  }

  holds(at: number): boolean {
    return !this.revoked && at < this.expiresAt;
  }
}

/**
 * Knows registration tokens. What was read of one counts for a few seconds, and as long as the database is away: without
 * it nothing can be registered, and an instance that goes on renewing its lease is better kept.
 */
export class RegistrationTokens implements Verifier {
  readonly #deps: RegistrationTokensDeps;
  readonly #lookups: Gathered<RegistrationToken>;
  readonly #known = new Map<string, RegistrationGrant>();
  /** Ids that nobody has, and until when that counts; apart, so that guessing pushes out no token. */
  readonly #missing = new Map<string, number>();
  /** Ids that were revoked here: what was read before that is not believed when it arrives after. */
  readonly #revoked = new Map<string, true>();
  #away = false;

  constructor(deps: RegistrationTokensDeps) {
    this.#deps = deps;
    this.#lookups = new Gathered(deps.find, LOOKUPS);
  }

  /** To be called when a token was revoked at this node: it holds no longer from now on. */
  revoked(id: string): void {
    this.#remember(this.#revoked, id, true);
    const grant = this.#known.get(id);
    if (grant !== undefined) grant.revoked = true;
  }

  verify(credential: string): Verified | Promise<Verified> {
    const parts = readRegistrationToken(credential);
    if (parts === undefined) return refuse('it is no whole registration token');
    const { id } = parts;
    const hash = createHash('sha256').update(parts.secret).digest();
    const grant = this.#known.get(id);
    if (grant === undefined) {
      return this.#isMissing(id) ? refuse(UNKNOWN) : this.#lookUp(id, hash, undefined);
    }
    this.#remember(this.#known, id, grant);
    // The hash of a token never changes, nor does one that has ended come back: nothing has to be looked up for that.
    if (this.#isFresh(grant) || !timingSafeEqual(grant.hash, hash) || !grant.holds(this.#deps.clock()))
      return this.#judge(grant, hash);
    const late = this.#lookUp(id, hash, grant);
    return this.#away ? this.#judge(grant, hash) : late;
  }

  knows(credential: string): boolean {
    const id = readRegistrationToken(credential)?.id;
    return id === undefined || this.#known.has(id) || this.#isMissing(id);
  }

  #isMissing(id: string): boolean {
    const until = this.#missing.get(id);
    return until !== undefined && this.#deps.now() < until;
  }

  #isFresh({ readAt }: RegistrationGrant): boolean {
    return this.#deps.now() - readAt < FRESH_MS;
  }

  /** Never rejects. */
  async #lookUp(id: string, hash: Buffer, before: RegistrationGrant | undefined): Promise<Verified> {
    try {
      const token = await this.#lookups.find(id);
      this.#away = false;
      const grant = token === undefined ? this.#forget(id) : this.#know(token);
      return grant === undefined ? refuse(UNKNOWN) : this.#judge(grant, hash);
    } catch (error) {
      if (!(error instanceof TooManyLookups)) this.#away = true;
      if (before !== undefined) return this.#judge(before, hash);
      return { ok: false, away: true, detail: 'registration tokens cannot be looked up now' };
    }
  }

  #know(token: RegistrationToken): RegistrationGrant {
    const readAt = this.#deps.now();
    const grant = this.#known.get(token.id) ?? new RegistrationGrant(token, readAt);
    grant.readAt = readAt;
    if (token.revokedAt !== undefined || this.#revoked.has(token.id)) grant.revoked = true;
    this.#remember(this.#known, token.id, grant);
    return grant;
  }

  #forget(id: string): undefined {
    const grant = this.#known.get(id);
    if (grant !== undefined) grant.revoked = true;
    this.#known.delete(id);
    this.#remember(this.#missing, id, this.#deps.now() + MISSING_MS);
  }

  #judge(grant: RegistrationGrant, hash: Buffer): Verified {
    if (!timingSafeEqual(grant.hash, hash)) return refuse(UNKNOWN);
    if (grant.revoked) return refuse('it was revoked');
    return grant.holds(this.#deps.clock()) ? { ok: true, grant } : refuse('it has expired');
  }

  #remember<V>(map: Map<string, V>, id: string, value: V): void {
    map.delete(id);
    map.set(id, value);
    if (map.size <= (this.#deps.maxRemembered ?? MAX_REMEMBERED)) return;
    const [oldest] = map.keys();
    if (oldest !== undefined) map.delete(oldest);
  }
}

const UNKNOWN = 'there is no such registration token';

const refuse = (detail: string): Verified => ({ ok: false, away: false, detail });
