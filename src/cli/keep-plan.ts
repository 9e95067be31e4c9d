import { BACKOFF, backoffMs } from '../sdk/connection/backoff.ts';

/** What can be done next to keep an instance registered: see whether its port is open, register, renew. */
export type Action = 'look' | 'register' | 'renew';

/** What became of it. */
export type Happened =
  | { readonly type: 'open' }
  | { readonly type: 'closed' }
  /** `everyMs`: how long the registration holds without a renewal, or how often it is looked after where it holds by itself. */
  | { readonly type: 'registered'; readonly everyMs: number }
  | { readonly type: 'renewed' }
  /** Signalbox does not have it (any more). */
  | { readonly type: 'gone' }
  /** Signalbox is not there, or cannot answer now. */
  | { readonly type: 'away'; readonly retryAfterMs?: number }
  /** Signalbox does not take it, and says why. */
  | { readonly type: 'refused' };

/** What a person is told; each once, until the opposite has happened. */
export type Say = 'closed' | 'registered' | 'registered-again' | 'away' | 'back' | 'refused';

export interface Step {
  readonly action: Action;
  readonly afterMs: number;
  readonly say?: Say;
}

export interface PlanOptions {
  /** Undefined: register without looking at the port. */
  readonly waitMs: number | undefined;
  readonly random?: () => number;
}

const LOOK_MS = 100;
const LOOK_SLOWLY_MS = 1000;
/** What was refused may be taken once somebody has changed something: a service in the catalog, a setting. */
const REFUSED_MS = 30_000;

/** When to do what, so that an instance is registered as long as it runs. It knows no clock, no socket and no process. */
export class KeepPlan {
  readonly #waitMs: number | undefined;
  readonly #random: () => number;
  #everyMs: number | undefined;
  #failures = 0;
  #registered = false;
  #trouble: 'away' | 'refused' | undefined;
  #saidClosed = false;

  constructor({ waitMs, random = Math.random }: PlanOptions) {
    this.#waitMs = waitMs;
    this.#random = random;
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
      case 'registered':
        this.#everyMs = happened.everyMs;
        return this.#succeeded(this.#registered ? 'registered-again' : 'registered');
      case 'renewed':
        return this.#succeeded(this.#trouble === undefined ? undefined : 'back');
      case 'gone':
        return { action: 'register', afterMs: 0 };
      case 'away': {
        const afterMs = Math.max(happened.retryAfterMs ?? 0, this.#backoff());
        return { action: done, afterMs, ...this.#troubled('away') };
      }
      case 'refused':
        return { action: 'register', afterMs: REFUSED_MS * (1 - this.#random() / 5), ...this.#troubled('refused') };
    }
  }

  #closed(elapsedMs: number): Step {
    const late = elapsedMs >= (this.#waitMs ?? 0);
    const step: Step = { action: 'look', afterMs: late ? LOOK_SLOWLY_MS : LOOK_MS };
    if (!late || this.#saidClosed) return step;
    this.#saidClosed = true;
    return { ...step, say: 'closed' };
  }

  #succeeded(say: Say | undefined): Step {
    this.#failures = 0;
    this.#registered = true;
    this.#trouble = undefined;
    return { action: 'renew', afterMs: this.#renewMs(), ...(say !== undefined && { say }) };
  }

  /** A third of the lease at the latest, so that two renewals may fail; and not in step with others that began together. */
  #renewMs(): number {
    return Math.round(((this.#everyMs ?? 0) / 3) * (1 - this.#random() / 5));
  }

  #backoff(): number {
    const maxMs = Math.min(BACKOFF.maxMs, this.#everyMs === undefined ? BACKOFF.maxMs : this.#everyMs / 3);
    const afterMs = backoffMs(this.#failures, this.#random(), { ...BACKOFF, maxMs });
    this.#failures += 1;
    return afterMs;
  }

  #troubled(trouble: 'away' | 'refused'): { say?: Say } {
    if (this.#trouble === trouble) return {};
    this.#trouble = trouble;
    return { say: trouble };
  }
}
