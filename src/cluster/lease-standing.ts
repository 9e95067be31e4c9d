import type { Said } from './roll.ts';

/** What decides how a node stands to the leases that all share. */
export interface LeaseFacts {
  /** They cannot be reached now. */
  readonly isAway: boolean;
  /** A renewal was acknowledged that is known here alone. */
  readonly hasKept: boolean;
  /** The others have heard of this node lately, and it of them. */
  readonly isHeard: boolean;
  /** Another node reaches the leases. */
  readonly othersHave: boolean;
}

/**
 * What a node says of the leases. As long as one says that it is without, nobody's lease runs out: it says so only while it has kept
 * renewals to itself, or may have to.
 */
export class LeaseStanding {
  readonly #facts: () => LeaseFacts;
  #hasReached = false;

  constructor(facts: () => LeaseFacts) {
    this.#facts = facts;
  }

  /** They have answered. */
  reached(): void {
    this.#hasReached = true;
  }

  /** Whether it can do anything for the others: with leases that only they reach, it would keep theirs from running out for nothing. */
  get isOfUse(): boolean {
    return this.#isOfUse(this.#look());
  }

  get said(): Said['leases'] {
    const facts = this.#look();
    if (facts.hasKept) return 'away';
    if (!this.#isOfUse(facts)) return 'none';
    if (!facts.isAway) return 'here';
    // Who has not heard of the others does not know whether they can do without it. Until then it keeps nothing.
    return this.#hasReached || facts.isHeard ? 'away' : 'none';
  }

  #isOfUse({ hasKept, isHeard, othersHave }: LeaseFacts): boolean {
    return this.#hasReached || hasKept || !isHeard || !othersHave;
  }

  /** Who was not heard for so long may keep nothing, so that after it nobody has to wait for what it has heard. */
  #look(): LeaseFacts {
    const facts = this.#facts();
    if (facts.isAway && !facts.hasKept && !facts.isHeard) this.#hasReached = false;
    return facts;
  }
}
