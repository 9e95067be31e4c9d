import type { HubMetrics } from '../../src/feed/hub.ts';
import { inertHubMetrics } from './inert.ts';

/** Metrics of a hub that a test looks at. */
export class CountingMetrics {
  logReads = 0;
  readonly resumes = { memory: 0, log: 0, snapshot: 0 };
  readonly resets: string[] = [];
  readonly hub: HubMetrics;

  constructor() {
    this.hub = {
      ...inertHubMetrics(),
      logReads: { inc: () => void (this.logReads += 1) },
      resumes: { inc: (labels) => this.#resumed(labels) },
      resets: { inc: (labels) => void this.resets.push(reasonOf(labels)) },
    };
  }

  #resumed(labels: unknown): void {
    this.resumes[(labels as { from: 'memory' | 'log' | 'snapshot' }).from] += 1;
  }
}

const reasonOf = (labels: unknown): string => (labels as { reason: string }).reason;
