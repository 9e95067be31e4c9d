import { expect, test } from '@jest/globals';
import { StoreUnavailable, type SessionRow } from '../../src/store/port.ts';
import type { Opened } from './contract.ts';

const T = Date.UTC(2026, 10, 22);

const row = (id: string, more: Partial<SessionRow> = {}): SessionRow => ({
  id,
  kind: 'session',
  data: { identity: { subject: 'ada' }, words: ['ü', '"', '\\'] },
  createdAt: T,
  expiresAt: T + 1000,
  ...more,
});

/** How sessions are kept. */
export function sessionContract(db: Opened): void {
  test('a session is read as it was written, by every node', async () => {
    expect(await db.store.sessions.insert(row('one'))).toBe(true);
    expect(await db.store.sessions.insert(row('two', { kind: 'sign-in' }))).toBe(true);
    const found = await db.peer.sessions.read(['two', 'one', 'none']);
    expect(found.toSorted((a, b) => (a.id < b.id ? -1 : 1))).toEqual([row('one'), row('two', { kind: 'sign-in' })]);
    expect(await db.store.sessions.read([])).toEqual([]);
  });

  test('an id is taken while its row is good, and free once that has expired', async () => {
    await db.store.sessions.insert(row('lock'));
    expect(await db.peer.sessions.insert(row('lock', { data: 'late', createdAt: T + 999 }))).toBe(false);
    expect(await db.store.sessions.read(['lock'])).toEqual([row('lock')]);
    const next = row('lock', { data: 'next', createdAt: T + 1000, expiresAt: T + 5000 });
    const won = await Promise.all([db.store.sessions.insert(next), db.peer.sessions.insert(next)]);
    expect(won.toSorted()).toEqual([false, true]);
    expect(await db.store.sessions.read(['lock'])).toEqual([next]);
  });

  test('what it holds and when it ends are changed apart from each other, and nothing comes back to life', async () => {
    await db.store.sessions.insert(row('changing'));
    expect(await db.store.sessions.update('changing', { expiresAt: T + 7000 })).toBe(true);
    expect(await db.peer.sessions.update('changing', { data: { identity: 'new' } })).toBe(true);
    expect(await db.store.sessions.read(['changing'])).toEqual([
      row('changing', { data: { identity: 'new' }, expiresAt: T + 7000 }),
    ]);
    await db.store.sessions.take('changing');
    expect(await db.peer.sessions.update('changing', { expiresAt: T + 9000 })).toBe(false);
    expect(await db.store.sessions.read(['changing'])).toEqual([]);
  });

  test('of those who take a row at once, one gets it', async () => {
    await db.store.sessions.insert(row('once', { kind: 'sign-in' }));
    const taken = await Promise.all([db.store.sessions.take('once'), db.peer.sessions.take('once')]);
    expect(taken.filter((it) => it !== undefined)).toEqual([row('once', { kind: 'sign-in' })]);
    expect(await db.store.sessions.take('once')).toBeUndefined();
  });

  test('what has expired is removed, and nothing else', async () => {
    await db.store.sessions.removeExpired(T + 1_000_000);
    for (const [id, expiresAt] of [
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ] as const) {
      await db.store.sessions.insert(row(id, { expiresAt: T + expiresAt }));
    }
    expect(await db.peer.sessions.removeExpired(T + 2)).toBe(2);
    expect((await db.store.sessions.read(['a', 'b', 'c'])).map(({ id }) => id)).toEqual(['c']);
  });

  test('the sessions of a closed store are away', async () => {
    await db.close();
    await expect(db.store.sessions.read(['a'])).rejects.toThrow(StoreUnavailable);
    await expect(db.store.sessions.take('a')).rejects.toThrow(StoreUnavailable);
    await db.open();
  });
}
