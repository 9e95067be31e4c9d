import { milliseconds, parseDuration } from '../../domain/duration.ts';
import type { SignalboxError } from '../errors.ts';
import { realTime, type Time } from '../time.ts';
import { attemptMs } from './attempt.ts';
import type { Answer, Attachment, Attempt, Desk, Registered } from './desk.ts';
import { pause } from './pause.ts';
import type { Action, Happened, KeepPlan, Say, Step } from './plan.ts';
import { awayError, refusalError } from './refusal.ts';

/** What was answered last, and what went wrong just now. */
export interface About {
  readonly registered?: Registered;
  readonly error?: SignalboxError;
}

/** The body of a registration, as far as it matters here. */
export interface Kept {
  readonly service?: unknown;
  readonly check: { readonly type: string; readonly ttl?: unknown };
}

export interface KeeperOptions {
  readonly desk: Desk;
  readonly plan: Pick<KeepPlan, 'first' | 'next' | 'moved'>;
  readonly registration: Kept;
  /** Left out where there are no sockets. */
  readonly attachment?: Attachment;
  /** Whether the port is open; asked only where the plan waits for it. */
  readonly look?: (signal: AbortSignal) => Promise<boolean>;
  readonly attemptMs?: (action: Action, leaseMs?: number) => number;
  readonly onSay: (say: Say, about: About) => void;
  /** A mistake of this program, after which nothing more is done. */
  readonly onFailure: (error: unknown) => void;
  readonly time?: Time;
}

/** The end of a service is not held up for longer. */
export const STOP_MS = 2000;
const DEREGISTER_AGAIN_MS = 200;

/** Carries out the plan, one step at a time, until it is stopped. */
export class Keeper {
  readonly #options: KeeperOptions;
  readonly #time: Time;
  readonly #startedAt: number;
  readonly #abort = new AbortController();
  /** What is to be done next; undefined while something is under way. */
  #waiting: { readonly action: Action; readonly cancel: () => void } | undefined;
  #underWay: Promise<void> = Promise.resolve();
  #offChange: () => void = () => {};
  /** The socket that was there when the plan last heard of it. */
  #socket: number | undefined;
  #registered: Registered | undefined;
  #error: SignalboxError | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#time = options.time ?? realTime;
    this.#startedAt = this.#time.now();
  }

  get registered(): Registered | undefined {
    return this.#registered;
  }

  start(): void {
    const { attachment, plan } = this.#options;
    this.#socket = attachment?.socket;
    this.#offChange = attachment?.onChange(() => this.#moved()) ?? this.#offChange;
    this.#later(plan.first());
  }

  /** Deregisters, which takes two seconds at most. Rejects only with a mistake of this program. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#offChange();
    this.#waiting?.cancel();
    const cancel = this.#time.after(STOP_MS, () => this.#abort.abort());
    try {
      // What is under way may be a registration: deregistering before it ends would leave it behind.
      await this.#underWay;
      if (this.#registered !== undefined) await this.#deregister(this.#registered);
    } finally {
      cancel();
      this.#abort.abort();
    }
  }

  /** Once it is gone, or the time is over and its lease runs out. */
  async #deregister(registered: Registered): Promise<void> {
    const { signal } = this.#abort;
    for (;;) {
      const { type } = await this.#options.desk.deregister(registered, { timeoutMs: STOP_MS, signal });
      if (type !== 'away' || signal.aborted) return;
      await pause(this.#time, DEREGISTER_AGAIN_MS, signal);
    }
  }

  #elapsedMs(): number {
    return this.#time.now() - this.#startedAt;
  }

  #later({ action, afterMs, say }: Step): void {
    if (say !== undefined) {
      const { onSay } = this.#options;
      onSay(say, {
        ...(this.#registered !== undefined && { registered: this.#registered }),
        ...(this.#error !== undefined && { error: this.#error }),
      });
    }
    if (this.#stopped !== undefined) return;
    const cancel = this.#time.after(afterMs, () => {
      this.#waiting = undefined;
      this.#underWay = this.#do(action).catch(this.#options.onFailure);
    });
    this.#waiting = { action, cancel };
  }

  async #do(action: Action): Promise<void> {
    this.#error = undefined;
    const happened = await this.#try(action);
    if (this.#stopped !== undefined) return;
    this.#later(this.#options.plan.next(action, happened, this.#elapsedMs()));
    this.#moved();
  }

  /** What is under way is not interrupted: this is called again after it. */
  #moved(): void {
    const { attachment, plan } = this.#options;
    const waiting = this.#waiting;
    if (waiting === undefined || this.#stopped !== undefined || attachment === undefined) return;
    const { socket } = attachment;
    if (socket === this.#socket) return;
    this.#socket = socket;
    const step = plan.moved(waiting.action, socket === undefined ? 'gone' : 'open', this.#elapsedMs());
    if (step === undefined) return;
    waiting.cancel();
    this.#later(step);
  }

  async #try(action: Action): Promise<Happened> {
    const { desk, look, registration } = this.#options;
    if (action === 'look') return { type: (await look?.(this.#abort.signal)) === false ? 'closed' : 'open' };
    if (action === 'register') {
      this.#socket = this.#options.attachment?.socket;
      return this.#took(await desk.register(registration, this.#attempt(action)));
    }
    if (this.#registered === undefined) return { type: 'gone' };
    const answer = await desk.renew(this.#registered, this.#attempt(action));
    return answer.type === 'done' ? { type: 'renewed' } : this.#failed(answer);
  }

  #attempt(action: Action): Attempt {
    const { check } = this.#options.registration;
    const lease = this.#registered?.lease ?? (check.type === 'ttl' ? check.ttl : undefined);
    const leaseMs = typeof lease === 'string' ? parseDuration(lease) : undefined;
    return { timeoutMs: (this.#options.attemptMs ?? attemptMs)(action, leaseMs), signal: this.#abort.signal };
  }

  #took(answer: Answer<Registered>): Happened {
    if (answer.type !== 'done') return this.#failed(answer);
    const { lease, socket, generation } = answer.value;
    const isAnother = this.#registered !== undefined && this.#registered.generation !== generation;
    this.#registered = answer.value;
    return {
      type: 'registered',
      isAnother,
      leaseMs: lease === undefined ? undefined : milliseconds(lease),
      heartbeatMs: socket === undefined ? undefined : this.#options.attachment?.heartbeatMs,
    };
  }

  #failed(answer: Exclude<Answer<never>, { type: 'done' }>): Happened {
    if (answer.type === 'gone') return { type: 'gone' };
    if (answer.type === 'away') {
      this.#error = awayError(answer.detail);
      return { type: 'away', retryAfterMs: answer.retryAfterMs };
    }
    this.#error = refusalError(answer.problem);
    return { type: this.#error.code === 'unauthorized' ? 'unauthorized' : 'refused' };
  }
}
