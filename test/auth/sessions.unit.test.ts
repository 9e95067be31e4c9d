import { expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import type { Grant, Verified } from '../../src/auth/grant.ts';
import type { Identity } from '../../src/auth/identity.ts';
import { hashOf } from '../../src/auth/credentials.ts';
import { endOf, isDue, type SignedIn } from '../../src/auth/session-data.ts';
import type { Renew } from '../../src/auth/session-renewal.ts';
import { SESSION_CACHE_MS, Sessions } from '../../src/auth/sessions.ts';
import { StoreUnavailable } from '../../src/store/port.ts';
import { MemorySessions } from '../support/memory-sessions.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NOBODY: Identity = {
  subject: 'ada',
  administrator: false,
  reader: false,
  owns: { apiIds: [], services: [], groups: [] },
};
const ADMIN: Identity = { ...NOBODY, administrator: true };

/** Nodes that share a database and an issuer, at a time of the test's choosing. */
class World {
  now = Date.UTC(2026, 10, 22);
  away = false;
  readonly rows = new MemorySessions(() =>
    this.away ? Promise.reject(new StoreUnavailable('it is away')) : Promise.resolve(),
  );
  /** What the issuer answers, and what it was shown. */
  answer: Awaited<ReturnType<Renew>> = { ok: false, why: 'refused' };
  gate: Promise<void> | undefined;
  readonly shown: string[] = [];
  /** How the issuers are configured. */
  readonly marks = new Map([['https://login.test', 'as it was']]);

  node(more: object = {}): Sessions {
    return new Sessions({
      rows: this.rows,
      renew: async (_issuer, refreshToken) => {
        this.shown.push(refreshToken);
        await this.gate;
        return this.answer;
      },
      markOf: (issuer) => this.marks.get(issuer),
      maxAgeMs: 8 * HOUR,
      idleMs: HOUR,
      clock: () => this.now,
      random: randomBytes,
      log: { warn: () => {} },
      ...more,
    });
  }

  signedIn(more: Partial<SignedIn> = {}): SignedIn {
    return { identity: ADMIN, tokenEndsAt: this.now + 24 * HOUR, ...more };
  }

  async start(sessions: Sessions, more: Partial<SignedIn> = {}): Promise<string> {
    return (await sessions.start(this.signedIn(more), 'https://login.test')).credential;
  }
}

const isGood = async (sessions: Sessions, credential: string): Promise<boolean> =>
  (await sessions.verify(credential)).ok;

const grantOf = async (verified: Verified | Promise<Verified>): Promise<Grant> => {
  const found = await verified;
  if (!found.ok) throw new Error(found.detail);
  return found.grant;
};

/** Background work of a request that was answered. */
const settled = (): Promise<void> => new Promise((done) => setImmediate(done));

test('a session is known by 256 bits, of which the database has the hash alone', async () => {
  const world = new World();
  const sessions = world.node();
  const [one, two] = [await world.start(sessions), await world.start(sessions)];
  expect(one).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(one).not.toBe(two);
  expect((await grantOf(sessions.verify(one))).identity).toEqual(ADMIN);
  expect([...world.rows.rows.keys()]).toEqual([hashOf(one), hashOf(two)]);
  expect(JSON.stringify([...world.rows.rows])).not.toContain(one);
  for (const wrong of ['', 'x', `${one}x`, hashOf(one), two.replace(/./, (char) => (char === 'A' ? 'B' : 'A'))])
    expect(await isGood(sessions, wrong)).toBe(false);
});

test('the database is asked once in a while, and not at every request', async () => {
  const world = new World();
  const sessions = world.node();
  const credential = await world.start(sessions);
  world.rows.asked = 0;
  await Promise.all(Array.from({ length: 20 }, async () => sessions.verify(credential)));
  for (let i = 0; i < 20; i++) expect(sessions.verify(credential)).toMatchObject({ ok: true });
  expect(world.rows.asked).toBe(1);
  world.now += SESSION_CACHE_MS;
  await sessions.verify(credential);
  expect(world.rows.asked).toBe(2);
});

test('a session ends at its age, however much it is used', async () => {
  const world = new World();
  const sessions = world.node();
  const credential = await world.start(sessions);
  for (let minutes = 0; minutes < 8 * 60; minutes += 30) {
    expect(await isGood(sessions, credential)).toBe(true);
    world.now += 30 * MINUTE;
    await settled();
  }
  expect([await isGood(sessions, credential), await isGood(world.node(), credential)]).toEqual([false, false]);
});

test('a session that is not used ends before', async () => {
  const world = new World();
  const sessions = world.node();
  const credential = await world.start(sessions);
  world.now += HOUR - 1;
  expect(await isGood(sessions, credential)).toBe(true);
  await settled();
  world.now += HOUR - 1;
  expect(await isGood(world.node(), credential)).toBe(true);
  await settled();
  world.now += HOUR;
  expect([await isGood(sessions, credential), await isGood(world.node(), credential)]).toEqual([false, false]);
});

test('that a session is used is written, but not at every request', async () => {
  const world = new World();
  const sessions = world.node();
  const credential = await world.start(sessions);
  const end = () => world.rows.rows.get(hashOf(credential))?.expiresAt;
  const first = end();
  world.now += 5 * MINUTE;
  await sessions.verify(credential);
  await settled();
  expect(end()).toBe(first);
  world.now += 5 * MINUTE;
  await sessions.verify(credential);
  await settled();
  expect(end()).toBe(world.now + HOUR);
});

test('without a refresh token it ends with the token', async () => {
  const world = new World();
  const sessions = world.node();
  const credential = await world.start(sessions, { tokenEndsAt: world.now + 10 * MINUTE });
  const grant = await grantOf(sessions.verify(credential));
  expect(grant.expiresAt).toBe(world.now + 10 * MINUTE);
  expect(grant.holds(world.now)).toBe(true);
  world.now += 10 * MINUTE;
  expect([await isGood(sessions, credential), grant.holds(world.now), world.shown]).toEqual([false, false, []]);
});

test('a logout is known here at once, and by other nodes and their open streams a few seconds later', async () => {
  const world = new World();
  const [here, there] = [world.node(), world.node()];
  const credential = await world.start(here);
  const stream = await grantOf(there.verify(credential));
  const mine = await grantOf(here.verify(credential));
  expect(stream.holds(world.now)).toBe(true);
  expect((await here.end(credential))?.identity).toEqual(ADMIN);
  expect([await isGood(here, credential), mine.holds(world.now)]).toEqual([false, false]);
  world.now += SESSION_CACHE_MS;
  await there.refresh();
  expect([stream.holds(world.now), await isGood(there, credential)]).toEqual([false, false]);
  expect(await here.end(credential)).toBeUndefined();
});

test('a stream is followed although its session is no longer remembered, and does not keep it in use', async () => {
  const world = new World();
  const sessions = world.node({ maxRemembered: 1 });
  const credential = await world.start(sessions);
  const stream = await grantOf(sessions.verify(credential));
  await sessions.verify(await world.start(sessions));
  expect(stream.holds(world.now)).toBe(true);
  for (let i = 0; i < 59; i++) {
    world.now += MINUTE;
    await sessions.refresh();
    expect(stream.holds(world.now)).toBe(true);
  }
  world.now += MINUTE;
  await sessions.refresh();
  expect(stream.holds(world.now)).toBe(false);
});

test('a token is renewed before it ends, and while that lasts everything goes on', async () => {
  const world = new World();
  const sessions = world.node();
  const credential = await world.start(sessions, { tokenEndsAt: world.now + 10 * MINUTE, refreshToken: 'r1' });
  const stream = await grantOf(sessions.verify(credential));
  world.now += 9 * MINUTE + 1;
  world.answer = { ok: true, signedIn: world.signedIn({ tokenEndsAt: world.now + 10 * MINUTE, refreshToken: 'r2' }) };
  expect(await isGood(sessions, credential)).toBe(true);
  await settled();
  await settled();
  world.now += 5 * MINUTE;
  expect([await isGood(sessions, credential), stream.holds(world.now)]).toEqual([true, true]);
  expect(world.shown).toEqual(['r1']);
  expect(await grantOf(sessions.verify(credential))).toBe(stream);
});

test('of several nodes one renews, and the others take what it has got', async () => {
  const world = new World();
  const nodes = [world.node(), world.node(), world.node()];
  const [first = world.node()] = nodes;
  const credential = await world.start(first, { tokenEndsAt: world.now + 10 * MINUTE, refreshToken: 'r1' });
  world.now += 11 * MINUTE;
  world.answer = { ok: true, signedIn: world.signedIn({ tokenEndsAt: world.now + 10 * MINUTE, refreshToken: 'r2' }) };
  let open: () => void = () => {};
  world.gate = new Promise((done) => (open = done));
  const asked = nodes.map((node) => isGood(node, credential));
  await settled();
  open();
  expect(await Promise.all(asked)).toEqual([true, true, true]);
  expect(world.shown).toEqual(['r1']);
  expect([...world.rows.rows.values()].map(({ kind }) => kind)).toEqual(['session']);
});

test('an issuer that refuses ends the session; one that is away leaves it as long as its token is good', async () => {
  const world = new World();
  const sessions = world.node();
  const started = { tokenEndsAt: world.now + 10 * MINUTE, refreshToken: 'r1' };
  const [one, two] = [await world.start(sessions, started), await world.start(sessions, started)];
  await Promise.all([sessions.verify(one), sessions.verify(two)]);
  world.answer = { ok: false, why: 'away' };
  world.now += 9 * MINUTE + 30_000;
  expect([await isGood(sessions, one), await isGood(sessions, one)]).toEqual([true, true]);
  await settled();
  expect(world.shown).toEqual(['r1']);
  world.now += MINUTE;
  expect(await sessions.verify(one)).toMatchObject({ ok: false, away: true });
  world.answer = { ok: false, why: 'refused' };
  expect(await sessions.verify(two)).toMatchObject({ ok: false, away: false });
  expect(await sessions.verify(two)).toMatchObject({ ok: false, away: false });
  expect(world.rows.rows.has(hashOf(two))).toBe(false);
});

test('SEC1 who has become somebody else by a renewal loses the open streams', async () => {
  const world = new World();
  const sessions = world.node();
  const credential = await world.start(sessions, { tokenEndsAt: world.now + 10 * MINUTE, refreshToken: 'r1' });
  const stream = await grantOf(sessions.verify(credential));
  world.now += 11 * MINUTE;
  world.answer = { ok: true, signedIn: { identity: NOBODY, tokenEndsAt: world.now + 10 * MINUTE } };
  expect((await grantOf(sessions.verify(credential))).identity).toEqual(NOBODY);
  expect(stream.holds(world.now)).toBe(false);
  // Another subject is not the same session at all.
  const other = await world.start(sessions, { tokenEndsAt: world.now + 10 * MINUTE, refreshToken: 'r3' });
  world.now += 11 * MINUTE;
  world.answer = { ok: true, signedIn: world.signedIn({ identity: { ...ADMIN, subject: 'eve' } }) };
  expect(await isGood(sessions, other)).toBe(false);
});

test('SEC1 who guesses asks the database once about each id, many ids at a time, and pushes out no session', async () => {
  const world = new World();
  const sessions = world.node({ maxRemembered: 10 });
  const credential = await world.start(sessions);
  await sessions.verify(credential);
  world.rows.asked = 0;
  const guesses = Array.from({ length: 400 }, () => randomBytes(32).toString('base64url'));
  expect(guesses.map((guess) => sessions.knows(guess))).not.toContain(true);
  const answers = await Promise.all(guesses.map((guess) => isGood(sessions, guess)));
  expect([answers.includes(true), world.rows.asked]).toEqual([false, 2]);
  const last = guesses.at(-1) ?? '';
  expect([sessions.knows(last), sessions.knows(credential), sessions.knows('x')]).toEqual([true, true, true]);
  expect(sessions.verify(last)).toMatchObject({ ok: false, away: false });
  expect([sessions.verify(credential), world.rows.asked]).toMatchObject([{ ok: true }, 2]);
  // Only the newest guesses are remembered.
  expect(sessions.knows(guesses[0] ?? '')).toBe(false);
  world.now += 10_000;
  expect(sessions.knows(last)).toBe(false);
  const many = await Promise.all(
    Array.from({ length: 3000 }, async () => sessions.verify(randomBytes(32).toString('base64url'))),
  );
  expect(many.filter((verified) => !verified.ok && verified.away).length).toBeGreaterThan(0);
  expect(await isGood(sessions, credential)).toBe(true);
});

test('SEC1 a session ends when its issuer is not configured any more, or otherwise than when it began', async () => {
  const world = new World();
  const here = world.node();
  const credential = await world.start(here, { tokenEndsAt: world.now + 10 * MINUTE, refreshToken: 'r1' });
  const stream = await grantOf(here.verify(credential));
  // A renewal changes nothing about it.
  world.now += 11 * MINUTE;
  world.answer = { ok: true, signedIn: world.signedIn({ tokenEndsAt: world.now + HOUR, refreshToken: 'r2' }) };
  expect([await isGood(here, credential), await isGood(world.node(), credential)]).toEqual([true, true]);
  for (const mark of ['otherwise', undefined]) {
    if (mark === undefined) world.marks.delete('https://login.test');
    else world.marks.set('https://login.test', mark);
    expect(await world.node().verify(credential)).toMatchObject({ ok: false, away: false });
  }
  stream.holds(world.now);
  world.now += SESSION_CACHE_MS;
  await here.refresh();
  expect([stream.holds(world.now), await isGood(here, credential), world.shown]).toEqual([false, false, ['r1']]);
  // Nor is one good that was begun before there were marks.
  world.marks.set('https://login.test', 'as it was');
  const [row] = world.rows.rows.values();
  if (row === undefined) throw new Error('the row is gone');
  expect(await isGood(world.node(), credential)).toBe(true);
  world.rows.rows.set(row.id, { ...row, data: { ...(row.data as object), mark: undefined } });
  expect(await isGood(world.node(), credential)).toBe(false);
});

test('while the database is away, known sessions go on until they end, and others are not judged', async () => {
  const world = new World();
  const sessions = world.node();
  const [known, unknown] = [await world.start(sessions), await world.start(world.node())];
  const stream = await grantOf(sessions.verify(known));
  world.away = true;
  world.now += 30 * MINUTE;
  await sessions.refresh();
  await sessions.sweep();
  expect([await isGood(sessions, known), stream.holds(world.now)]).toEqual([true, true]);
  expect(await sessions.verify(unknown)).toMatchObject({ ok: false, away: true });
  world.now += 8 * HOUR;
  expect(await isGood(sessions, known)).toBe(false);
});

test('what has expired is swept away, and what is no session is none', async () => {
  const world = new World();
  const sessions = world.node();
  const credential = await world.start(sessions);
  const signIn = 'a'.repeat(43);
  await world.rows.insert({
    id: hashOf(signIn),
    kind: 'sign-in',
    data: world.signedIn(),
    createdAt: world.now,
    expiresAt: world.now + HOUR,
  });
  expect([await isGood(sessions, signIn), await isGood(sessions, credential)]).toEqual([false, true]);
  world.now += 2 * HOUR;
  await sessions.sweep();
  expect(world.rows.rows.size).toBe(0);
});

test('when a session ends, and when its token is due', () => {
  const data = { identity: ADMIN, issuer: 'i', tokenEndsAt: 1000, endsAt: 5000 };
  expect(endOf(data, 0, 800)).toBe(800);
  expect(endOf(data, 900, 800)).toBe(1000);
  expect(endOf({ ...data, refreshToken: 'r' }, 900, 800)).toBe(1700);
  expect(endOf({ ...data, refreshToken: 'r' }, 4900, 800)).toBe(5000);
  const long = { ...data, refreshToken: 'r', tokenEndsAt: HOUR };
  expect([isDue(long, 0, HOUR - MINUTE - 1), isDue(long, 0, HOUR - MINUTE)]).toEqual([false, true]);
  const short = { ...long, tokenEndsAt: 1000 };
  expect([isDue(short, 0, 799), isDue(short, 0, 800), isDue(data, 0, 2000)]).toEqual([false, true, false]);
});
