/**
 * Which nodes share the work, and since when. It is one row of the database; whatever it says holds for all nodes, and every
 * node that acts on it has its commits held against `term` (decisions/0018). All times are milliseconds of the database's clock.
 */
export interface Membership {
  /** Grows by one with every change. 0: nobody has shared any work yet. */
  readonly term: number;
  /** Ids of nodes, sorted. Of these, who owns what is decided by rendezvous hashing. */
  readonly members: readonly string[];
  /** Who shared the work before `since`: until then they go on with what they had. Sorted. */
  readonly before: readonly string[];
  readonly since: number;
  /** A member was lost that was last heard of then: what was due from then on until `since` may not have been done. */
  readonly gapFrom: number;
  /** From then on there was always a member that had been one before. What ran out earlier may have had nobody to tell (INS3). */
  readonly awakeSince: number;
  /** Members that cannot reach the leases, sorted. They keep in memory what they hear, so nobody's lease runs out meanwhile (INS3). */
  readonly withoutLeases: readonly string[];
}

export const NO_MEMBERSHIP: Membership = {
  term: 0,
  members: [],
  before: [],
  since: 0,
  gapFrom: 0,
  awakeSince: 0,
  withoutLeases: [],
};

/** What is known of a node that wants to share the work. */
export interface Candidate {
  readonly id: string;
  /** When it was last heard of. */
  readonly heardAt: number;
  readonly hasLeases: boolean;
}

export interface MembershipLimits {
  /** A node that was not heard of for so long is left out. */
  readonly timeoutMs: number;
  /** So long after it was last heard of, a node stops by itself to act on what it owns; less than `timeoutMs`. */
  readonly claimMs: number;
}

/**
 * What the membership should be now; `undefined`: what it is. Who joins begins when everyone who was there before has either
 * heard of it or stopped by itself; what a lost member owned goes to the others at once, since it has stopped by itself.
 */
export function nextMembership(
  is: Membership,
  candidates: readonly Candidate[],
  now: number,
  { timeoutMs, claimMs }: MembershipLimits,
): Membership | undefined {
  const live = candidates.filter(({ heardAt }) => now - heardAt < timeoutMs);
  const members = live.map(({ id }) => id).toSorted();
  const withoutLeases = live
    .filter(({ hasLeases }) => !hasLeases)
    .map(({ id }) => id)
    .toSorted();
  if (same(members, is.members) && same(withoutLeases, is.withoutLeases)) return undefined;
  const stays = (id: string): boolean => members.includes(id);
  const isHandingOver = now < is.since;
  const before = (isHandingOver ? is.before : is.members).filter(stays);
  const joins = members.some((id) => !is.members.includes(id));
  const lost = is.members.filter((id) => !stays(id));
  const since = before.length === 0 ? now : joins ? now + claimMs : isHandingOver ? is.since : now;
  const survives = is.members.some(stays);
  return {
    term: is.term + 1,
    members,
    before,
    since,
    gapFrom: lost.length === 0 ? (isHandingOver ? is.gapFrom : since) : gapOf(is, lost, candidates, now, timeoutMs),
    awakeSince: survives ? is.awakeSince : now,
    withoutLeases,
  };
}

/** From when on what the lost members owned may not have been done. */
function gapOf(
  is: Membership,
  lost: readonly string[],
  candidates: readonly Candidate[],
  now: number,
  timeoutMs: number,
): number {
  const heard = lost.map((id) => candidates.find((candidate) => candidate.id === id)?.heardAt ?? now - timeoutMs);
  const earlier = now < is.since ? [is.gapFrom] : [];
  return Math.min(...heard, ...earlier);
}

/** Who owns a key at a time; `undefined` when there is nobody. */
export function ownerOf({ members, before, since }: Membership, key: string, at: number): string | undefined {
  return rendezvous(at < since ? before : members, key);
}

/**
 * Highest random weight: each key goes to the member for which the two together hash highest, so that whoever comes or goes
 * moves only what comes to it or was with it.
 */
export function rendezvous(members: readonly string[], key: string): string | undefined {
  let best: string | undefined;
  let highest = -1;
  for (const member of members) {
    const weight = hash(`${member} ${key}`);
    if (weight > highest) [best, highest] = [member, weight];
  }
  return best;
}

/** FNV-1a with a finish that lets every bit depend on every other; 32 bits. */
export function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

const same = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((id, i) => id === b[i]);
