import type { Duplex } from 'node:stream';
import { Dispatcher } from 'undici';
import type { Endpoint } from '../discovery/endpoint.ts';
import type { Connection } from './connection.ts';
import type { Connections } from './connections.ts';
import { isBlamed, isFailure, outcomeOf, type Ending } from './outcome.ts';
import type { Passenger } from './passenger.ts';

type Abort = (reason?: Error) => void;

/** The way to one endpoint, which all attempts at it share. */
export interface Line {
  readonly endpoint: Endpoint;
  readonly connections: Connections;
  /** For requests that turn a connection into something else, such as a WebSocket: without HTTP/2. */
  readonly upgrading: () => Connections;
  readonly now: () => number;
}

/** Asked at the headers of an answer, whether it is not wanted because another attempt will be made. */
export interface Judge {
  turnsDown(attempt: Attempt, status: number, headers: readonly Buffer[]): boolean;
  /** The attempt goes on as another one. */
  goesOnAs(attempt: Attempt): void;
}

/** What is read of an answer that is not wanted, so that its connection can be used on. */
const DUMP_BYTES = 65_536;
/** And for how long: its connection is one of few. */
const DUMP_MS = 1000;
/** Misdirected: `fetch` itself asks once more over another connection (RFC 9110, 15.5.20). */
const MISDIRECTED = 421;

/** Thrown by what sends an attempt, where the answer was turned down: there will be another one. */
export class TurnedDown extends Error {
  override readonly name = 'TurnedDown';
}

/**
 * One attempt at one instance. It is the dispatcher for whatever makes the request (undici's `fetch` or `request`, or a handler of
 * one's own), for one request, and stands between its handler and the connection. Its endpoint hears of its end exactly once:
 * when the body has come or was given up, be it because nobody holds the response any more.
 */
export class Attempt extends Dispatcher implements Passenger {
  readonly endpoint: Endpoint;
  readonly #line: Line;
  readonly #judge: Judge | undefined;
  readonly #begun: number;
  connection: Connection | undefined;
  #handler: Dispatcher.DispatchHandler | undefined;
  #connections: Connections | undefined;
  #abort: Abort | undefined;
  #status = 0;
  #latencyMs = -1;
  #ended = false;
  #hasGoneOn = false;
  /** The endpoint was told that an answer has begun. */
  #wasAnswered = false;
  /** Its handler hears nothing any more. */
  #silent = false;
  #dumped = 0;
  #dumping: NodeJS.Timeout | undefined;
  /** Why it gave no answer. */
  failure: Error | undefined;
  /** Some of it may have reached the instance. */
  sent = false;
  /** Whoever sent it gave it up. */
  cancelled = false;
  readonly fresh: boolean;
  reused = false;

  /** `fresh`: over a connection that nothing was sent over before. */
  constructor(line: Line, judge: Judge | undefined, fresh = false) {
    super();
    this.fresh = fresh;
    this.#line = line;
    this.#judge = judge;
    this.endpoint = line.endpoint;
    this.#begun = line.now();
    this.endpoint.begin();
  }

  /** The handler has the older form of undici's handlers (`onConnect`), as that of `fetch`, `request` and `stream`. */
  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (this.#handler !== undefined) return this.#goOn(options, handler);
    if (handler.onRequestStart !== undefined)
      throw new TypeError('the handler of an attempt has onConnect, onHeaders, …');
    this.#handler = handler;
    if (this.failure !== undefined) handler.onError?.(this.failure);
    else {
      const upgrades = (options.upgrade ?? null) !== null || options.method === 'CONNECT';
      this.#connections = upgrades ? this.#line.upgrading() : this.#line.connections;
      this.#connections.send(options, this);
    }
    return true;
  }

  /** Of the answer; 0 while there is none. */
  get status(): number {
    return this.#status;
  }

  get isOver(): boolean {
    return this.#ended && this.#status === 0;
  }

  /** Gives it up for a reason that is the call's: what is under way fails with it. */
  giveUp(reason: Error, ending: 'broken' | 'cancelled'): void {
    if (this.#ended) return;
    this.failure ??= reason;
    if (ending === 'cancelled') this.cancelled = true;
    this.#end({ type: ending });
    if (!this.#silent) {
      this.#silent = true;
      this.#handler?.onError?.(reason);
    }
    this.#abort?.(reason);
  }

  onConnect(abort: Abort): void {
    if (this.isOver) {
      abort(this.failure);
      return;
    }
    this.sent = true;
    this.#abort = abort;
    this.#handler?.onConnect?.((reason) => {
      // `fetch` aborts what has failed as well: an answer that was turned down is still to be read.
      if (this.#silent) return;
      if (!this.#ended) this.cancelled = true;
      this.#end({ type: 'cancelled' });
      abort(reason);
    });
  }

  onResponseStarted(): void {
    if (!this.#silent) this.#handler?.onResponseStarted?.();
  }

  onBodySent(chunkSize: number, totalBytesSent: number): void {
    this.#handler?.onBodySent?.(chunkSize, totalBytesSent);
  }

  onHeaders(status: number, headers: Buffer[], resume: () => void, statusText: string): boolean {
    if (this.#silent) return true;
    if (status >= 200) {
      this.#answered(status);
      if (this.#judge?.turnsDown(this, status, headers) === true) {
        this.#end({ type: 'answered', status });
        this.#silent = true;
        this.#dumping = setTimeout(() => this.#abort?.(), DUMP_MS).unref();
        this.#handler?.onError?.(new TurnedDown(`answered ${status}`));
        return true;
      }
    }
    return this.#handler?.onHeaders?.(status, headers, resume, statusText) ?? true;
  }

  onData(chunk: Buffer): boolean {
    if (!this.#silent) return this.#handler?.onData?.(chunk) ?? true;
    this.#dumped += chunk.length;
    if (this.#dumped > DUMP_BYTES) this.#abort?.();
    return true;
  }

  onUpgrade(status: number, headers: Buffer[] | string[] | null, socket: Duplex): void {
    this.#answered(status);
    this.#release(true);
    socket.once('close', () => this.#end({ type: 'answered', status }));
    this.#handler?.onUpgrade?.(status, headers, socket);
  }

  onComplete(trailers: string[] | null): void {
    this.#end({ type: 'answered', status: this.#status });
    this.#release(false);
    if (!this.#silent) this.#handler?.onComplete?.(trailers);
  }

  onError(error: Error): void {
    this.failure ??= error;
    const blamed = isBlamed(error);
    this.#end({ type: blamed ? 'broken' : 'cancelled' });
    this.#release(blamed);
    if (this.#silent) return;
    this.#silent = true;
    this.#handler?.onError?.(error);
  }

  override close(): never;
  override close(callback: () => void): never;
  override close(): never {
    throw new TypeError('an attempt is not closed: its connections belong to the service');
  }

  override destroy(): never {
    throw new TypeError('an attempt is not destroyed: it is given up');
  }

  /** The request once more, which is another attempt at the same endpoint. */
  #goOn(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (this.#status !== MISDIRECTED || !this.#ended || this.#hasGoneOn)
      throw new TypeError('an attempt is for one request');
    this.#hasGoneOn = true;
    const next = new Attempt(this.#line, this.#judge, true);
    this.#judge?.goesOnAs(next);
    return next.dispatch(options, handler);
  }

  #answered(status: number): void {
    this.#status = status;
    this.#latencyMs = this.#line.now() - this.#begun;
    if (this.#ended || isFailure(status)) return;
    this.#wasAnswered = true;
    this.endpoint.answered(this.#latencyMs);
  }

  #end(ending: Ending): void {
    if (this.#ended) return;
    this.#ended = true;
    const latencyMs = this.#latencyMs >= 0 ? this.#latencyMs : this.#line.now() - this.#begun;
    this.endpoint.end(outcomeOf(ending), latencyMs, this.#wasAnswered);
  }

  #release(broken: boolean): void {
    clearTimeout(this.#dumping);
    const { connection } = this;
    if (connection === undefined) return;
    this.connection = undefined;
    this.#connections?.release(connection, broken);
  }
}
