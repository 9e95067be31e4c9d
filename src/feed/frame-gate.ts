import type { RateClass } from '../domain/rate.ts';
import type { ClientFrame, ErrorFrame } from '../protocol/frames.ts';
import type { Caller } from '../domain/command.ts';

/** Who asks, as far as is known now. */
export interface Asking {
  readonly caller: Caller;
}

/** Decides whether a peer may ask for this now. The socket stays open, whatever the answer. */
export interface FrameGate {
  /** What the peer is told when it may not; milliseconds until asking again makes sense. */
  turnAway(peer: Asking, rateClass: RateClass): { readonly message: string; readonly retryAfterMs: number } | undefined;
}

/** A resync is a new snapshot, as a subscription is; what asks for nothing is not limited. */
const CLASSES: Readonly<Record<ClientFrame['type'], RateClass | undefined>> = {
  subscribe: 'resume',
  resync: 'resume',
  register: 'write',
  deregister: 'write',
  renew: 'renew',
  reauth: 'resume',
  unsubscribe: undefined,
  ping: undefined,
};

/** What a frame that comes too soon is answered with. It was a sign of life all the same. */
export function tooSoon(gate: FrameGate | undefined, peer: Asking, frame: ClientFrame): ErrorFrame | undefined {
  const rateClass = gate && CLASSES[frame.type];
  const refused = rateClass && gate.turnAway(peer, rateClass);
  if (!refused) return undefined;
  const about = 'id' in frame && frame.id !== undefined ? { id: frame.id } : {};
  return { type: 'error', code: 'rate-limited', ...about, ...refused };
}
