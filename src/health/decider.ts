import type { Groups } from './groups.ts';
import { TICK_MS, type Moment } from './moment.ts';
import { LISTEN_MS } from './next-look.ts';
import type { Outbox } from './outbox.ts';
import type { Retry } from './retry.ts';
import type { Tracked } from './tracked.ts';
import { reasonOf, wishOf } from './wish.ts';

export interface DeciderDeps {
  readonly groups: Pick<Groups, 'failing' | 'mayDecide' | 'decide'>;
  readonly outbox: Outbox;
  readonly retry: Pick<Retry, 'at'>;
  /** It has to be looked at no later than at that time. */
  readonly wake: (tracked: Tracked, at: number) => void;
}

/** Turns what should become of instances into decisions, as far as they can be written now; the others wait. */
export class Decider {
  readonly #deps: DeciderDeps;
  /** What waits for the database. */
  readonly #blocked = new Set<Tracked>();
  #isStoreAway = false;

  constructor(deps: DeciderDeps) {
    this.#deps = deps;
  }

  get isStoreAway(): boolean {
    return this.#isStoreAway;
  }

  /** Nothing is decided from now on. */
  storeAway(): void {
    this.#isStoreAway = true;
  }

  /** What waited is looked at again. */
  storeBack(now: number): void {
    this.#isStoreAway = false;
    for (const tracked of this.#blocked) this.#deps.wake(tracked, now);
    this.#blocked.clear();
  }

  forget(tracked: Tracked): void {
    this.#blocked.delete(tracked);
  }

  /** Decides what should become of it; returns when to look again, if nothing happens. */
  decide(tracked: Tracked, moment: Moment): number {
    if (tracked.inFlight) return Infinity;
    const { groups, outbox, retry } = this.#deps;
    const wish = wishOf(tracked, moment);
    if (wish.is === 'failure') {
      groups.failing(tracked);
      return Infinity;
    }
    tracked.group.failing.delete(tracked);
    // An instance that shows that it is there is not removed for having been critical, though it may be held down.
    const verdict = tracked.verdict(moment);
    if (verdict === 'passing' || verdict === 'warning') tracked.criticalSince = moment.now;
    if (wish.is === 'nothing') return wish.before;
    if (this.#isStoreAway) {
      this.#blocked.add(tracked);
      return Infinity;
    }
    if (moment.now < retry.at) return retry.at;
    if (!groups.mayDecide(tracked.group)) return moment.now + TICK_MS;
    // It may have been heard elsewhere since it was last asked about, though it stayed critical all the time.
    const isStale = moment.leases !== 'own' && tracked.lease?.wasReadAfter(tracked.removedAt(moment)) === false;
    if (wish.is === 'removal' && isStale) return moment.now + LISTEN_MS;
    if (wish.is === 'removal') outbox.deregister(tracked);
    else outbox.status(tracked, wish.status, reasonOf(tracked, wish.status), wish.proven);
    return Infinity;
  }

  /** Decides about those that fail, as many as the eviction guard lets go (INS4). */
  decideFailures(moment: Moment): void {
    const { groups, outbox, retry } = this.#deps;
    if (this.#isStoreAway || moment.now < retry.at) return;
    groups.decide(moment.now, outbox, (tracked) => this.#stillFails(tracked, moment), reasonOf);
  }

  #stillFails(tracked: Tracked, moment: Moment): boolean {
    if (!tracked.inFlight && wishOf(tracked, moment).is === 'failure') return true;
    this.#deps.wake(tracked, moment.now);
    return false;
  }
}
