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
  /**
   * What ran out from then on may have had nobody who could decide about it for long enough: `gapFrom`, or an earlier one that was not
   * made up for when this membership came. Undefined: a node wrote it that does not know of this.
   */
  readonly undecidedFrom?: number;
  /** From then on somebody who had the work before was always there to hand it over. What ran out earlier may have had nobody to tell (INS3). */
  readonly awakeSince: number;
  /** Nodes that cannot reach the leases, sorted. They keep in memory what they hear, so nobody's lease runs out meanwhile (INS3). */
  readonly withoutLeases: readonly string[];
  /**
   * From then on no member was without leases; nobody who hears of a later term only need wonder. Undefined: a node wrote it that does
   * not know of this, so that they may not have run under any term that was missed.
   */
  readonly leasesRunSince?: number;
}

export const NO_MEMBERSHIP: Membership = {
  term: 0,
  members: [],
  before: [],
  since: 0,
  gapFrom: 0,
  undecidedFrom: 0,
  awakeSince: 0,
  withoutLeases: [],
  leasesRunSince: 0,
};

/**
 * So much of the timeout a node that is not heard acts on, before it stops by itself; and so long after it was written, a membership
 * that somebody joins begins (decisions/0018).
 */
export const CLAIM_SHARE = 2 / 3;

/** What is known of a node. */
export interface Candidate {
  readonly id: string;
  /** When it was last heard of. */
  readonly heardAt: number;
  /** It has stopped by itself, in order: until then it has done what was its own. */
  readonly stoppedAt?: number;
  /** Whether it wants to share the work. */
  readonly takesPart: boolean;
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
 * Nobody joins before the last who joined have begun: those who know when that is may not hear of another time. Nor before what a
 * lost member left undone is made up for, since nothing is decided about what is about to go once more, as to a member that was
 * lost for a moment. Whatever lies further ahead than it can was written before the database's clock was set back.
 */
export function nextMembership(
  is: Membership,
  candidates: readonly Candidate[],
  now: number,
  { timeoutMs, claimMs }: MembershipLimits,
): Membership | undefined {
  const live = candidates.filter(({ heardAt }) => Math.abs(now - heardAt) < timeoutMs);
  const withoutLeases = idsOf(live.filter(({ hasLeases }) => !hasLeases));
  const wasSetBack = is.since > now + claimMs;
  const isHandingOver = now < is.since && !wasSetBack;
  const willing = idsOf(live.filter(({ takesPart }) => takesPart));
  const goesOn = willing.filter((id) => is.members.includes(id));
  const didOf = (id: string): number =>
    didUntil(candidates.find((candidate) => candidate.id === id)) ?? now - timeoutMs;
  const isLeavingUndone = is.members.some((id) => !willing.includes(id) && now - didOf(id) >= claimMs);
  const mayJoin = !isHandingOver && !isLeavingUndone && (wasSetBack || !isMakingUp(is, now, { timeoutMs, claimMs }));
  const members = !mayJoin && goesOn.length > 0 ? goesOn : willing;
  if (!wasSetBack && same(members, is.members) && same(withoutLeases, is.withoutLeases)) return undefined;
  const lost = is.members.filter((id) => !members.includes(id));
  const before = (isHandingOver ? is.before : is.members).filter((id) => members.includes(id));
  const joins = members.some((id) => !is.members.includes(id));
  const since = before.length > 0 && joins ? now + claimMs : isHandingOver && before.length > 0 ? is.since : now;
  const gaps = [since, ...(isHandingOver ? [is.gapFrom] : []), ...lost.map(didOf)];
  const gapFrom = Math.min(...gaps);
  // In that time whoever took something over has decided about it.
  const isMadeUpFor = now >= is.since + claimMs;
  return {
    term: is.term + 1,
    members,
    before,
    since,
    gapFrom,
    undecidedFrom: isMadeUpFor ? gapFrom : Math.min(gapFrom, is.undecidedFrom ?? is.gapFrom),
    awakeSince: before.length > 0 ? Math.min(is.awakeSince, now) : now,
    withoutLeases,
    leasesRunSince: leasesRunSince(is, withoutLeases, now),
  };
}

/**
 * Checks that a lost member left out are made within a second and a half, and may take theirs, and a lease that ran out is asked about.
 * However many memberships come meanwhile, it ends so long after the member was to be left out.
 */
function isMakingUp(is: Membership, now: number, { timeoutMs, claimMs }: MembershipLimits): boolean {
  const { since, gapFrom, undecidedFrom = gapFrom } = is;
  // Who stops in order leaves nothing undone that would take any time.
  return since - undecidedFrom >= claimMs && now < Math.min(since, undecidedFrom + timeoutMs) + timeoutMs;
}

/** Whether leases have begun to run again in between, with their full length for everybody. */
export function haveLeasesResumed(is: Membership, was: Membership): boolean {
  return was.term > 0 && (is.leasesRunSince ?? 0) > (was.leasesRunSince ?? Number.POSITIVE_INFINITY);
}

/** While they do not run, it is when they last began to. */
function leasesRunSince(is: Membership, withoutLeases: readonly string[], now: number): number {
  const areBack = is.withoutLeases.length > 0 && withoutLeases.length === 0;
  return areBack ? now : Math.min(is.leasesRunSince ?? now, now);
}

/** Until then it has certainly done what was its own. */
const didUntil = (lost: Candidate | undefined): number | undefined =>
  lost && Math.min(lost.heardAt, lost.stoppedAt ?? Number.POSITIVE_INFINITY);

const idsOf = (candidates: readonly Candidate[]): string[] => candidates.map(({ id }) => id).toSorted();

/**
 * Whether they are one and the same. The term alone does not say it: a standby that takes over without having heard of the last
 * change gives its number to another one.
 */
export function isSameMembership(a: Membership, b: Membership): boolean {
  const fields = new Set([...Object.keys(a), ...Object.keys(b)] as (keyof Membership)[]);
  return [...fields].every((field) => JSON.stringify(a[field]) === JSON.stringify(b[field]));
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
