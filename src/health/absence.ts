import type { Claims } from './claims.ts';

/**
 * When this node was last away itself, or without what it needs, and nobody else had its share meanwhile: then Signalbox was away, and
 * every lease has its full length (INS3). That others had its share it may hear before or after it is back.
 */
export class Absence {
  readonly #claims: Pick<Claims, 'timesLost' | 'heardAt'>;
  #over = { at: Number.NEGATIVE_INFINITY, timesLost: 0 };
  /** The last that was over before a heartbeat in which its share was still its own: whoever has it later says nothing about that one. */
  #certainAt = Number.NEGATIVE_INFINITY;
  /** How often its share had been lost when the database last answered, and when it last had before the leases were away. */
  #lostBefore = { store: 0, leases: 0 };

  constructor(claims: Pick<Claims, 'timesLost' | 'heardAt'>) {
    this.#claims = claims;
  }

  /** From when on every lease has its full length; -Infinity: since it last was away, others had its share. */
  get grantedAt(): number {
    return this.#isOurs ? Math.max(this.#over.at, this.#certainAt) : this.#certainAt;
  }

  /** To be called more often than there are heartbeats. */
  look(): void {
    if (this.#isOurs && this.#over.at < this.#claims.heardAt) this.#certainAt = this.#over.at;
  }

  get #isOurs(): boolean {
    return this.#over.timesLost === this.#claims.timesLost;
  }

  /** The database answers. That it is away may be noticed late, when a call has waited in vain. */
  storeAnswers(): void {
    this.#lostBefore.store = this.#claims.timesLost;
  }

  /** Whoever has lost the leases may have lost the database before. */
  leasesAway(): void {
    this.#lostBefore.leases = this.#lostBefore.store;
  }

  /** True: leases are extended, as far as is known. */
  isOver(of: 'process' | 'store' | 'leases', now: number): boolean {
    this.look();
    const { timesLost } = this.#claims;
    const isOurs = of === 'process' || this.#lostBefore[of] === timesLost;
    if (isOurs) this.#over = { at: now, timesLost };
    return isOurs;
  }
}
