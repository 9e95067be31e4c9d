import type { ActiveCheck } from '../domain/instances/check.ts';
import type { Poll, Probe } from './poll.ts';
import type { Finding, Prober } from './probe.ts';
import { targetOf, type Tracked } from './tracked.ts';

interface Waiting {
  readonly tracked: Tracked;
  readonly poll: Poll;
}

export interface PollerDeps {
  readonly prober: Pick<Prober, 'probe'>;
  /** So many checks run at once at most. */
  readonly concurrency: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly onStart: (secondsLate: number) => void;
  /** A check has ended, which may have been discarded meanwhile. Without a finding, it says nothing. */
  readonly onEnd: (tracked: Tracked, poll: Poll, probe: Probe, finding: Finding | undefined) => void;
  readonly onError: (error: unknown) => void;
}

/**
 * Runs checks, a bounded number at a time; one that hangs takes up its own place only. What finds no place waits in the
 * order in which it came due.
 */
export class Poller {
  readonly #deps: PollerDeps;
  #queue: Waiting[] = [];
  #next = 0;
  #inFlight = 0;

  constructor(deps: PollerDeps) {
    this.#deps = deps;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get waiting(): number {
    return this.#queue.length - this.#next;
  }

  /** The instance's check is due. One that runs or waits already is not started twice. */
  want(tracked: Tracked, poll: Poll): void {
    if (!poll.isIdle) return;
    poll.waiting = true;
    this.#queue.push({ tracked, poll });
    this.#start();
  }

  /** Forgets those that wait. */
  clear(): void {
    for (const { poll } of this.#queue.slice(this.#next)) poll.waiting = false;
    this.#queue = [];
    this.#next = 0;
  }

  #start(): void {
    while (this.#inFlight < this.#deps.concurrency && this.waiting > 0) {
      const { tracked, poll } = this.#queue[this.#next++] as Waiting;
      // What waits no longer was taken up again, or is gone.
      if (poll.waiting && tracked.poll === poll && !tracked.gone) void this.#run(tracked, poll);
    }
    if (this.waiting > 0 && this.#next < 1000) return;
    this.#queue.splice(0, this.#next);
    this.#next = 0;
  }

  async #run(tracked: Tracked, poll: Poll): Promise<void> {
    const { prober, now, onStart, onEnd, onError } = this.#deps;
    const { value } = tracked.item;
    this.#inFlight += 1;
    onStart(Math.max(0, now() - poll.checkAt) / 1000);
    const probe = poll.begin(now());
    let finding: Finding | undefined;
    try {
      finding = await prober.probe({ ...targetOf(value), check: value.check as ActiveCheck });
    } catch (error) {
      // A defect here says nothing about the instance.
      onError(error);
    }
    this.#inFlight -= 1;
    poll.probe = undefined;
    if (!tracked.gone && tracked.poll === poll) onEnd(tracked, poll, probe, finding);
    this.#start();
  }
}
