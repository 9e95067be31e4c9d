import type { RegistrationToken } from '../../src/domain/registration-token.ts';
import { StoreUnavailable, type RegistrationTokens } from '../../src/store/port.ts';

/** Registration tokens in memory. It passes the contract suite, and it can be made to fail. */
export class MemoryRegistrationTokens implements RegistrationTokens {
  failing = false;
  /** What each lookup has asked for. */
  readonly asked: (readonly string[])[] = [];
  /** What a lookup waits for after it has read. */
  gate: Promise<void> | undefined;
  #tokens: RegistrationToken[] = [];

  async insert(token: RegistrationToken, limit: number, since = 0): Promise<boolean> {
    await this.#turn();
    const live = this.#tokens.filter(
      ({ service, createdAt, revokedAt, expiresAt }) =>
        service === token.service && createdAt >= since && revokedAt === undefined && expiresAt > token.createdAt,
    );
    if (live.length >= limit) return false;
    this.#tokens.push(token);
    this.#tokens.sort(inOrder);
    return true;
  }

  async find(ids: readonly string[]): Promise<RegistrationToken[]> {
    this.asked.push(ids);
    await this.#turn();
    const found = this.#tokens.filter(({ id }) => ids.includes(id));
    await this.gate;
    return found;
  }

  async list(
    service: string,
    { limit, since = 0, after }: Parameters<RegistrationTokens['list']>[1],
  ): Promise<RegistrationToken[]> {
    await this.#turn();
    return this.#tokens
      .filter(
        (token) =>
          token.service === service && token.createdAt >= since && (after === undefined || inOrder(token, after) > 0),
      )
      .slice(0, limit);
  }

  async revoke(service: string, id: string, at: number): Promise<RegistrationToken | undefined> {
    await this.#turn();
    const index = this.#tokens.findIndex((token) => token.id === id && token.service === service);
    const token = this.#tokens[index];
    if (token === undefined) return undefined;
    return (this.#tokens[index] = { ...token, revokedAt: token.revokedAt ?? at });
  }

  async deleteEnded(before: number): Promise<number> {
    await this.#turn();
    const all = this.#tokens.length;
    this.#tokens = this.#tokens.filter(
      ({ expiresAt, revokedAt = expiresAt }) => Math.min(expiresAt, revokedAt) >= before,
    );
    return all - this.#tokens.length;
  }

  async #turn(): Promise<void> {
    await Promise.resolve();
    if (this.failing) throw new StoreUnavailable('the database is away');
  }
}

type Place = Pick<RegistrationToken, 'createdAt' | 'id'>;

const inOrder = (a: Place, b: Place): number => a.createdAt - b.createdAt || (a.id < b.id ? -1 : Number(a.id > b.id));
