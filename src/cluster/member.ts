import type { Logger } from 'pino';
import {
  CLAIM_SHARE,
  isSameMembership,
  NO_MEMBERSHIP,
  nextMembership,
  ownerOf,
  type Membership,
} from '../domain/membership.ts';
import type { Claims } from '../health/claims.ts';
import type { NodeRow, Nodes, Roll } from '../store/port.ts';
import { candidatesOf, type Said } from './roll.ts';
import { SharedClock } from './shared-clock.ts';

export interface MemberDeps {
  readonly nodes: Nodes;
  readonly me: Pick<NodeRow, 'id' | 'name' | 'version'>;
  readonly timeoutMs: number;
  /** The history that the view is of. Terms of another one say nothing. */
  readonly epoch: () => string;
  /** What it says about itself with the next heartbeat. */
  readonly describe: () => Said;
  /** What it may decide about is another than before. */
  readonly onClaims: () => void;
  /** All that were heard of, after each heartbeat. */
  readonly onRoll: (roll: Roll) => void;
  readonly onMembershipChange: (is: Membership, was: Membership) => void;
  /** Brings the view to where the log is. Rejects as the store does. */
  readonly catchUp: () => Promise<void>;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** No term: nothing is committed under it. */
const UNKNOWN_TERM = -1;

/** With so much of the timeout between two heartbeats that were answered, the database may have been away. */
const STEADY_SHARE = 1 / 3;

/** Answers that are kept; of more groups they are made out anew. */
const MAX_OWNED = 50_000;

/** This node among the others: says that it lives, hears of them, and knows what it may decide about. */
export class Member implements Claims {
  readonly #deps: MemberDeps;
  readonly #clock: SharedClock;
  readonly #limits: { readonly timeoutMs: number; readonly claimMs: number };
  readonly #owned = new Map<string, boolean>();
  #membership: Membership = NO_MEMBERSHIP;
  /** How many it has gone by so far. */
  #adopted = 0;
  /** The history that the view was of when the last heartbeat that was answered began. */
  #epoch: string | undefined;
  #roll: Roll | undefined;
  /** When the last heartbeat that was answered began. */
  #heardAt = Number.NEGATIVE_INFINITY;
  /** Since when it was never without an answer for so long that the others may have been, too, and for a little longer. */
  #steadySince = Number.NEGATIVE_INFINITY;
  /** Since when its heartbeats have been answered one after the other, by the shared clock. */
  #answeredSince = Number.NEGATIVE_INFINITY;
  /** What `onClaims` was last called for. */
  #told = '';
  #ownedFor = '';
  /** When it stepped down, by the shared clock. */
  #stoppedAt: number | undefined;
  /** The term that it knew when it last said that it has leases. */
  #hadLeasesIn = -1;
  #beating: Promise<void> | undefined;
  #timesLost = 0;

  constructor(deps: MemberDeps) {
    this.#deps = deps;
    this.#clock = new SharedClock(deps.now);
    this.#limits = { timeoutMs: deps.timeoutMs, claimMs: deps.timeoutMs * CLAIM_SHARE };
  }

  get id(): string {
    return this.#deps.me.id;
  }

  get membership(): Membership {
    return this.#membership;
  }

  /** As of the last heartbeat. */
  get roll(): Roll | undefined {
    return this.#roll;
  }

  /** In another history the number of a membership may be another one's. */
  get fence(): number {
    const isOfThis = this.#epoch === undefined || this.#epoch === this.#deps.epoch();
    return isOfThis ? this.#membership.term : UNKNOWN_TERM;
  }

  get sharedNow(): number {
    return this.#clock.now;
  }

  get gapFrom(): number {
    return this.#membership.gapFrom;
  }

  get undecidedFrom(): number | undefined {
    return this.#membership.undecidedFrom;
  }

  get awakeSince(): number {
    return this.#membership.awakeSince;
  }

  get leasesRun(): boolean {
    return this.#membership.withoutLeases.length === 0;
  }

  get leasesRunSince(): number | undefined {
    return this.#membership.leasesRunSince;
  }

  get heardAt(): number {
    return this.#heardAt;
  }

  wereOthersThere(from: number, until: number): boolean {
    const { members } = this.#membership;
    const ahead = this.sharedNow - this.#deps.now();
    return (this.#roll?.nodes ?? []).some(({ id, heardAt, state: { steadySince } }) => {
      const isOther = id !== this.id && members.includes(id) && typeof steadySince === 'number';
      // One that waited for the database all the time may be answered when it is back.
      return isOther && steadySince <= from + ahead && heardAt >= until + ahead + this.#limits.timeoutMs * STEADY_SHARE;
    });
  }

  get timesLost(): number {
    return this.#timesLost;
  }

  get isMember(): boolean {
    return this.#membership.members.includes(this.id);
  }

  /** Whether the others have heard of it lately enough to leave it what it has. */
  get isHeard(): boolean {
    return this.#deps.now() - this.#heardAt < this.#limits.claimMs;
  }

  get stands(): boolean {
    return this.isMember && this.isHeard && this.#stoppedAt === undefined;
  }

  /**
   * Whether a renewal that could not be stored may be acknowledged: either nobody's lease runs out, since all know that this
   * node keeps what it hears to itself, or there is nobody else who could let one run out. A membership that names it from
   * before it last had leases may be over already.
   */
  get mayKeepRenewals(): boolean {
    const { members, withoutLeases, term } = this.#membership;
    if (members.length === 1 && members[0] === this.id) return this.#stoppedAt === undefined;
    return withoutLeases.includes(this.id) && term > this.#hadLeasesIn && this.isHeard;
  }

  owns(group: string): boolean {
    if (!this.stands) return false;
    const { since } = this.#membership;
    const at = this.sharedNow;
    const holds = `${this.#adopted} ${at < since}`;
    if (holds !== this.#ownedFor) {
      this.#owned.clear();
      this.#ownedFor = holds;
    }
    if (this.#owned.size > MAX_OWNED) this.#owned.clear();
    let owned = this.#owned.get(group);
    if (owned === undefined) this.#owned.set(group, (owned = ownerOf(this.#membership, group, at) === this.id));
    return owned;
  }

  ownsSlot(group: string, at: number): boolean {
    return this.stands && ownerOf(this.#membership, group, at) === this.id;
  }

  /** One heartbeat. Rejects as the store does. Calls that come meanwhile share it. */
  beat(): Promise<void> {
    this.#beating ??= this.#say().finally(() => {
      this.#beating = undefined;
    });
    return this.#beating;
  }

  /** A heartbeat that says how it is now: one that is under way may say how it was. */
  async announce(): Promise<void> {
    await this.#beating?.catch(() => undefined);
    await this.beat();
  }

  /** Tells when time alone has changed what this node may decide about; to be called often. */
  tick(): void {
    const { since } = this.#membership;
    const holds = `${this.#adopted} ${this.fence} ${this.sharedNow < since} ${this.stands}`;
    if (holds === this.#told) return;
    const stood = this.#told.endsWith('true');
    this.#told = holds;
    if (stood && !this.stands && this.#stoppedAt === undefined)
      this.#deps.log.warn('this node was not heard by the others and stops deciding');
    this.#deps.onClaims();
  }

  /** Its share goes to the others; it goes on to be heard of. Rejects as the store does. */
  async stepDown(): Promise<void> {
    if (this.#stoppedAt !== undefined) return;
    await this.#beating?.catch(() => undefined);
    // What is due after this millisecond is for the others.
    this.#stoppedAt = this.sharedNow + 1;
    this.tick();
    await this.announce();
  }

  /** It is in nobody's roll any more. To be called when nothing else calls `beat`. */
  async leave(): Promise<void> {
    await this.#beating?.catch(() => undefined);
    await this.#deps.nodes.leave(this.id);
  }

  async #say(): Promise<void> {
    const { nodes, me, describe, now, onRoll, log } = this.#deps;
    const asked = now();
    const epoch = this.#deps.epoch();
    const said = describe();
    const hasLeases = said.leases !== 'away';
    if (hasLeases) this.#hadLeasesIn = this.#membership.term;
    const stopped = this.#stoppedAt === undefined ? {} : { takesPart: false, stoppedAt: this.#stoppedAt };
    const isGap = asked - this.#heardAt > this.#limits.timeoutMs * STEADY_SHARE;
    // Before the first answer nothing is known of the shared clock.
    if (isGap) this.#answeredSince = this.#roll === undefined ? Number.POSITIVE_INFINITY : this.sharedNow;
    const steady = Number.isFinite(this.#answeredSince) && { steadySince: this.#answeredSince };
    const roll = await nodes.beat({ ...me, state: { ...said, ...stopped, ...steady } });
    if (this.#answeredSince === Number.POSITIVE_INFINITY) this.#answeredSince = roll.clock;
    // Whatever stands then may be from while it still had them.
    if (hasLeases) this.#hadLeasesIn = Math.max(this.#hadLeasesIn, roll.membership.term);
    const wasSet = this.#clock.observe(roll.clock, asked, now());
    if (wasSet) this.#answeredSince = roll.clock;
    if (wasSet) log.warn('the clock of the database was set; the checks begin their rounds anew');
    const isFirst = this.#roll === undefined;
    if (!isFirst && asked - this.#heardAt > this.#limits.claimMs) this.#steadySince = asked;
    const mayJudge = asked - this.#steadySince >= this.#limits.timeoutMs;
    await this.#adopt(roll, mayJudge, hasLeases);
    this.#heardAt = asked;
    this.#epoch = epoch;
    // What was just written stands in no roll yet.
    this.#roll = { ...roll, membership: this.#membership };
    if (wasSet) this.#told = '';
    onRoll(roll);
    this.tick();
  }

  async #adopt(roll: Roll, mayJudge: boolean, hasLeases: boolean): Promise<void> {
    const { nodes, onMembershipChange, catchUp, log } = this.#deps;
    const next = this.#nextOf(roll, mayJudge, hasLeases);
    const isChanged = next !== undefined && (await nodes.change(next));
    // Who was overtaken by another node hears of it with the next heartbeat.
    const membership = isChanged ? next : roll.membership;
    if (isSameMembership(membership, this.#membership)) return;
    if (isChanged) log.info(`the work is shared by ${next.members.length} node(s) from term ${next.term} on`);
    // What comes to this node is taken over as it is now, not as it was here. A run that was under way may have begun before.
    await catchUp();
    await catchUp();
    if (this.isMember && !roll.membership.members.includes(this.id)) this.#timesLost += 1;
    const was = this.#membership;
    this.#membership = membership;
    this.#adopted += 1;
    onMembershipChange(membership, was);
  }

  #nextOf(roll: Roll, mayJudge: boolean, hasLeases: boolean): Membership | undefined {
    const { membership: is, clock } = roll;
    const next = nextMembership(is, candidatesOf(roll, mayJudge, this.#limits.timeoutMs), clock, this.#limits);
    if (next !== undefined || hasLeases || !is.withoutLeases.includes(this.id) || is.term > this.#hadLeasesIn)
      return next;
    // It had leases in between, and another node may be about to say so: only a newer term is certain to name it.
    return { ...is, term: is.term + 1 };
  }
}
