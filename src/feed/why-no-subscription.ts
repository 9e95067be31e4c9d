import type { ErrorFrame } from '../protocol/frames.ts';
import type { Connection } from './connection.ts';

/** Why a connection may not have another subscription with this id and topic, if it may not. */
export function whyNoSubscription(
  { subscriptions, hub, peer }: Pick<Connection, 'subscriptions' | 'hub' | 'peer'>,
  id: string,
  topic: string,
): Pick<ErrorFrame, 'code' | 'message'> | undefined {
  if (subscriptions.some((other) => other.id === id)) {
    return { code: 'duplicate-id', message: `subscription ${id} stands already; unsubscribe it first` };
  }
  const sameTopic = subscriptions.find((other) => other.group.topic === topic);
  if (sameTopic !== undefined) {
    return { code: 'duplicate-topic', message: `subscription ${sameTopic.id} already selects the same` };
  }
  const max = hub.limits.maxSubscriptions;
  if (subscriptions.length >= max) {
    return { code: 'too-many-subscriptions', message: `a socket holds at most ${max} subscriptions` };
  }
  const full = hub.projects.whyFull(peer.standing.caller);
  return full === undefined ? undefined : { code: 'quota-exceeded', message: full };
}
