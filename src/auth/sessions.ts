import type { SessionRow, SessionRows } from '../store/port.ts';
import { hashOf, isCredential, newCredential } from './credentials.ts';
import { Gathered, TooManyLookups } from './gathered.ts';
import type { Verified, Verifier } from './grant.ts';
import type { MarkOf } from './issuer-mark.ts';
import { endOf, isDue, type SessionData, type SignedIn } from './session-data.ts';
import { KnownSession } from './session-grant.ts';
import { Renewals, type Renew } from './session-renewal.ts';

/** How long a session is believed to go on as it was read: so long may its end take to be known by other nodes. */
export const SESSION_CACHE_MS = 5000;
const MAX_REMEMBERED = 10_000;
/** So long an id that is nobody's session is not looked up again. */
const MISSING_MS = 10_000;
/** A stream asks at every heartbeat; one that has not asked for so long is gone. */
const HELD_MS = 120_000;
const BATCH = 500;
const LOOKUPS = { batch: BATCH, waiting: 2000 };
/** An issuer that is away is not asked at every request. */
const RETRY_MS = 5000;

export interface SessionsDeps {
  readonly rows: SessionRows;
  readonly renew: Renew;
  /** A session whose issuer is not configured any more, or otherwise than when it began, is none. */
  readonly markOf: MarkOf;
  readonly maxAgeMs: number;
  /** A session that nobody uses ends after this. */
  readonly idleMs: number;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly random: (bytes: number) => Buffer;
  readonly log: { warn(fields: object, message: string): void };
  readonly cacheMs?: number;
  readonly maxRemembered?: number;
}

/** The sessions of browsers: kept in the database under a hash, and remembered by each node for some seconds. */
export class Sessions implements Verifier {
  readonly #deps: SessionsDeps;
  readonly #cacheMs: number;
  readonly #known = new Map<string, KnownSession>();
  readonly #held = new Set<KnownSession>();
  /** Ids that are nobody's, and until when that counts; apart, so that guessing pushes out no session. */
  readonly #missing = new Map<string, number>();
  readonly #lookups: Gathered<SessionRow>;
  readonly #loading = new Map<string, Promise<Verified>>();
  readonly #renewals: Renewals;

  constructor(deps: SessionsDeps) {
    this.#deps = deps;
    this.#cacheMs = deps.cacheMs ?? SESSION_CACHE_MS;
    this.#renewals = new Renewals(deps);
    this.#lookups = new Gathered((ids) => deps.rows.read(ids), LOOKUPS);
  }

  /** Begins a session; its credential is for the cookie, and is nowhere else. */
  async start(signedIn: SignedIn, issuer: string): Promise<{ credential: string; data: SessionData }> {
    const { rows, clock, random, markOf, maxAgeMs, idleMs } = this.#deps;
    const credential = newCredential(random);
    const createdAt = clock();
    const mark = markOf(issuer);
    const data: SessionData = {
      ...signedIn,
      issuer,
      ...(mark !== undefined && { mark }),
      endsAt: createdAt + maxAgeMs,
    };
    const expiresAt = endOf(data, createdAt, idleMs);
    await rows.insert({ id: hashOf(credential), kind: 'session', data, createdAt, expiresAt });
    return { credential, data };
  }

  /** Answers at once for a session that was read a moment ago. */
  verify(credential: string): Verified | Promise<Verified> {
    if (!isCredential(credential)) return ENDED;
    const id = hashOf(credential);
    const known = this.#known.get(id);
    const now = this.#deps.clock();
    if (known === undefined && this.#isMissing(id)) return ENDED;
    if (known === undefined || now - known.readAt >= this.#cacheMs || !this.#isGood(known, now)) return this.#load(id);
    return this.#use(known, now);
  }

  knows(credential: string): boolean {
    if (!isCredential(credential)) return true;
    const id = hashOf(credential);
    return this.#known.has(id) || this.#isMissing(id);
  }

  /** Ends a session; answers what it held. Other nodes know within `SESSION_CACHE_MS`. */
  async end(credential: string): Promise<SessionData | undefined> {
    if (!isCredential(credential)) return undefined;
    const id = hashOf(credential);
    const row = await this.#deps.rows.take(id);
    this.#forget(id);
    return row?.kind === 'session' ? (row.data as SessionData) : undefined;
  }

  /** What a session holds, for its own page. */
  async read(credential: string): Promise<SessionData | undefined> {
    const verified = await this.verify(credential);
    return verified.ok ? this.#known.get(hashOf(credential))?.data : undefined;
  }

  /**
   * To be called every `SESSION_CACHE_MS`: a session that nobody but open streams uses is noticed to end by nothing else.
   * While the database is away, they go on as they are known.
   */
  refresh(): Promise<void> {
    return this.#refresh().catch(unlessAway);
  }

  /** Removes what has expired from the database. */
  async sweep(): Promise<void> {
    await this.#deps.rows.removeExpired(this.#deps.clock()).catch(unlessAway);
  }

  async #refresh(): Promise<void> {
    const now = this.#deps.clock();
    for (const known of this.#held) if (known.ended || now - known.heldAt > HELD_MS) this.#held.delete(known);
    const held = [...this.#held];
    for (let at = 0; at < held.length; at += BATCH) {
      const batch = held.slice(at, at + BATCH);
      const rows = await this.#deps.rows.read([...new Set(batch.map(({ id }) => id))]);
      const byId = new Map(rows.map((row) => [row.id, row]));
      for (const known of batch) {
        this.#take(known, byId.get(known.id), now);
        if (!known.ended) this.#renewEarly(known, now);
      }
    }
  }

  #load(id: string): Promise<Verified> {
    let loading = this.#loading.get(id);
    if (loading === undefined) {
      loading = this.#read(id).finally(() => this.#loading.delete(id));
      this.#loading.set(id, loading);
    }
    return loading;
  }

  async #read(id: string): Promise<Verified> {
    const { clock } = this.#deps;
    const known = this.#known.get(id);
    let row: SessionRow | undefined;
    try {
      row = await this.#lookups.find(id);
    } catch (error) {
      if (!isAway(error) && !(error instanceof TooManyLookups)) throw error;
      // While the database is away nobody can log out of it either.
      if (known !== undefined && this.#isGood(known, clock())) return this.#use(known, clock());
      return error instanceof TooManyLookups ? TOO_MANY : AWAY;
    }
    const session = known ?? (row && this.#remember(row));
    if (session !== undefined) this.#take(session, row, clock());
    if (session === undefined || session.ended) return this.#isNobodys(id);
    if (clock() >= session.data.tokenEndsAt) {
      const renewed = await this.#renewals.renew(session);
      if (renewed === 'away') return ISSUER_AWAY;
      if (renewed === 'ended') {
        this.#forget(id);
        return this.#isNobodys(id);
      }
    }
    return this.#use(session, clock());
  }

  #isMissing(id: string): boolean {
    const until = this.#missing.get(id);
    return until !== undefined && this.#deps.clock() < until;
  }

  #isNobodys(id: string): Verified {
    this.#missing.delete(id);
    this.#missing.set(id, this.#deps.clock() + MISSING_MS);
    forgetOldest(this.#missing, this.#deps.maxRemembered ?? MAX_REMEMBERED);
    return ENDED;
  }

  #use(session: KnownSession, now: number): Verified {
    const { rows, idleMs, log } = this.#deps;
    this.#known.delete(session.id);
    this.#known.set(session.id, session);
    const end = session.used(now, idleMs);
    if (end !== undefined) {
      rows.update(session.id, { expiresAt: end }).catch((error: unknown) => {
        log.warn({ err: error }, 'that a session is in use was not written; it may end early');
      });
    }
    this.#renewEarly(session, now);
    return { ok: true, grant: session.grant };
  }

  #renewEarly(session: KnownSession, now: number): void {
    if (now < session.retryAt || !isDue(session.data, session.renewedAt, now)) return;
    session.retryAt = now + RETRY_MS;
    void this.#renewals.renew(session).then((renewed) => {
      if (renewed === 'ended') this.#forget(session.id);
    });
  }

  #isGood(session: KnownSession, now: number): boolean {
    return !session.ended && now < session.endsAt;
  }

  #take(session: KnownSession, row: SessionRow | undefined, now: number): void {
    if (row === undefined || row.kind !== 'session' || row.expiresAt <= now) return this.#forget(session.id, session);
    session.found({ data: row.data as SessionData, expiresAt: row.expiresAt }, now);
    if (now >= session.data.endsAt || !this.#isOfItsIssuer(session.data)) this.#forget(session.id, session);
  }

  /** The row stays, for nodes that are configured otherwise. */
  #isOfItsIssuer({ issuer, mark }: SessionData): boolean {
    return mark !== undefined && mark === this.#deps.markOf(issuer);
  }

  #remember(row: SessionRow): KnownSession | undefined {
    if (row.kind !== 'session') return undefined;
    const session = new KnownSession(
      { id: row.id, data: row.data as SessionData, expiresAt: row.expiresAt },
      this.#deps.clock(),
      (held) => this.#held.add(held),
    );
    this.#known.set(row.id, session);
    forgetOldest(this.#known, this.#deps.maxRemembered ?? MAX_REMEMBERED);
    return session;
  }

  #forget(id: string, session = this.#known.get(id)): void {
    if (session !== undefined) session.ended = true;
    this.#known.delete(id);
    for (const held of this.#held) if (held.id === id) held.ended = true;
  }
}

function forgetOldest(map: Map<string, unknown>, max: number): void {
  const [oldest] = map.keys();
  if (map.size > max && oldest !== undefined) map.delete(oldest);
}

/** That it is away is said by those who notice it first. */
function unlessAway(error: unknown): void {
  if (!isAway(error)) throw error;
}

const isAway = (error: unknown): boolean => (error as Error).name === 'StoreUnavailable';

const ENDED: Verified = { ok: false, away: false, detail: 'the session has ended; log in again at /login' };
const TOO_MANY: Verified = { ok: false, away: true, detail: 'too many others are looked at' };
const AWAY: Verified = { ok: false, away: true, detail: 'the database cannot be reached' };
const ISSUER_AWAY: Verified = { ok: false, away: true, detail: 'the issuer that would renew it cannot be reached' };
