import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { Endpoint } from '../../sdk/discovery/endpoint.ts';
import { SignalboxError } from '../../sdk/errors.ts';
import type { Control, Incoming, Outgoing, RawHeaders, Send } from '../ports.ts';
import { StalledCaller } from './refusal.ts';

/** One attempt at one instance, over a connection that is kept: undici's `dispatch`, with handlers of the older form. */
export interface SendAttempt {
  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): unknown;
}

/** What decides about an attempt after it failed. */
export interface EngineRequest {
  readonly method: string;
  readonly key: string | undefined;
  readonly idempotent: boolean | undefined;
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly only: Endpoint | undefined;
  readonly upload: { readonly movedAt: number; readonly isAwaited: boolean } | undefined;
  hasIdempotencyKey(): boolean;
  /** Whether its body can be sent (again). */
  bodyIsWhole(): boolean;
}

/** The calling engine of the client library (`Calls`): it picks, retries, ejects and keeps connections. */
export interface Engine {
  call<R>(request: EngineRequest, send: (attempt: SendAttempt) => Promise<R>): Promise<R>;
}

/** Sends requests through the engine; each attempt has a body of its own, as long as nothing of it was read. */
export const sendThrough =
  (engine: Engine): Send =>
  (outgoing, incoming) => {
    const sending = new Sending(outgoing, incoming);
    engine.call(sending, sending.send).catch(sending.failed);
  };

/**
 * One request with its attempts: what the engine asks of it, what undici tells of the attempt that is under way, and the caller's
 * hand on that. One object for all of this, since there is one for each request. What goes wrong before the answer is the engine's to judge.
 */
class Sending implements EngineRequest, Control {
  readonly idempotent = undefined;
  readonly timeoutMs = undefined;
  readonly signal = undefined;
  readonly #outgoing: Outgoing;
  readonly #incoming: Incoming;
  #resolve: () => void = nothing;
  #reject: (error: Error) => void = nothing;
  #abort: ((reason?: Error) => void) | undefined;
  #resume: (() => void) | undefined;
  #paused = false;
  #answered = false;
  #aborted = false;

  constructor(outgoing: Outgoing, incoming: Incoming) {
    this.#outgoing = outgoing;
    this.#incoming = incoming;
  }

  get method(): string {
    return this.#outgoing.method;
  }

  get key(): string | undefined {
    return this.#outgoing.key;
  }

  get only(): Endpoint | undefined {
    return this.#outgoing.only;
  }

  get upload(): EngineRequest['upload'] {
    return this.#outgoing.body ?? undefined;
  }

  hasIdempotencyKey(): boolean {
    return this.#outgoing.headers.some((text, n) => n % 2 === 0 && text === 'idempotency-key');
  }

  bodyIsWhole(): boolean {
    return !this.#aborted && (this.#outgoing.body?.isWhole ?? true);
  }

  readonly send = (attempt: SendAttempt): Promise<void> =>
    new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#abort = undefined;
      this.#incoming.begun(this);
      // The caller may have gone before its turn came.
      if (this.#aborted) return;
      const { path, method, headers, body, upgrade = null } = this.#outgoing;
      const stream = body === null ? null : body.attempt();
      attempt.dispatch({ path, method, headers, body: stream, upgrade }, this);
    });

  readonly failed = (error: unknown): void => {
    const isLate = error instanceof SignalboxError && error.code === 'timeout';
    this.#incoming.failed(isLate && this.upload?.isAwaited === true ? new StalledCaller() : error);
  };

  abort(reason: Error): void {
    this.#aborted = true;
    if (this.#abort === undefined) this.#reject(reason);
    else this.#abort(reason);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#resume?.();
  }

  onConnect(abort: (reason?: Error) => void): void {
    this.#abort = abort;
  }

  onUpgrade(status: number, headers: RawHeaders | null, socket: Duplex): void {
    this.#answered = true;
    this.#resolve();
    this.#incoming.upgraded(status, headers ?? [], socket);
  }

  onHeaders(status: number, headers: RawHeaders, resume: () => void): boolean {
    // Early hints and the like: what counts is still to come.
    if (status < 200) return true;
    this.#answered = true;
    this.#resume = resume;
    this.#resolve();
    try {
      this.#incoming.started(status, headers);
    } catch (error) {
      this.#giveUp(error);
    }
    return !this.#paused;
  }

  onData(chunk: Buffer): boolean {
    try {
      this.#incoming.data(chunk);
    } catch (error) {
      this.#giveUp(error);
    }
    return !this.#paused;
  }

  onComplete(trailers: RawHeaders | null): void {
    this.#incoming.ended(trailers ?? []);
  }

  onError(error: Error): void {
    if (this.#answered) this.#incoming.failed(error);
    else this.#reject(error);
  }

  /** What goes wrong on this side is not the instance's fault, as it would be if undici heard of it. */
  #giveUp(error: unknown): void {
    this.abort(error as Error);
  }
}

const nothing = (): void => {};
