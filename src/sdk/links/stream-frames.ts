import type { Position } from '../../domain/position.ts';
import type { LinkFrame } from '../connection/link.ts';
import type { ServerSentEvent } from './event-parser.ts';
import { Closed } from './refusal.ts';
import type { Subscription } from './wire.ts';

/** The place of an event's id: where to go on from. `reset:0` and what is no position are none. */
export function positionIn(id: string): Position | undefined {
  const [, epoch = '', revision] = /^([^:]{1,64}):([0-9]{1,15})$/.exec(id) ?? [];
  return revision === undefined || id === 'reset:0' ? undefined : { epoch, revision: Number(revision) };
}

/** An event as the frame that it carries; undefined where it carries none. Throws `Closed` with `event: close`, and where it is no JSON. */
export function frameOf({ event, data }: Pick<ServerSentEvent, 'event' | 'data'>): LinkFrame | undefined {
  const value = parse(data);
  if (event === 'close') {
    const { code = 1005, reason = '' } = value as { readonly code?: number; readonly reason?: string };
    throw new Closed(code, reason);
  }
  return 'type' in value ? (value as LinkFrame) : undefined;
}

function parse(data: string): object {
  try {
    const value = JSON.parse(data) as unknown;
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Told below, in one way for all that is no frame.
  }
  throw new Closed(1007, 'an event is not JSON');
}

/**
 * What a link tells of a stream's frame. A stream calls its one subscription by a name of its own, says welcome each time, and
 * tells again that it stands when it comes back; and one that begins anew in another history than the link's says so nowhere.
 */
export function retold(
  frame: LinkFrame,
  subscription: Subscription,
  { epoch, linkEpoch }: { readonly epoch: string; readonly linkEpoch: string },
): readonly LinkFrame[] {
  if (frame.type !== 'subscribed') return frame.type === 'welcome' ? [] : [frame];
  const subscribed = { ...frame, id: subscription.id };
  const told = subscription.isTold ? [] : [subscribed];
  if (epoch === linkEpoch || subscription.position !== undefined) return told;
  return [...told, { type: 'reset', topic: frame.topic, epoch, reason: 'epoch' }];
}
