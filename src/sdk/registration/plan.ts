import { BACKOFF, backoffMs, type Backoff } from '../connection/backoff.ts';

/** What can be done next to keep an instance registered: see whether its port is open, register, renew. */
export type Action = 'look' | 'register' | 'renew';

/** What became of it. */
export type Happened =
  | { readonly type: 'open' }
  | { readonly type: 'closed' }
  | {
      readonly type: 'registered';
      /** How long it holds without being heard of; undefined where it holds by itself. */
      readonly leaseMs?: number | undefined;
      /** It was gone in between: what it is now is of another generation than before (INS6). */
      readonly isAnother?: boolean;
      /** Of the socket that it is attached to: whatever is heard on it renews the lease. Undefined without one. */
      readonly heartbeatMs?: number | undefined;
    }
  | { readonly type: 'renewed' }
  /** Signalbox does not have it (any more). */
  | { readonly type: 'gone' }
  /** Signalbox is not there, or cannot answer now. */
  | { readonly type: 'away'; readonly retryAfterMs?: number | undefined }
  /** It does not take the token; somebody may be about to renew it. */
  | { readonly type: 'unauthorized' }
  /** Signalbox does not take it, and says why. */
  | { readonly type: 'refused' };

/** What a person is told; each once, until the opposite has happened. `lost`: callers do not see it any more, as far as is known. */
export type Say = 'closed' | 'registered' | 'registered-again' | 'away' | 'lost' | 'back' | 'refused';

export interface Step {
  readonly action: Action;
  readonly afterMs: number;
  readonly say?: Say;
}

export interface PlanOptions {
  /** Undefined: register without looking at the port. */
  readonly waitMs: number | undefined;
  readonly random?: () => number;
  readonly backoff?: Backoff;
}

const LOOK_MS = 100;
const LOOK_SLOWLY_MS = 1000;
/** What was refused may be taken once somebody has changed something: a service in the catalog, a setting. */
const REFUSED_MS = 30_000;
/** So often it is asked at least whether the instance is still there: somebody may have removed it, and nobody tells it. */
const ASK_MS = 30_000;
/** Whoever comes back to a new socket asks within this time. */
const SPREAD_MS = 1000;
/**
 * A connection that died without a word is noticed after three heartbeats, and one may have passed before. Only a lease that has
 * another one left then is kept by the socket alone.
 */
const HEARTBEATS_OF_A_LEASE = 5;

/** When to do what, so that an instance is registered as long as it runs. It knows no clock, no socket and no process. */
export class KeepPlan {
  readonly #waitMs: number | undefined;
  readonly #random: () => number;
  readonly #backoff: Backoff;
  #leaseMs: number | undefined;
  /** The socket keeps the lease by itself. */
  #carried = false;
  #failures = 0;
  #registered = false;
  #heardAt = 0;
  #trouble: 'away' | 'lost' | 'refused' | undefined;
  /** Signalbox has said that it does not have it. */
  #gone = false;
  #saidClosed = false;

  constructor({ waitMs, random = Math.random, backoff = BACKOFF }: PlanOptions) {
    this.#waitMs = waitMs;
    this.#random = random;
    this.#backoff = backoff;
  }

  first(): Step {
    return { action: this.#waitMs === undefined ? 'register' : 'look', afterMs: 0 };
  }

  /** `elapsedMs` is the time since the first step. */
  next(done: Action, happened: Happened, elapsedMs: number): Step {
    switch (happened.type) {
      case 'open':
        return { action: 'register', afterMs: 0 };
      case 'closed':
        return this.#closed(elapsedMs);
      case 'registered': {
        const { leaseMs, heartbeatMs } = happened;
        this.#leaseMs = leaseMs;
        this.#carried =
          leaseMs !== undefined && heartbeatMs !== undefined && leaseMs >= HEARTBEATS_OF_A_LEASE * heartbeatMs;
        return this.#succeeded(this.#sayOf(happened), elapsedMs);
      }
      case 'renewed':
        return this.#succeeded(this.#trouble === undefined ? undefined : 'back', elapsedMs);
      case 'gone':
        this.#gone = true;
        return { action: 'register', afterMs: 0, say: 'lost' };
      case 'away': {
        const afterMs = Math.max(happened.retryAfterMs ?? 0, this.#pauseMs());
        return { action: done, afterMs, ...this.#troubled(this.#isLost(elapsedMs) ? 'lost' : 'away') };
      }
      case 'unauthorized':
        return { action: done, afterMs: this.#pauseMs(), ...this.#troubled('refused') };
      case 'refused':
        return this.#refused(done, elapsedMs);
    }
  }

  /** Who was only moved to another socket, or from HTTP to one, lost nothing: that is no news. */
  #sayOf({ isAnother = false }: Extract<Happened, { type: 'registered' }>): Say | undefined {
    if (!this.#registered) return 'registered';
    if (isAnother || this.#gone || this.#trouble === 'lost' || this.#trouble === 'refused') return 'registered-again';
    return this.#trouble === 'away' ? 'back' : undefined;
  }

  /** What is still there is not given up for a pause that is longer than its lease: the refusal may be over sooner. */
  #refused(done: Action, elapsedMs: number): Step {
    const mayBeKept = done === 'renew' && this.#leaseMs !== undefined && !this.#isLost(elapsedMs);
    const step: Step = mayBeKept
      ? { action: 'renew', afterMs: this.#pauseMs() }
      : { action: 'register', afterMs: REFUSED_MS * (1 - this.#random() / 5) };
    return { ...step, ...this.#troubled('refused') };
  }

  /** The socket that registrations go over is gone, or a new one is open, while `waiting` was to be done. Undefined: it still is. */
  moved(waiting: Action, socket: 'gone' | 'open', elapsedMs: number): Step | undefined {
    if (waiting === 'look') return undefined;
    if (socket === 'open') return this.#opened(waiting);
    if (!this.#carried) return undefined;
    // Until now it was heard, or so it seemed: most of the lease may be over, and many others lost the same node.
    this.#carried = false;
    this.#heardAt = elapsedMs;
    if (waiting !== 'renew') return undefined;
    return { action: 'renew', afterMs: Math.round(((this.#leaseMs ?? 0) / 10) * (1 - this.#random() / 2)) };
  }

  #opened(waiting: Action): Step | undefined {
    this.#carried = false;
    if (this.#trouble === 'refused') return undefined;
    if (waiting === 'register' || this.#leaseMs !== undefined) return { action: 'register', afterMs: 0 };
    return { action: 'renew', afterMs: Math.round(SPREAD_MS * this.#random()) };
  }

  #closed(elapsedMs: number): Step {
    const late = elapsedMs >= (this.#waitMs ?? 0);
    const step: Step = { action: 'look', afterMs: late ? LOOK_SLOWLY_MS : LOOK_MS };
    if (!late || this.#saidClosed) return step;
    this.#saidClosed = true;
    return { ...step, say: 'closed' };
  }

  #succeeded(say: Say | undefined, elapsedMs: number): Step {
    this.#failures = 0;
    this.#registered = true;
    this.#gone = false;
    this.#trouble = undefined;
    this.#heardAt = elapsedMs;
    return { action: 'renew', afterMs: this.#renewMs(), ...(say !== undefined && { say }) };
  }

  /** A third of the lease at the latest, so that two renewals may fail; and not in step with others that began together. */
  #renewMs(): number {
    const everyMs = this.#carried || this.#leaseMs === undefined ? ASK_MS : Math.min(ASK_MS, this.#leaseMs / 3);
    return Math.round(everyMs * (1 - this.#random() / 5));
  }

  #pauseMs(): number {
    const maxMs = Math.min(this.#backoff.maxMs, (this.#leaseMs ?? Number.POSITIVE_INFINITY) / 6);
    const afterMs = backoffMs(this.#failures, this.#random(), { ...this.#backoff, maxMs });
    this.#failures += 1;
    return afterMs;
  }

  #isLost(elapsedMs: number): boolean {
    return this.#registered && this.#leaseMs !== undefined && elapsedMs - this.#heardAt >= this.#leaseMs;
  }

  #troubled(trouble: 'away' | 'lost' | 'refused'): { say?: Say } {
    if (this.#trouble === trouble || (this.#trouble === 'lost' && trouble === 'away')) return {};
    this.#trouble = trouble;
    return { say: trouble };
  }
}
