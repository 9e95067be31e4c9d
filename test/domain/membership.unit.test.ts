import { describe, expect, test } from '@jest/globals';
import {
  haveLeasesResumed,
  isSameMembership,
  nextMembership,
  NO_MEMBERSHIP,
  ownerOf,
  rendezvous,
  type Candidate,
  type Membership,
} from '../../src/domain/membership.ts';
import { Random } from '../support/random.ts';

const LIMITS = { timeoutMs: 3000, claimMs: 2000 };
const T = 1_000_000;

const node = (id: string, heardAt: number, more: Partial<Candidate> = {}): Candidate => ({
  id,
  heardAt,
  takesPart: true,
  hasLeases: true,
  ...more,
});
const next = (is: Membership, candidates: readonly Candidate[], now: number): Membership => {
  const changed = nextMembership(is, candidates, now, LIMITS);
  if (changed === undefined) throw new Error('nothing changes');
  return changed;
};
const GROUPS = Array.from({ length: 300 }, (_, n) => `service-${n % 60}.example eu-${n % 5}`);

describe('the membership', () => {
  test('the first node owns everything at once, and was awake only from then on (INS3)', () => {
    const first = next(NO_MEMBERSHIP, [node('a', T)], T);
    expect(first).toMatchObject({ term: 1, members: ['a'], since: T, awakeSince: T });
    expect(GROUPS.every((group) => ownerOf(first, group, T) === 'a')).toBe(true);
    expect(nextMembership(first, [node('a', T + 500)], T + 500, LIMITS)).toBeUndefined();
  });

  test('who joins waits until the others have heard of it or stopped; what it gets is about its share, and nothing else moves', () => {
    const one = next(NO_MEMBERSHIP, [node('a', T), node('b', T)], T);
    const at = T + 10_000;
    const two = next(one, [node('a', at), node('b', at), node('c', at)], at);
    expect(two).toMatchObject({ term: 2, before: ['a', 'b'], since: at + LIMITS.claimMs, awakeSince: T });
    for (const group of GROUPS) {
      expect(ownerOf(two, group, two.since - 1)).toBe(ownerOf(one, group, at));
      const owner = ownerOf(two, group, two.since);
      if (owner !== 'c') expect(owner).toBe(ownerOf(one, group, at));
    }
    const moved = GROUPS.filter((group) => ownerOf(two, group, two.since) === 'c').length;
    expect(moved).toBeGreaterThan(GROUPS.length / 5);
    expect(moved).toBeLessThan(GROUPS.length / 2);
  });

  test('what a lost member owned goes to the others at once, and what was due since it was last heard is a gap', () => {
    const two = next(NO_MEMBERSHIP, [node('a', T), node('b', T)], T);
    const at = T + 60_000;
    expect(nextMembership(two, [node('a', at), node('b', at - 2999)], at, LIMITS)).toBeUndefined();
    const one = next(two, [node('a', at), node('b', at - 3000)], at);
    expect(one).toMatchObject({ members: ['a'], since: at, gapFrom: at - 3000, awakeSince: T });
    const forgotten = next(two, [node('a', at)], at);
    expect(forgotten.gapFrom).toBe(at - 3000);
  });

  test('who leaves in order leaves no gap', () => {
    const two = next(NO_MEMBERSHIP, [node('a', T), node('b', T)], T);
    const at = T + 60_000;
    const one = next(two, [node('a', at - 400), node('b', at, { takesPart: false })], at);
    expect(one).toMatchObject({ members: ['a'], since: at });
    expect(one.gapFrom).toBe(at);
    const told = next(two, [node('a', at - 400), node('b', at, { takesPart: false, stoppedAt: at - 30 })], at);
    expect(told.gapFrom).toBe(at - 30);
  });

  test('a death during a handover: those who are left share what there was, and the one that joins still waits', () => {
    const two = next(NO_MEMBERSHIP, [node('a', T), node('b', T)], T);
    const joined = next(two, [node('a', T), node('b', T), node('c', T + 100)], T + 100);
    const at = T + 1900;
    const lost = next(joined, [node('a', at), node('b', at - 3000), node('c', at)], at);
    expect(lost).toMatchObject({ members: ['a', 'c'], before: ['a'], since: joined.since, gapFrom: at - 3000 });
    expect(GROUPS.every((group) => ownerOf(lost, group, lost.since - 1) === 'a')).toBe(true);
    const alone = next(joined, [node('a', at - 3000), node('b', at - 3000), node('c', at)], at);
    // It has never had anything to hand over.
    expect(alone).toMatchObject({ members: ['c'], before: [], since: at, awakeSince: at });
  });

  test('INS3 after all were away nobody survives, and the registry was awake only from then on', () => {
    const two = next(NO_MEMBERSHIP, [node('a', T), node('b', T)], T);
    const at = T + 600_000;
    expect(next(two, [node('a', T), node('b', T), node('c', at)], at)).toMatchObject({ awakeSince: at, since: at });
  });

  test('INS1 what was lost when the next membership came at once goes on to be undecided, until somebody had time for it', () => {
    const is = next(NO_MEMBERSHIP, [node('a', T), node('b', T)], T);
    const at = T + 60_000;
    const lost = next(is, [node('a', at), node('b', at - 3000)], at);
    expect(lost).toMatchObject({ gapFrom: at - 3000, undecidedFrom: at - 3000 });
    const changed = (later: number): Membership => next(lost, [node('a', later, { hasLeases: false })], later);
    expect(changed(at + 30)).toMatchObject({ gapFrom: at + 30, undecidedFrom: at - 3000 });
    const settled = at + LIMITS.claimMs;
    expect(changed(settled)).toMatchObject({ undecidedFrom: settled });
    // A node of before wrote it.
    const { undecidedFrom: _, ...unsaid } = lost;
    expect(next(unsaid, [node('a', at, { hasLeases: false })], at).undecidedFrom).toBe(at - 3000);
  });

  test('INS1 nobody joins, not even who was lost, before what it left undone is made up for, however often leases go meanwhile', () => {
    let is = next(NO_MEMBERSHIP, [node('a', T), node('b', T)], T);
    const lostAt = T + 60_000;
    const settled = lostAt + LIMITS.timeoutMs;
    // Somebody who joins as soon as that is known waits as well.
    is = next(is, [node('a', lostAt), node('b', lostAt - 3000), node('c', lostAt)], lostAt);
    expect(is).toMatchObject({ members: ['a'], since: lostAt });
    let hasLeases = true;
    for (let at = lostAt + 100; at < settled; at += 100) {
      if (at % 300 === 0) hasLeases = !hasLeases;
      is = nextMembership(is, [node('a', at, { hasLeases }), node('b', at), node('c', at)], at, LIMITS) ?? is;
      expect(is.members).toEqual(['a']);
    }
    expect(is.term).toBeGreaterThan(5);
    const all = [node('a', settled), node('b', settled), node('c', settled)];
    expect(next(is, all, settled)).toMatchObject({ members: ['a', 'b', 'c'], since: settled + LIMITS.claimMs });
    // Who stopped in order has left nothing undone.
    const stopped = node('b', lostAt, { takesPart: false, stoppedAt: lostAt - 400 });
    const both = next(NO_MEMBERSHIP, [node('a', T), node('b', T)], T);
    expect(next(both, [node('a', lostAt), stopped, node('c', lostAt)], lostAt).members).toEqual(['a', 'c']);
    const without = next(both, [node('a', lostAt), stopped], lostAt);
    const again = [node('a', lostAt + 100), stopped, node('c', lostAt + 100)];
    expect(next(without, again, lostAt + 100).members).toEqual(['a', 'c']);
    // There is nobody who could make up for anything, or the clock was set back.
    expect(next(is, [node('b', lostAt)], lostAt + 100)).toMatchObject({ members: ['b'] });
    const past = T - 3_600_000;
    expect(next(is, [node('a', past), node('b', past)], past)).toMatchObject({ members: ['a', 'b'] });
  });

  test('INS3 a node without leases is named, whether or not it shares the work, until it has them or is lost', () => {
    const is = next(NO_MEMBERSHIP, [node('a', T), node('b', T)], T);
    const away = next(
      is,
      [node('a', T, { hasLeases: false }), node('b', T), node('x', T, { takesPart: false, hasLeases: false })],
      T,
    );
    expect(away).toMatchObject({ term: 2, withoutLeases: ['a', 'x'], members: ['a', 'b'], since: T });
    for (const group of GROUPS) expect(ownerOf(away, group, T)).toBe(ownerOf(is, group, T));
    expect(next(away, [node('a', T), node('b', T)], T).withoutLeases).toEqual([]);
  });

  test('INS3 it says since when leases run, so that nobody has to have heard of each term to know', () => {
    const both = [node('a', T), node('b', T)];
    const is = next(NO_MEMBERSHIP, both, T);
    expect(is.leasesRunSince).toBeLessThan(T);
    const away = next(is, [node('a', T, { hasLeases: false }), node('b', T)], T);
    const back = next(away, [node('a', T + 500), node('b', T + 500)], T + 500);
    expect(back.leasesRunSince).toBe(T + 500);
    const told = [is, away, back].map((each, n, all) => haveLeasesResumed(each, all[n - 1] ?? NO_MEMBERSHIP));
    expect([...told, haveLeasesResumed(back, is)]).toEqual([false, false, true, true]);
    const at = T + 9000;
    expect(next(back, [node('a', at), node('b', at), node('c', at)], at).leasesRunSince).toBe(T + 500);
    // A node of before wrote it.
    const { leasesRunSince: _, ...unsaid } = back;
    expect(next(unsaid, [node('a', at)], at).leasesRunSince).toBe(at);
    // The clock was set back.
    expect(next(back, [node('a', T - 9000)], T - 9000).leasesRunSince).toBe(T - 9000);
  });

  test('INS1 two of one number are told apart by all that they say, in whichever order and whatever one of them leaves out', () => {
    const is = next(NO_MEMBERSHIP, [node('a', T), node('b', T)], T);
    const read = JSON.parse(JSON.stringify(is)) as Membership;
    const turned = Object.fromEntries(Object.entries(read).toReversed()) as unknown as Membership;
    expect(isSameMembership(is, turned)).toBe(true);
    expect(isSameMembership(is, { ...read, members: ['a', 'c'] })).toBe(false);
    expect(isSameMembership(is, { ...read, since: is.since + 1 })).toBe(false);
    const { leasesRunSince: _, ...unsaid } = read;
    expect(isSameMembership(is, unsaid)).toBe(false);
    expect(isSameMembership({ ...read, more: 1 } as Membership, is)).toBe(false);
  });

  test('the clock of the database was set back: nothing waits for the time that it was', () => {
    const two = next(NO_MEMBERSHIP, [node('a', T), node('b', T)], T);
    const at = T - 3_600_000;
    const set = next(two, [node('a', at), node('b', T)], at);
    expect(set).toMatchObject({ members: ['a'], since: at, awakeSince: at });
    expect(set.gapFrom).toBeLessThanOrEqual(at);
    const both = next(two, [node('a', at), node('b', at)], at);
    expect(both).toMatchObject({ members: ['a', 'b'], since: at });
  });

  test('rendezvous: evenly, and the same whatever the order', () => {
    const members = ['a', 'b', 'c', 'd'];
    const counts = new Map<string, number>();
    for (let n = 0; n < 4000; n++) {
      const owner = rendezvous(members, `s${n} eu`) ?? '';
      expect(rendezvous(members.toReversed(), `s${n} eu`)).toBe(owner);
      counts.set(owner, (counts.get(owner) ?? 0) + 1);
    }
    for (const member of members) expect(Math.abs((counts.get(member) ?? 0) - 1000)).toBeLessThan(150);
    expect(rendezvous([], 'x')).toBeUndefined();
  });

  test('random histories: an owner is always somebody who was heard of, and nobody who joins acts before everyone else knows or has stopped', () => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = new Random(seed);
      const heard = new Map<string, number>();
      /** What each node believes, and when it last heard. */
      const knows = new Map<string, { membership: Membership; heardAt: number }>();
      const frozen = new Map<string, number>();
      let is = NO_MEMBERSHIP;
      for (let now = T, step = 0; step < 400; step++, now += 100) {
        for (const id of ['a', 'b', 'c', 'd']) {
          if (random.chance(0.01)) frozen.set(id, now + random.below(9000));
          if ((frozen.get(id) ?? 0) > now || random.chance(0.3)) continue;
          heard.set(id, now);
          const candidates = [...heard].map(([name, heardAt]) => node(name, heardAt));
          is = nextMembership(is, candidates, now, LIMITS) ?? is;
          knows.set(id, { membership: is, heardAt: now });
        }
        for (const group of ['x eu', 'y eu', 'z us']) {
          const acting = [...knows].filter(
            ([id, { membership, heardAt }]) =>
              now - heardAt < LIMITS.claimMs &&
              ownerOf(membership, group, now) === id &&
              membership.members.includes(id),
          );
          if (acting.length > 1)
            throw new Error(`seed ${seed}, ${now - T}: ${acting.map(([id]) => id).join(' and ')} own ${group}`);
        }
      }
    }
  });
});
