import type { Claims } from './claims.ts';
import { SLACK_MS } from './lease.ts';
import type { Moment } from './moment.ts';
import type { Poller } from './poller.ts';
import type { Tracked } from './tracked.ts';

/** How often it is looked whether anything was heard on a connection, or at another node, where that would change something. */
export const LISTEN_MS = 1000;

export interface Lookouts {
  readonly poller: Pick<Poller, 'want'>;
  readonly claims: Pick<Claims, 'ownsSlot' | 'sharedNow'>;
  /** Asks the leases that nodes share about it. */
  readonly ask: (tracked: Tracked) => void;
}

/** When the lease or the next check of an instance has to be looked at. Starts the check when it is due. */
export function nextLook(tracked: Tracked, moment: Moment, { poller, claims, ask }: Lookouts): number {
  const { poll } = tracked;
  if (poll === undefined) return nextLookAtLease(tracked, moment, ask);
  if (poll.isIdle) {
    const { now } = moment;
    if (now < poll.checkAt) return poll.checkAt;
    const isOurs = (slot: number): boolean => claims.ownsSlot(tracked.group.key, slot);
    if (!poll.isDue(isOurs, { now, sharedNow: claims.sharedNow })) return poll.checkAt;
  }
  // When it ends, the instance is looked at again.
  poller.want(tracked, poll);
  return Infinity;
}

function nextLookAtLease(tracked: Tracked, moment: Moment, ask: (tracked: Tracked) => void): number {
  const { lease, item } = tracked;
  if (lease === undefined) return Infinity;
  const { now, readUntil, grantedAt, leases } = moment;
  const runsUntil = lease.runsUntil(grantedAt);
  const runs = readUntil < runsUntil;
  const isQuiet = runs && item.value.status === 'passing' && item.value.displacedBy === undefined;
  const listenAt = lease.connection === undefined || isQuiet ? Infinity : now + LISTEN_MS;
  if (leases === 'own') return runs ? Math.min(runsUntil, listenAt) : listenAt;
  // What was asked before everything heard in time could be found does not count.
  const foundAt = runsUntil + SLACK_MS;
  const askAt = isQuiet || lease.askedAt < foundAt ? foundAt : lease.askedAt + LISTEN_MS;
  const dueAt = isQuiet ? askAt : Math.min(askAt, Math.max(now, lease.askedAt + LISTEN_MS));
  if (now < dueAt) return Math.min(dueAt, listenAt);
  lease.askedAt = now;
  if (leases === 'shared') ask(tracked);
  return Math.min(now + LISTEN_MS, now < foundAt ? foundAt : Infinity);
}
