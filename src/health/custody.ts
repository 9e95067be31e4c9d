import { milliseconds } from '../domain/duration.ts';
import type { ActiveCheck } from '../domain/instances/check.ts';
import type { ClaimsWatch, Gap } from './claims-watch.ts';
import type { Claims } from './claims.ts';
import { EAGER_MS, type Clocks } from './poll.ts';
import type { Poller } from './poller.ts';
import type { Tracked } from './tracked.ts';

export interface CustodyDeps {
  readonly claims: Pick<Claims, 'ownsSlot'>;
  readonly watch: Pick<ClaimsWatch, 'wasOurs'>;
  readonly poller: Pick<Poller, 'want'>;
  readonly clocks: () => Clocks;
  /** It came from elsewhere, and nothing is decided about it: its first check comes soon. */
  readonly onFresh: (tracked: Tracked) => void;
  /** It has to be looked at. */
  readonly onTaken: (tracked: Tracked) => void;
  /** It is not looked at here any more. */
  readonly onLetGo: (tracked: Tracked) => void;
}

/** Which instances are looked at here, and how they come from and go to other nodes. */
export class Custody {
  readonly #deps: CustodyDeps;
  #size = 0;

  constructor(deps: CustodyDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#size;
  }

  /** Looks at it here if its group is this node's, and otherwise not. Without a gap, it comes from nobody. */
  follow(tracked: Tracked, gap?: Gap): void {
    if (tracked.group.ours === tracked.taken) return;
    if (tracked.taken) this.#handOver(tracked);
    else if (gap === undefined) this.#keep(tracked);
    else this.#take(tracked, gap);
  }

  #hold(tracked: Tracked): void {
    tracked.taken = true;
    this.#size += 1;
    tracked.lease?.forgetAnswer();
    tracked.poll?.stay();
  }

  /** It has just registered here, though it may have been here before: whoever had it has done what was due until now. */
  #keep(tracked: Tracked): void {
    this.#hold(tracked);
    const { poll } = tracked;
    if (poll?.health.decided === true && !poll.waiting) poll.resume(this.#deps.clocks());
  }

  letGo(tracked: Tracked): void {
    if (tracked.taken) this.#size -= 1;
    tracked.taken = false;
    this.#deps.onLetGo(tracked);
  }

  /** It comes from another node, or from a process before this one. */
  #take(tracked: Tracked, { from, isDeath, decidedUntil }: Gap): void {
    this.#hold(tracked);
    const { lease, poll, item, group } = tracked;
    if (lease !== undefined) lease.decidedUntil = decidedUntil;
    if (poll !== undefined) {
      const { claims, clocks, onFresh } = this.#deps;
      const { timeout, unhealthyAfter } = item.value.check as ActiveCheck;
      const at = clocks();
      // What was under way when a node died has come to nothing, too.
      const gapFrom = isDeath ? from - milliseconds(timeout) : from;
      const eagerUntil = tracked.begunAt + unhealthyAfter * (EAGER_MS + milliseconds(timeout));
      // Whoever had it has decided about it, though that need not have been a change.
      if (eagerUntil < at.now - (at.sharedNow - gapFrom)) poll.settle(at);
      if (poll.health.decided) poll.takeOver(gapFrom, (slot) => claims.ownsSlot(group.key, slot), at);
      else onFresh(tracked);
    }
    this.#deps.onTaken(tracked);
  }

  #handOver(tracked: Tracked): void {
    const { watch, poller, clocks } = this.#deps;
    this.letGo(tracked);
    const { poll, group } = tracked;
    if (poll?.handOver((slot) => watch.wasOurs(group.key, slot), clocks()) === true) poller.want(tracked, poll);
  }
}
