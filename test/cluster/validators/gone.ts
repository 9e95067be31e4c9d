import { isGivenUp, type Death, type InstanceEvent, type Life, type Stretch, type Violation } from '../record.ts';

/**
 * No instance that renewed in time was ever reported gone: whoever was given up had let its lease run out, by the renewals that
 * were acknowledged, at some time before it. Of those that are checked, none was given up that answered all the time;
 * `stalls` are when this process itself did not answer.
 */
export function gone(
  lives: readonly Life[],
  events: readonly InstanceEvent[],
  stalls: readonly Stretch[] = [],
): Violation[] {
  const byName = new Map(lives.map((life) => [life.name, life]));
  const violations: Violation[] = [];
  for (const event of events) {
    const life = byName.get(event.name);
    if (life === undefined || !isGivenUp(event)) continue;
    const sign = life.check === 'ttl' ? renewalThatHeld(life, event) : answeredThroughout(life, event, stalls);
    if (sign === undefined) continue;
    const evidence = {
      event,
      sign,
      lastRenewals: life.renewals.filter(({ sentAt }) => sentAt <= event.before).slice(-3),
    };
    const what = `${event.name} was given up at revision ${event.revision}, though it ${life.check === 'ttl' ? 'had renewed' : 'answered'}`;
    violations.push({ promise: 'INS1', what, evidence });
  }
  return violations;
}

/** From a decision to its commit it takes less than this. */
const DECIDED_WITHIN_MS = 5000;

/**
 * The last renewal before it, if there was one that still held at the commit, and so at each moment at which it may have been
 * decided. Who had let the lease run out, and renewed while that was being committed, was late.
 */
function renewalThatHeld({ renewals, everyMs }: Life, { after, before }: InstanceEvent): unknown {
  const last = renewals.findLastIndex(({ sentAt, answeredAt }) => answeredAt < after && sentAt + everyMs > before);
  for (let i = last; i > 0; i--) {
    const [earlier, later] = [renewals[i - 1], renewals[i]];
    if (earlier === undefined || later === undefined || later.answeredAt >= earlier.sentAt + everyMs) return undefined;
    if (earlier.answeredAt < after - DECIDED_WITHIN_MS) break;
  }
  return renewals[last];
}

/** Checks may have been under way for so many intervals when the decision was made. */
const INTERVALS = 6;

function answeredThroughout(
  { deaths, everyMs }: Life,
  { after, before }: InstanceEvent,
  stalls: readonly Stretch[],
): unknown {
  const since = after - INTERVALS * everyMs;
  const isBusy = [...deaths, ...stalls].some(({ from, until }: Death | Stretch) => from < before && until > since);
  return isBusy ? undefined : { answeredSince: since };
}
