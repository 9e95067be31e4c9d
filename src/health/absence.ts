import type { Claims } from './claims.ts';

/** One that is over. */
interface Over {
  readonly of: 'process' | 'store' | 'leases';
  /** It was not away before that. */
  readonly from: number;
  readonly at: number;
  /** How often its share had been lost by then. */
  readonly timesLost: number;
  /** A heartbeat found since that its share was still its own: whoever has it later says nothing about this one. */
  isSafe: boolean;
}

/**
 * When this node was last away itself, or without what it needs, and nobody else was there meanwhile: then Signalbox was away, and
 * every lease has its full length (INS3). That others had its share it may hear before or after it is back; that they were
 * there, though it was missed too shortly for that, a little later.
 */
export class Absence {
  readonly #claims: Pick<Claims, 'timesLost' | 'heardAt' | 'wereOthersThere'>;
  /** Of each sort the last one. */
  readonly #overs = new Map<Over['of'], Over>();
  /** The last of those that are beyond question. */
  #certainAt = Number.NEGATIVE_INFINITY;
  #answeredAt = Number.NEGATIVE_INFINITY;
  /** How often its share had been lost when the database last answered, and when it last had before the leases were away. */
  #lostBefore = { store: 0, leases: 0 };

  constructor(claims: Pick<Claims, 'timesLost' | 'heardAt' | 'wereOthersThere'>) {
    this.#claims = claims;
  }

  /** From when on every lease has its full length; -Infinity: since it last was away, others had its share. */
  get grantedAt(): number {
    let grantedAt = this.#certainAt;
    for (const over of this.#overs.values()) if (this.#counts(over)) grantedAt = Math.max(grantedAt, over.at);
    return grantedAt;
  }

  /** To be called more often than there are heartbeats. True: leases are not extended any more that were. */
  look(): boolean {
    const { grantedAt } = this;
    for (const over of this.#overs.values()) {
      if (!this.#counts(over)) this.#overs.delete(over.of);
      else if (over.at < this.#claims.heardAt) this.#heard(over);
    }
    return this.grantedAt < grantedAt;
  }

  /** The database answers. That it is away may be noticed late, when a call has waited in vain. */
  storeAnswers(now: number): void {
    this.#lostBefore.store = this.#claims.timesLost;
    this.#answeredAt = now;
  }

  /** Whoever has lost the leases may have lost the database before. */
  leasesAway(): void {
    this.#lostBefore.leases = this.#lostBefore.store;
  }

  /** True: leases are extended, as far as is known. */
  isOver(of: Over['of'], now: number): boolean {
    this.look();
    const { timesLost } = this.#claims;
    const isOurs = of === 'process' || this.#lostBefore[of] === timesLost;
    if (!isOurs) return false;
    const before = this.#overs.get(of);
    if (before?.isSafe === true) this.#certainAt = Math.max(this.#certainAt, before.at);
    this.#overs.set(of, { of, from: this.#answeredAt, at: now, timesLost, isSafe: false });
    return true;
  }

  /**
   * Leases that nodes share outlive the database, at any node. Who alone was without it, and went on to hear renewals and to write
   * them down where all find them, has missed nothing.
   */
  #heard(over: Over): void {
    over.isSafe = true;
    if (over.of === 'store' && this.#claims.wereOthersThere(over.from, over.at)) this.#overs.delete(over.of);
  }

  #counts({ isSafe, timesLost }: Over): boolean {
    return isSafe || timesLost === this.#claims.timesLost;
  }
}
