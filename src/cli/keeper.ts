import { milliseconds, type Duration } from '../domain/duration.ts';
import { CliError } from './errors.ts';
import type { Api } from './http.ts';
import type { Action, Happened, KeepPlan, Say, Step } from './keep-plan.ts';
import { portIsOpen } from './port-is-open.ts';

/** What `POST /v1/instances` answers, as far as it is used. */
export interface Registered {
  readonly id: string;
  readonly generation: number;
  readonly lease?: Duration;
  readonly detectionBound: Duration;
}

/** What was answered last, and what went wrong last. */
export interface About {
  readonly registered?: Registered;
  readonly error?: CliError;
}

export interface KeeperOptions {
  readonly api: Api;
  readonly plan: KeepPlan;
  readonly registration: { readonly address: string; readonly port: number };
  readonly onSay: (say: Say, about: About) => void;
  /** A mistake of this program, after which nothing more is done. */
  readonly onFailure: (error: unknown) => void;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

/** How often a registration that holds without a lease is looked after; the plan looks at a third of it. */
const CHECKED_MS = 90_000;
const LONGEST_RETRY_AFTER_S = 60;
/** The end of a service is not held up for longer. */
const STOP_MS = 2000;

/** Carries out the plan, one step at a time, until it is stopped. */
export class Keeper {
  readonly #options: KeeperOptions;
  readonly #now: () => number;
  readonly #startedAt: number;
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #underWay: Promise<void> = Promise.resolve();
  #registered: Registered | undefined;
  #error: CliError | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#startedAt = this.#now();
  }

  start(): void {
    this.#later(this.#options.plan.first());
  }

  /** Deregisters, which takes two seconds at most. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    clearTimeout(this.#timer);
    const deadline = setTimeout(() => this.#abort.abort(), STOP_MS);
    try {
      // What is under way may be a registration: deregistering before it ends would leave it behind.
      await this.#underWay;
      if (this.#registered !== undefined) await this.#deregister(this.#registered);
    } finally {
      clearTimeout(deadline);
      this.#abort.abort();
    }
  }

  async #deregister({ id, generation }: Registered): Promise<void> {
    try {
      const query = { generation };
      await this.#options.api.call('DELETE', `/v1/instances/${id}`, { query, signal: this.#abort.signal });
    } catch (error) {
      // It is gone already, or its lease runs out.
      if (!(error instanceof CliError)) throw error;
    }
  }

  #later(step: Step): void {
    if (step.say !== undefined) {
      const { onSay } = this.#options;
      onSay(step.say, {
        ...(this.#registered !== undefined && { registered: this.#registered }),
        ...(this.#error !== undefined && { error: this.#error }),
      });
    }
    if (this.#stopped !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#underWay = this.#do(step.action).catch(this.#options.onFailure);
    }, step.afterMs);
  }

  async #do(action: Action): Promise<void> {
    const happened = await this.#try(action);
    if (this.#stopped === undefined) {
      this.#later(this.#options.plan.next(action, happened, this.#now() - this.#startedAt));
    }
  }

  async #try(action: Action): Promise<Happened> {
    const { registration } = this.#options;
    try {
      if (action === 'look') {
        const open = await portIsOpen(registration.address, registration.port, this.#abort.signal);
        return { type: open ? 'open' : 'closed' };
      }
      return action === 'register' ? await this.#register() : await this.#renew();
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      this.#error = error;
      return whatItMeans(error, action);
    }
  }

  async #register(): Promise<Happened> {
    const { api, registration } = this.#options;
    const signal = this.#abort.signal;
    this.#registered = await api.sendJson<Registered>('POST', '/v1/instances', registration, { signal });
    const { lease } = this.#registered;
    return { type: 'registered', everyMs: lease === undefined ? CHECKED_MS : milliseconds(lease) };
  }

  async #renew(): Promise<Happened> {
    const { api } = this.#options;
    if (this.#registered === undefined) return { type: 'gone' };
    const { id, generation, lease } = this.#registered;
    const signal = this.#abort.signal;
    const body = JSON.stringify({ generation });
    try {
      // Without a lease it renews nothing and says whether the instance is there, also to those who may not read.
      await api.call('POST', `/v1/instances/${id}/renew`, { body, contentType: 'application/json', signal });
    } catch (error) {
      if (lease !== undefined || !keepsNoLeases(error)) throw error;
      await api.call('GET', `/v1/instances/${id}`, { signal });
    }
    return { type: 'renewed' };
  }
}

const keepsNoLeases = (error: unknown): boolean =>
  error instanceof CliError && error.problem.type === '/problems/health-checks-off';

function whatItMeans({ problem: { status, retryAfter } }: CliError, action: Action): Happened {
  if (status === 404 && action === 'renew') return { type: 'gone' };
  if (status === undefined || status === 408 || status === 425 || status === 429 || status >= 500) {
    if (retryAfter === undefined) return { type: 'away' };
    return { type: 'away', retryAfterMs: Math.min(Math.max(retryAfter, 0), LONGEST_RETRY_AFTER_S) * 1000 };
  }
  return { type: 'refused' };
}
