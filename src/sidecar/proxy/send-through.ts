import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { Control, Incoming, Outgoing, Send } from '../ports.ts';

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
    engine.call(sending, (attempt) => sending.send(attempt)).catch((error: unknown) => incoming.failed(error));
  };

class Sending implements EngineRequest {
  readonly #outgoing: Outgoing;
  readonly #incoming: Incoming;
  readonly idempotent = undefined;
  readonly timeoutMs = undefined;
  readonly signal = undefined;
  #aborted = false;
  #wasRead = false;

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

  hasIdempotencyKey(): boolean {
    return this.#outgoing.headers.some((text, n) => n % 2 === 0 && text === 'idempotency-key');
  }

  bodyIsWhole(): boolean {
    if (this.#aborted || this.#wasRead) return false;
    const { body } = this.#outgoing;
    if (body === null) return true;
    const another = body();
    another?.destroy();
    return another !== undefined;
  }

  send(attempt: SendAttempt): Promise<void> {
    const { path, method, headers, body, upgrade } = this.#outgoing;
    return new Promise((resolve, reject) => {
      const stream = body === null ? null : body();
      this.#wasRead = stream === undefined;
      const options = { path, method, headers, body: stream ?? null, ...(upgrade !== undefined && { upgrade }) };
      attempt.dispatch(options, new Relay(this.#incoming, { resolve, reject }, () => (this.#aborted = true)));
    });
  }
}

/** Passes on what undici tells, from `resolve` on; what went wrong before is the engine's to judge. */
class Relay implements Control {
  readonly #incoming: Incoming;
  readonly #promise: { readonly resolve: () => void; readonly reject: (error: Error) => void };
  readonly #onAbort: () => void;
  #abort: ((reason?: Error) => void) | undefined;
  #resume: (() => void) | undefined;
  #paused = false;
  #answered = false;

  constructor(
    incoming: Incoming,
    promise: { readonly resolve: () => void; readonly reject: (error: Error) => void },
    onAbort: () => void,
  ) {
    this.#incoming = incoming;
    this.#promise = promise;
    this.#onAbort = onAbort;
    incoming.begun(this);
  }

  abort(reason: Error): void {
    this.#onAbort();
    if (this.#abort === undefined) this.#promise.reject(reason);
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

  onUpgrade(status: number, headers: Buffer[] | string[] | null, socket: Duplex): void {
    this.#answered = true;
    this.#promise.resolve();
    this.#incoming.upgraded(status, headersOf(headers), socket);
  }

  onHeaders(status: number, headers: Buffer[], resume: () => void): boolean {
    if (status < 200) return true;
    this.#answered = true;
    this.#resume = resume;
    this.#promise.resolve();
    this.#incoming.started(status, headersOf(headers));
    return !this.#paused;
  }

  onData(chunk: Buffer): boolean {
    this.#incoming.data(chunk);
    return !this.#paused;
  }

  onComplete(trailers: string[] | null): void {
    this.#incoming.ended(headersOf(trailers));
  }

  onError(error: Error): void {
    if (this.#answered) this.#incoming.failed(error);
    else this.#promise.reject(error);
  }
}

/** Names and values by turns, as undici reads them; several of one name are a list. */
function headersOf(raw: readonly (Buffer | string | readonly (Buffer | string)[])[] | null): IncomingHttpHeaders {
  const headers: Record<string, string | string[]> = {};
  for (let n = 0; n + 1 < (raw?.length ?? 0); n += 2) {
    const name = textOf(raw?.[n] as Buffer | string).toLowerCase();
    const value = raw?.[n + 1];
    const text = Array.isArray(value) ? value.map(textOf) : textOf(value as Buffer | string);
    const before = headers[name];
    headers[name] = before === undefined ? text : [before, text].flat();
  }
  return headers;
}

const textOf = (text: Buffer | string): string => (typeof text === 'string' ? text : text.toString('latin1'));
