import { createHash } from 'node:crypto';
import type { Caller } from '../domain/command.ts';
import { ID_BYTES, registrationTokenText, SECRET_BYTES, type RegistrationToken } from '../domain/registration-token.ts';
import type { RegistrationTokens } from '../store/port.ts';
import { available } from './available.ts';

/** So many tokens of a service that are neither revoked nor expired: enough for each place it is started from. */
export const MAX_LIVE_TOKENS = 20;
/** So long a token that has ended is still listed. */
const LISTED_MS = 30 * 24 * 3_600_000;

export interface TokenDeskDeps {
  readonly store: RegistrationTokens;
  /** Hears of each token that was revoked here, once that is written. */
  readonly onRevoked: (id: string) => void;
  /** So many random bytes, in hex. */
  readonly random: (bytes: number) => string;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
}

export interface NewToken {
  readonly service: string;
  readonly title?: string;
  /** Milliseconds since 1970, as the others. */
  readonly expiresAt: number;
  /** When its service was created. */
  readonly since: number;
}

export interface Created {
  readonly token: RegistrationToken;
  /** What its bearer shows. It is told this once. */
  readonly text: string;
}

/**
 * The use cases of registration tokens. Rejects with `RegistryUnavailable` when the database is away. Whatever became of it then,
 * nothing was opened: a token whose secret was never told is of use to nobody, and revoking can be asked for again.
 */
export class TokenDesk {
  readonly #deps: TokenDeskDeps;

  constructor(deps: TokenDeskDeps) {
    this.#deps = deps;
  }

  /** `undefined`: the service has `MAX_LIVE_TOKENS` already. */
  async create(caller: Caller, { service, title, expiresAt, since }: NewToken): Promise<Created | undefined> {
    const { store, random, clock } = this.#deps;
    const id = random(ID_BYTES);
    const secret = random(SECRET_BYTES);
    const token: RegistrationToken = {
      id,
      service,
      ...(title !== undefined && { title }),
      hash: createHash('sha256').update(secret).digest('hex'),
      createdBy: caller.subject,
      // Another node's clock may be ahead of ours, and a token that is older than its service opens nothing.
      createdAt: Math.max(clock(), since),
      expiresAt,
    };
    const fits = await available(store.insert(token, MAX_LIVE_TOKENS, since));
    return fits ? { token, text: registrationTokenText(id, secret) } : undefined;
  }

  list(service: string, page: Parameters<RegistrationTokens['list']>[1]): Promise<readonly RegistrationToken[]> {
    return available(this.#deps.store.list(service, page));
  }

  /** One that is revoked stays as it was; `undefined`: the service has no such token. */
  async revoke(service: string, id: string): Promise<RegistrationToken | undefined> {
    const { store, onRevoked, clock } = this.#deps;
    const token = await available(store.revoke(service, id, clock()));
    if (token !== undefined) onRevoked(id);
    return token;
  }

  /** Removes what ended long ago. Rejects with the store's own errors. */
  async tidy(): Promise<void> {
    await this.#deps.store.deleteEnded(this.#deps.clock() - LISTED_MS);
  }
}
