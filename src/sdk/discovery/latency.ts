/**
 * A latency that peaks at once and is forgotten slowly (peak EWMA, as Finagle and Linkerd have it): a higher one counts in full, a lower
 * one the more, the longer ago the last one was. 0 stands for nothing known.
 */
export function observed(known: number, latencyMs: number, sinceMs: number, decayMs: number): number {
  if (latencyMs >= known) return latencyMs;
  return latencyMs + (known - latencyMs) * Math.exp(-sinceMs / decayMs);
}

/** What a latency is still worth after a time without calls: one that nobody calls any more is tried again some day. */
export const faded = (known: number, sinceMs: number, decayMs: number): number => known * Math.exp(-sinceMs / decayMs);
