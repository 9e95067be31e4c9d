import type { Moment } from './moment.ts';
import type { Poller } from './poller.ts';
import type { Tracked } from './tracked.ts';

/** How often it is looked whether anything was heard on a connection, where that would change something. */
const LISTEN_MS = 1000;

/** When the lease or the next check of an instance has to be looked at. Starts the check when it is due. */
export function nextLook(tracked: Tracked, { now, readUntil, grantedAt }: Moment, poller: Poller): number {
  const { lease, poll, item } = tracked;
  if (poll !== undefined) {
    if (poll.isIdle && now < poll.checkAt) return poll.checkAt;
    // When it ends, the instance is looked at again.
    poller.want(tracked, poll);
    return Infinity;
  }
  if (lease === undefined) return Infinity;
  const runsUntil = lease.runsUntil(grantedAt);
  const runs = readUntil < runsUntil;
  const isQuiet = runs && item.value.status === 'passing' && item.value.displacedBy === undefined;
  const listenAt = lease.connection === undefined || isQuiet ? Infinity : now + LISTEN_MS;
  return runs ? Math.min(runsUntil, listenAt) : listenAt;
}
