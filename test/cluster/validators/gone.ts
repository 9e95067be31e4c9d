import { isGivenUp, type Death, type InstanceEvent, type Life, type Stretch, type Violation } from '../record.ts';

/**
 * No instance that renewed in time was ever reported gone: whoever was given up had no acknowledged renewal that was answered
 * before the decision and still held when it was committed. Of those that are checked, none was given up that answered all
 * the time; `stalls` are when this process itself did not answer.
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

/** Answered before the decision can have been made, and not run out when it was surely committed. */
const renewalThatHeld = ({ renewals, everyMs }: Life, { after, before }: InstanceEvent): unknown =>
  renewals.findLast(({ sentAt, answeredAt }) => answeredAt < after && sentAt + everyMs > before);

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
