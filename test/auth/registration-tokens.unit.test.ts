import { createHash } from 'node:crypto';
import { beforeEach, expect, test } from '@jest/globals';
import { RegistrationTokens } from '../../src/auth/registration-tokens.ts';
import type { Verified } from '../../src/auth/grant.ts';
import { registrationTokenText, type RegistrationToken } from '../../src/domain/registration-token.ts';
import { MemoryRegistrationTokens } from '../support/memory-registration-tokens.ts';

let store: MemoryRegistrationTokens;
let clock: number;
let monotonic: number;
beforeEach(() => {
  store = new MemoryRegistrationTokens();
  clock = Date.UTC(2026, 0, 1);
  monotonic = 0;
});

const open = (maxRemembered?: number): RegistrationTokens =>
  new RegistrationTokens({
    find: (ids) => store.find(ids),
    clock: () => clock,
    now: () => monotonic,
    ...(maxRemembered !== undefined && { maxRemembered }),
  });

const SECRET = '5e'.repeat(32);
const idOf = (n: number): string => n.toString(16).padStart(24, '0');

/** One in the store, and what its bearer shows. */
async function given(n: number, more: Partial<RegistrationToken> = {}): Promise<string> {
  const hash = createHash('sha256').update(SECRET).digest('hex');
  const token = {
    id: idOf(n),
    service: 'iam.test',
    hash,
    createdBy: 'ada',
    createdAt: clock,
    expiresAt: clock + 60_000,
  };
  await store.insert({ ...token, ...more }, 1_000_000);
  return registrationTokenText(idOf(n), SECRET);
}

const why = (verified: Verified): string =>
  verified.ok ? 'taken' : `${verified.away ? 'away: ' : ''}${verified.detail}`;

test('SEC1 a registration token makes its bearer the registrar of its service and nobody else', async () => {
  const token = await given(1);
  const verified = await open().verify(token);
  expect(verified.ok && verified.grant).toMatchObject({
    expiresAt: clock + 60_000,
    identity: {
      subject: `registration-token:${idOf(1)}`,
      administrator: false,
      reader: false,
      owns: { apiIds: [], services: [] },
      registers: 'iam.test',
      givenOutAt: clock,
    },
  });
});

test.each<[what: string, make: () => Promise<string>, detail: string]>([
  ['one that nobody has given out', () => Promise.resolve(registrationTokenText(idOf(7), SECRET)), 'there is no such'],
  [
    'another secret',
    async () => registrationTokenText((await given(1)).slice(4, 28), '00'.repeat(32)),
    'there is no such',
  ],
  ['one that has expired', () => given(1, { expiresAt: clock }), 'it has expired'],
  ['one that was revoked', () => given(1, { revokedAt: clock }), 'it was revoked'],
  ['one that was cut off', async () => (await given(1)).slice(0, -2), 'it is no whole registration token'],
])('SEC1 %s is refused, the first time and the second', async (_what, make, detail) => {
  const tokens = open();
  const token = await make();
  for (let i = 0; i < 2; i++) expect(why(await tokens.verify(token))).toContain(detail);
  expect(store.asked.length).toBeLessThanOrEqual(1);
});

test('whoever does not know the secret is not told what became of a token', async () => {
  await given(1, { revokedAt: clock });
  const wrong = registrationTokenText(idOf(1), '00'.repeat(32));
  expect(why(await open().verify(wrong))).toBe('there is no such registration token');
});

test('a grant holds until its token expires', async () => {
  const verified = await open().verify(await given(1));
  const grant = verified.ok ? verified.grant : undefined;
  expect([grant?.holds(clock), grant?.holds(clock + 59_999), grant?.holds(clock + 60_000)]).toEqual([
    true,
    true,
    false,
  ]);
});

test('a token that is known is answered at once, for seconds', async () => {
  const tokens = open();
  const token = await given(1);
  await tokens.verify(token);
  monotonic += 2999;
  expect(tokens.verify(token)).toMatchObject({ ok: true });
  expect(store.asked).toHaveLength(1);
  monotonic += 1;
  expect(tokens.verify(token)).toBeInstanceOf(Promise);
  clock += 60_000;
  expect(why(await tokens.verify(token))).toBe('it has expired');
});

test('SEC1 a revocation at another node is noticed within seconds, and ends what was granted', async () => {
  const tokens = open();
  const token = await given(1);
  const before = await tokens.verify(token);
  await store.revoke('iam.test', idOf(1), clock);
  expect(why(await tokens.verify(token))).toBe('taken');
  monotonic += 3000;
  expect(why(await tokens.verify(token))).toBe('it was revoked');
  expect(before.ok && before.grant.holds(clock)).toBe(false);
});

test('SEC1 a revocation at this node counts at once, even against a lookup that is under way', async () => {
  const tokens = open();
  const token = await given(1);
  const before = await tokens.verify(token);
  tokens.revoked(idOf(1));
  expect(before.ok && before.grant.holds(clock)).toBe(false);
  expect(why(await tokens.verify(token))).toBe('it was revoked');

  const other = await given(2);
  let go = (): void => {};
  store.gate = new Promise((resolve) => (go = resolve));
  const verifying = tokens.verify(other);
  tokens.revoked(idOf(2));
  go();
  expect(why(await verifying)).toBe('it was revoked');
});

test('a token that was deleted from the store is gone', async () => {
  const tokens = open();
  const token = await given(1);
  const before = await tokens.verify(token);
  await store.deleteEnded(clock + 1_000_000);
  monotonic += 3000;
  expect(why(await tokens.verify(token))).toContain('there is no such');
  expect(before.ok && before.grant.holds(clock)).toBe(false);
});

test('while the database is away, what is known goes on, and what is not can wait', async () => {
  const tokens = open();
  const token = await given(1);
  const unknown = await given(2);
  await tokens.verify(token);
  store.failing = true;
  monotonic += 3000;
  expect(why(await tokens.verify(token))).toBe('taken');
  expect(why(await tokens.verify(unknown))).toBe('away: registration tokens cannot be looked up now');
  // Nobody waits a second time for a database that does not answer.
  store.gate = new Promise(() => {});
  expect(tokens.verify(token)).toMatchObject({ ok: true });
  clock += 60_000;
  expect(why(await tokens.verify(token))).toBe('it has expired');
});

test('SEC1 when the database is back, what was revoked meanwhile is refused', async () => {
  const tokens = open();
  const token = await given(1);
  await tokens.verify(token);
  store.failing = true;
  monotonic += 3000;
  await tokens.verify(token);
  store.failing = false;
  await store.revoke('iam.test', idOf(1), clock);
  await tokens.verify(token);
  await new Promise((resolve) => setImmediate(resolve));
  expect(why(await tokens.verify(token))).toBe('it was revoked');
});

test('guessing costs the database one lookup at a time, and asks for nothing twice', async () => {
  const tokens = open();
  let go = (): void => {};
  store.gate = new Promise((resolve) => (go = resolve));
  const guesses = Array.from({ length: 1000 }, (_, i) => registrationTokenText(idOf(i), SECRET));
  const answers = guesses.map((guess) => Promise.resolve(tokens.verify(guess)));
  expect(store.asked.map((ids) => ids.length)).toEqual([1]);
  go();
  for (const answer of await Promise.all(answers)) expect(why(answer)).toContain('there is no such');
  expect(store.asked.map((ids) => ids.length)).toEqual([1, 500, 499]);
  for (const guess of guesses) expect(why(await tokens.verify(guess))).toContain('there is no such');
  expect(store.asked).toHaveLength(3);
  monotonic += 10_000;
  await tokens.verify(guesses[0] ?? '');
  expect(store.asked).toHaveLength(4);
});

test('what more is asked than can wait is answered with "later"', async () => {
  const tokens = open();
  store.gate = new Promise(() => {});
  const answers = Array.from({ length: 2002 }, (_, i) => tokens.verify(registrationTokenText(idOf(i), SECRET)));
  expect(why(await (answers.at(-1) ?? Promise.reject(new Error('none'))))).toContain('away: ');
});

test('what is remembered is bounded, and guessing pushes out no token', async () => {
  const tokens = open(2);
  const [first, second] = [await given(1), await given(2)];
  await tokens.verify(first);
  await tokens.verify(second);
  for (let i = 10; i < 20; i++) await tokens.verify(registrationTokenText(idOf(i), SECRET));
  const asked = store.asked.length;
  expect([why(await tokens.verify(first)), why(await tokens.verify(second))]).toEqual(['taken', 'taken']);
  expect(store.asked).toHaveLength(asked);
  await tokens.verify(await given(3));
  await tokens.verify(first);
  expect(store.asked).toHaveLength(asked + 2);
});
