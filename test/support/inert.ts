import type { HubMetrics } from '../../src/feed/hub.ts';

/** Metrics that nobody reads. */
export function inertHubMetrics(): HubMetrics {
  const inert = { inc: () => undefined };
  return {
    frames: inert,
    fellBehind: inert,
    cutOffs: inert,
    mismatches: inert,
    badFrames: inert,
    resets: inert,
    resumes: inert,
    logReads: inert,
    flushDelay: { observe: () => undefined },
  };
}
