import type { Leases } from '../leases/port.ts';
import { RegistryUnavailable } from '../registry/errors.ts';
import { SLACK_MS } from './lease.ts';
import type { LeaseMetrics } from './metrics.ts';

export interface RenewalsDeps {
  readonly leases: Pick<Leases, 'renew'>;
  /** Whether a renewal that cannot be stored may be acknowledged, since nobody's lease runs out meanwhile. */
  readonly mayKeep: () => boolean;
  /** Calls back some milliseconds later: what comes in until then shares a batch. */
  readonly soon: (run: () => void) => void;
  readonly metrics?: LeaseMetrics;
  /** Monotonic milliseconds, the same as of signs of life. */
  readonly now: () => number;
}

/** What became of one renewal. */
type Answer = (error: RegistryUnavailable | undefined) => void;

interface Renewal {
  heardAt: number;
  readonly answers: Answer[];
}

const MAX_BATCH = 1000;
/** Batches that may be under way at once. */
const MAX_UNDER_WAY = 3;
/** More are turned away. */
const MAX_PENDING = 100_000;

/**
 * Puts renewals where all nodes find them, many at once. One is answered when it is there. While they cannot be stored they are
 * kept, if that is allowed, and written before anything else as soon as they can.
 */
export class Renewals {
  readonly #deps: RenewalsDeps;
  #pending = new Map<string, Renewal>();
  /** When what was acknowledged without having been stored was heard. */
  readonly #kept = new Map<string, number>();
  #underWay = 0;
  #keptUnderWay = 0;
  #isAway = false;
  #isSoon = false;

  constructor(deps: RenewalsDeps) {
    this.#deps = deps;
  }

  get isAway(): boolean {
    return this.#isAway;
  }

  /** Nothing that was acknowledged is known here alone. */
  get isSettled(): boolean {
    return this.#kept.size === 0 && this.#keptUnderWay === 0;
  }

  /** `answer` is called when it is stored or kept, or neither can be; perhaps before this returns. */
  put(key: string, heardAt: number, answer: Answer): void {
    if (this.#isAway) return this.#keep(key, { heardAt, answers: [answer] }, false);
    const pending = this.#pending.get(key);
    if (pending !== undefined) {
      pending.heardAt = Math.max(pending.heardAt, heardAt);
      pending.answers.push(answer);
      return;
    }
    if (this.#pending.size >= MAX_PENDING) {
      this.#deps.metrics?.renewals.inc({ result: 'refused' }, 1);
      return answer(unavailable());
    }
    this.#pending.set(key, { heardAt, answers: [answer] });
    if (this.#isSoon) return;
    this.#isSoon = true;
    this.#deps.soon(() => {
      this.#isSoon = false;
      this.#pump();
    });
  }

  away(): void {
    this.#isAway = true;
    const pending = this.#pending;
    this.#pending = new Map();
    for (const [key, renewal] of pending) this.#keep(key, renewal, false);
  }

  /** What is kept and could not be written, though the leases are there, is tried again. To be called at times. */
  retry(): void {
    if (this.#kept.size > 0) this.#pump();
  }

  back(): void {
    this.#isAway = false;
    this.#pump();
  }

  #pump(): void {
    while (!this.#isAway && this.#underWay < MAX_UNDER_WAY) {
      const isKept = this.#kept.size > 0;
      // What was acknowledged already goes first, and alone.
      if (!isKept && (this.#pending.size === 0 || this.#keptUnderWay > 0)) return;
      void this.#send(isKept ? this.#takeKept() : this.#takePending(), isKept);
    }
  }

  #takeKept(): Map<string, Renewal> {
    const batch = new Map<string, Renewal>();
    for (const [key, heardAt] of this.#kept) {
      if (batch.size === MAX_BATCH) break;
      batch.set(key, { heardAt, answers: [] });
      this.#kept.delete(key);
    }
    return batch;
  }

  #takePending(): Map<string, Renewal> {
    const batch = new Map<string, Renewal>();
    for (const [key, renewal] of this.#pending) {
      if (batch.size === MAX_BATCH) break;
      batch.set(key, renewal);
      this.#pending.delete(key);
    }
    return batch;
  }

  async #send(batch: ReadonlyMap<string, Renewal>, wasKept: boolean): Promise<void> {
    this.#underWay += 1;
    if (wasKept) this.#keptUnderWay += 1;
    const now = this.#deps.now();
    const { metrics } = this.#deps;
    let stored = true;
    try {
      await this.#deps.leases.renew([...batch].map(([key, { heardAt }]) => ({ key, age: Math.max(0, now - heardAt) })));
    } catch {
      // The leases say themselves that they are away.
      stored = false;
    }
    if (stored) {
      metrics?.storing.observe((this.#deps.now() - now) / 1000);
      metrics?.renewals.inc({ result: 'stored' }, batch.size);
    }
    this.#underWay -= 1;
    if (wasKept) this.#keptUnderWay -= 1;
    for (const [key, renewal] of batch) {
      if (!stored) this.#keep(key, renewal, wasKept);
      else for (const answer of renewal.answers) answer(this.#isLate(renewal) ? unavailable() : undefined);
    }
    if (stored || !wasKept) this.#pump();
  }

  /** Whoever owns the instance may have given it up before the renewal was there to be found. */
  #isLate({ heardAt }: Renewal): boolean {
    return this.#deps.now() - heardAt > SLACK_MS;
  }

  /** What was acknowledged before is kept in any case. */
  #keep(key: string, { heardAt, answers }: Renewal, wasKept: boolean): void {
    const isKept = wasKept || this.#deps.mayKeep();
    if (isKept) this.#kept.set(key, Math.max(heardAt, this.#kept.get(key) ?? Number.NEGATIVE_INFINITY));
    // One that was kept before is counted already.
    if (!wasKept) this.#deps.metrics?.renewals.inc({ result: isKept ? 'memory' : 'refused' }, 1);
    for (const answer of answers) answer(isKept ? undefined : unavailable());
  }
}

const unavailable = (): RegistryUnavailable => new RegistryUnavailable('leases-unavailable', 1);
