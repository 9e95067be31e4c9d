/** What a link has been heard of. */
export interface Pulse {
  /** Milliseconds within which something is to be heard. */
  readonly heartbeatMs: number;
  /** Monotonic milliseconds. */
  readonly heardAt: number;
  readonly tickedAt: number;
  /** It was pinged since it was heard. */
  readonly asked: boolean;
}

export const beginPulse = (heartbeatMs: number, now: number): Pulse => ({
  heartbeatMs,
  heardAt: now,
  tickedAt: now,
  asked: false,
});

export const heardPulse = (pulse: Pulse, now: number): Pulse => ({ ...pulse, heardAt: now, asked: false });

/** A pulse is felt so often. */
export const tickMs = ({ heartbeatMs }: Pulse): number => heartbeatMs / 2;

export type Felt =
  | { readonly is: 'alive'; readonly pulse: Pulse }
  /** Send a ping, so that a living server speaks. */
  | { readonly is: 'quiet'; readonly pulse: Pulse }
  | { readonly is: 'dead'; readonly quietMs: number };

/**
 * Three heartbeats without a word are death; one ping is sent halfway. A tick that is late says that this process stood still
 * (a closed laptop), which is not the server's silence: it is asked at once, and has one heartbeat to answer.
 */
export function feel(pulse: Pulse, now: number): Felt {
  const { heartbeatMs, tickedAt } = pulse;
  const stoodStill = now - tickedAt > heartbeatMs * 1.5;
  const heardAt = stoodStill ? Math.max(pulse.heardAt, now - 2 * heartbeatMs) : pulse.heardAt;
  const quietMs = now - heardAt;
  if (quietMs >= heartbeatMs * 3) return { is: 'dead', quietMs };
  const ticked = { ...pulse, heardAt, tickedAt: now };
  const ask = stoodStill || (quietMs >= heartbeatMs * 1.5 && !pulse.asked);
  return ask ? { is: 'quiet', pulse: { ...ticked, asked: true } } : { is: 'alive', pulse: ticked };
}
