import type { Stretch } from './record.ts';

const PERIOD_MS = 20;
/** Less than this is nothing. */
const LATE_MS = 100;

/** When this process itself stood still: what it did not do then is nobody else's fault. */
export class Stalls {
  readonly all: Stretch[] = [];
  readonly #timer: NodeJS.Timeout;
  #at = performance.now();

  constructor() {
    this.#timer = setInterval(() => this.#tick(), PERIOD_MS);
  }

  get longestMs(): number {
    return this.all.reduce((longest, { from, until }) => Math.max(longest, until - from), 0);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const now = performance.now();
    if (now - this.#at > PERIOD_MS + LATE_MS) this.all.push({ from: this.#at, until: now });
    this.#at = now;
  }
}
