import { isDeepStrictEqual } from 'node:util';
import type { Grant } from './grant.ts';
import type { Identity } from './identity.ts';
import { endOf, type SessionData } from './session-data.ts';

/** A session as this node knows it. */
export class KnownSession {
  readonly id: string;
  data: SessionData;
  /** As the database has it: that it is not used ends it then. */
  expiresAt: number;
  /** When it was read, and when its token was new (milliseconds since 1970). */
  readAt: number;
  renewedAt: number;
  ended = false;
  /** Its token is not renewed again before. */
  retryAt = Number.NEGATIVE_INFINITY;
  /** When an open stream last asked whether it holds. */
  heldAt = Number.NEGATIVE_INFINITY;
  #grant: SessionGrant | undefined;
  /** What the grant was last held against. */
  #judged: SessionData | undefined;
  readonly #onHeld: (session: KnownSession) => void;

  constructor(
    row: { readonly id: string; readonly data: SessionData; readonly expiresAt: number },
    at: number,
    onHeld: (session: KnownSession) => void,
  ) {
    this.id = row.id;
    this.data = row.data;
    this.expiresAt = row.expiresAt;
    this.readAt = at;
    this.renewedAt = at;
    this.#onHeld = onHeld;
  }

  /** When it ends if nothing more happens to it. */
  get endsAt(): number {
    return Math.min(this.expiresAt, this.data.endsAt, this.data.tokenEndsAt);
  }

  /** The same one for as long as it says the same. */
  get grant(): Grant {
    const { data } = this;
    if (
      this.#grant === undefined ||
      (this.#judged !== data && !isDeepStrictEqual(this.#grant.identity, data.identity))
    ) {
      this.#grant = new SessionGrant(data.identity, this);
    }
    this.#judged = data;
    return this.#grant;
  }

  /** Takes over what another read of it has found. */
  found({ data, expiresAt }: { readonly data: SessionData; readonly expiresAt: number }, at: number): void {
    if (data.tokenEndsAt !== this.data.tokenEndsAt) this.renewedAt = at;
    this.data = data;
    this.expiresAt = Math.max(expiresAt, this.expiresAt);
    this.readAt = at;
  }

  /** It is in use; answers the new end where that is far enough from the old one to be written. */
  used(at: number, idleMs: number): number | undefined {
    const end = endOf(this.data, at, idleMs);
    if (end - this.expiresAt < idleMs / 10) return undefined;
    this.expiresAt = end;
    return end;
  }

  held(at: number): void {
    this.heldAt = at;
    this.#onHeld(this);
  }
}

/** What a session is worth to who came with it. Who becomes somebody else by a renewal has to come again. */
class SessionGrant implements Grant {
  readonly identity: Identity;
  readonly #session: KnownSession;

  constructor(identity: Identity, session: KnownSession) {
    this.identity = identity;
    this.#session = session;
  }

  get expiresAt(): number {
    return this.#session.endsAt;
  }

  holds(at: number): boolean {
    this.#session.held(at);
    return !this.#session.ended && at < this.#session.endsAt && this.#session.grant === this;
  }
}
