import type { Position } from '../../domain/position.ts';
import type { LinkFrame } from '../connection/link.ts';
import { parseServerFrame } from '../connection/parse-frame.ts';
import type { ServerSentEvent } from './event-parser.ts';
import { BROKEN, Closed } from './refusal.ts';
import type { Subscription } from './wire.ts';

/** The place of an event's id: where to go on from. `reset:0` and what is no position are none. */
export function positionIn(id: string): Position | undefined {
  const [, epoch = '', revision] = /^([^:]{1,64}):([0-9]{1,15})$/.exec(id) ?? [];
  return revision === undefined || id === 'reset:0' ? undefined : { epoch, revision: Number(revision) };
}

/** An event as the frame that it carries. Throws `Closed` with `event: close`, and where it carries none. */
export function frameOf({ event, data }: Pick<ServerSentEvent, 'event' | 'data'>): LinkFrame {
  if (event === 'close') throw closeOf(data);
  const frame = parseServerFrame(data);
  if (frame === undefined) throw new Closed(PROTOCOL_ERROR, 'an event is no frame');
  return frame;
}

const PROTOCOL_ERROR = 1002;

function closeOf(data: string): Closed {
  try {
    const { code, reason } = JSON.parse(data) as { readonly code: unknown; readonly reason: unknown };
    if (typeof code === 'number') return new Closed(code, typeof reason === 'string' ? reason : '');
  } catch {
    // As a close without a code, below.
  }
  return new Closed(BROKEN, 'the stream was closed');
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
