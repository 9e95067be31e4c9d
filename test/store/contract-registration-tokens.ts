import { expect, test } from '@jest/globals';
import type { RegistrationToken } from '../../src/domain/registration-token.ts';
import type { RegistrationTokens } from '../../src/store/port.ts';

interface Opened {
  readonly store: RegistrationTokens;
  /** Another node's where there can be one. */
  readonly peer: RegistrationTokens;
}

const AT = Date.UTC(2026, 6, 1, 12, 30, 15, 123);
const HOUR = 3_600_000;
let made = 0;

function token(service: string, more: Partial<RegistrationToken> = {}): RegistrationToken {
  made += 1;
  return {
    id: made.toString(16).padStart(24, '0'),
    service,
    hash: 'a'.repeat(64),
    createdBy: 'ada',
    createdAt: AT,
    expiresAt: AT + HOUR,
    ...more,
  };
}

/** What every adapter promises of registration tokens. */
export function registrationTokenContract(db: Opened): void {
  const insert = async (...tokens: RegistrationToken[]): Promise<void> => {
    for (const one of tokens) expect(await db.store.insert(one, 100)).toBe(true);
  };

  test('SEC1 a registration token is found by its id as it was inserted, to the millisecond', async () => {
    const one = token('found.test', { title: 'the “build” farm', createdBy: 'a\u00e9b' });
    const other = token('found.test');
    await insert(one, other);
    expect(await db.peer.find([one.id])).toEqual([one]);
    expect((await db.peer.find([other.id, 'f'.repeat(24), one.id])).toSorted((a, b) => (a.id < b.id ? -1 : 1))).toEqual(
      [one, other],
    );
    expect(await db.store.find([])).toEqual([]);
  });

  test('a name that no database takes does not keep a token from being made', async () => {
    const one = token('named.test', { createdBy: 'a\0b' });
    await db.store.insert(one, 100);
    expect(await db.store.find([one.id])).toHaveLength(1);
  });

  test('registration tokens are listed by service, in order of their making, page by page', async () => {
    const [c, a, b] = [
      token('listed.test', { createdAt: AT + 2 }),
      token('listed.test', { createdAt: AT + 1 }),
      token('listed.test', { createdAt: AT + 1 }),
    ];
    await insert(c, a, b, token('other.test'));
    expect(await db.store.list('listed.test', { limit: 2 })).toEqual([a, b]);
    expect(await db.store.list('listed.test', { limit: 2, after: b })).toEqual([c]);
    expect(await db.store.list('listed.test', { limit: 2, after: a })).toEqual([b, c]);
    expect(await db.store.list('listed.test', { limit: 2, after: c })).toEqual([]);
    expect(await db.store.list('none.test', { limit: 2 })).toEqual([]);
    // Older ones are of another service that had the name before.
    expect(await db.store.list('listed.test', { limit: 9, since: AT + 2 })).toEqual([c]);
    expect(await db.store.insert(token('listed.test', { createdAt: AT + 3 }), 2, AT + 2)).toBe(true);
    expect(await db.store.insert(token('listed.test', { createdAt: AT + 3 }), 2, AT + 2)).toBe(false);
  });

  test('SEC1 a registration token is revoked once, as one of its service only', async () => {
    const one = token('revoked.test');
    await insert(one);
    expect(await db.store.revoke('other.test', one.id, AT + 5)).toBeUndefined();
    expect(await db.store.revoke('revoked.test', 'f'.repeat(24), AT + 5)).toBeUndefined();
    expect(await db.peer.find([one.id])).toEqual([one]);
    const revoked = { ...one, revokedAt: AT + 5 };
    expect(await db.store.revoke('revoked.test', one.id, AT + 5)).toEqual(revoked);
    expect(await db.peer.revoke('revoked.test', one.id, AT + 9)).toEqual(revoked);
    expect(await db.peer.find([one.id])).toEqual([revoked]);
  });

  test('no more tokens are live at once than the limit, whatever happens at once', async () => {
    const gone = [token('full.test', { revokedAt: AT }), token('full.test', { createdAt: AT - 9, expiresAt: AT })];
    await insert(...gone);
    const tokens = Array.from({ length: 12 }, () => token('full.test'));
    const taken = await Promise.all(tokens.map((one, i) => (i % 2 ? db.store : db.peer).insert(one, 5)));
    expect(taken.filter(Boolean)).toHaveLength(5);
    expect(await db.store.list('full.test', { limit: 100 })).toHaveLength(7);
    expect(await db.store.insert(token('empty.test'), 5)).toBe(true);
    const first = tokens[taken.indexOf(true)];
    await db.store.revoke('full.test', first?.id ?? '', AT);
    expect(await db.store.insert(token('full.test'), 5)).toBe(true);
    expect(await db.store.insert(token('full.test'), 5)).toBe(false);
  });

  test('tokens that ended long ago are deleted, and no others', async () => {
    const kept = [token('kept.test'), token('kept.test', { revokedAt: AT + 2 })];
    const ended = [
      token('kept.test', { createdAt: AT - HOUR, expiresAt: AT - 1 }),
      token('kept.test', { createdAt: AT - HOUR, revokedAt: AT - 1 }),
    ];
    await db.store.deleteEnded(AT);
    await insert(...ended, ...kept);
    expect(await db.store.deleteEnded(AT - 1)).toBe(0);
    expect(await db.store.deleteEnded(AT)).toBe(2);
    expect(await db.peer.list('kept.test', { limit: 100 })).toEqual(kept);
  });
}
