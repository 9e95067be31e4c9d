import { setTimeout as sleep } from 'node:timers/promises';
import type { SessionRows } from '../store/port.ts';
import { endOf, type SessionData, type SignedIn } from './session-data.ts';
import type { KnownSession } from './session-grant.ts';

/** Asks an issuer for new tokens. `refused`: the issuer will not give any; `away`: it cannot be asked now. */
export type Renew = (
  issuer: string,
  refreshToken: string,
) => Promise<
  { readonly ok: true; readonly signedIn: SignedIn } | { readonly ok: false; readonly why: 'refused' | 'away' }
>;

export interface RenewalsDeps {
  readonly rows: SessionRows;
  readonly renew: Renew;
  readonly idleMs: number;
  readonly clock: () => number;
  readonly log: { warn(fields: object, message: string): void };
}

export type Renewed = 'renewed' | 'ended' | 'away';

/** An issuer that does not answer is given up before. */
const LOCK_MS = 20_000;
const LOOK_AGAIN_MS = 200;

/**
 * Renews the tokens of sessions. Issuers take a refresh token once, and many withdraw everything when it comes twice, so of
 * all nodes one does it: who has put the row that says so.
 */
export class Renewals {
  readonly #deps: RenewalsDeps;
  readonly #running = new Map<string, Promise<Renewed>>();

  constructor(deps: RenewalsDeps) {
    this.#deps = deps;
  }

  /** Whoever asks meanwhile waits for the same answer. Never rejects. */
  renew(session: KnownSession): Promise<Renewed> {
    let running = this.#running.get(session.id);
    if (running === undefined) {
      running = this.#renew(session)
        .catch((error: unknown): Renewed => {
          this.#deps.log.warn({ err: error }, 'the tokens of a session were not renewed; they will be tried again');
          return 'away';
        })
        .finally(() => this.#running.delete(session.id));
      this.#running.set(session.id, running);
    }
    return running;
  }

  async #renew(session: KnownSession): Promise<Renewed> {
    const { rows, clock } = this.#deps;
    if (session.data.refreshToken === undefined) {
      await rows.take(session.id);
      return 'ended';
    }
    const lock = `${session.id}.renewal`;
    const until = clock() + LOCK_MS;
    const mine = { id: lock, kind: 'renewal' as const, data: {}, createdAt: clock(), expiresAt: until };
    if (!(await rows.insert(mine))) return this.#awaitAnother(session, until);
    try {
      return await this.#renewHere(session);
    } finally {
      await rows.take(lock);
    }
  }

  async #renewHere(session: KnownSession): Promise<Renewed> {
    const { rows, renew, clock, idleMs } = this.#deps;
    // Another node may have renewed it just before.
    const found = await this.#look(session);
    if (found !== undefined) return found;
    const { data } = session;
    const answer = await renew(data.issuer, data.refreshToken ?? '');
    if (!answer.ok && answer.why === 'away') return 'away';
    if (!answer.ok || answer.signedIn.identity.subject !== data.identity.subject) {
      await rows.take(session.id);
      return 'ended';
    }
    const { issuer, mark, endsAt } = data;
    const { signedIn } = answer;
    const renewed: SessionData = {
      // Some issuers send neither again, and the old ones go on.
      ...(data.refreshToken !== undefined && { refreshToken: data.refreshToken }),
      ...(data.idToken !== undefined && { idToken: data.idToken }),
      ...(data.name !== undefined && { name: data.name }),
      ...signedIn,
      issuer,
      ...(mark !== undefined && { mark }),
      endsAt,
    };
    const expiresAt = endOf(renewed, clock(), idleMs);
    if (!(await rows.update(session.id, { data: renewed, expiresAt }))) return 'ended';
    session.found({ data: renewed, expiresAt }, clock());
    return 'renewed';
  }

  async #awaitAnother(session: KnownSession, until: number): Promise<Renewed> {
    const { clock } = this.#deps;
    // Its old token is still good.
    if (clock() < session.data.tokenEndsAt) return 'away';
    while (clock() < until) {
      await sleep(LOOK_AGAIN_MS);
      const found = await this.#look(session);
      if (found !== undefined) return found;
    }
    return 'away';
  }

  /** What has become of it in the database; `undefined`: nothing. */
  async #look(session: KnownSession): Promise<Renewed | undefined> {
    const [row] = await this.#deps.rows.read([session.id]);
    if (row === undefined) return 'ended';
    const data = row.data as SessionData;
    if (data.tokenEndsAt === session.data.tokenEndsAt) return undefined;
    session.found({ data, expiresAt: row.expiresAt }, this.#deps.clock());
    return 'renewed';
  }
}
