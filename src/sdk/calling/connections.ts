import type { Client, Dispatcher } from 'undici';
import { SignalboxError } from '../errors.ts';
import { Connection, type ConnectionEvents } from './connection.ts';
import type { Dial } from './connector.ts';
import { mustBeAlone, type Passenger } from './passenger.ts';
import { lifetimeOf, type RecycleLimits } from './recycle.ts';

export interface Limits extends RecycleLimits {
  readonly max: number;
  readonly maxWaiting: number;
  readonly maxStreams: number;
  readonly keepAliveMs: number;
  readonly bodyTimeoutMs: number;
}

export interface ConnectionsDeps {
  readonly origin: string;
  readonly dial: Dial;
  readonly limits: Limits;
  readonly now: () => number;
  readonly random: () => number;
}

interface Waiting {
  readonly options: Dispatcher.DispatchOptions;
  readonly passenger: Passenger;
  readonly alone: boolean;
}

/**
 * The connections to one instance. undici's own pool is not used: its clients have one age limit, without jitter; those that are
 * closing count as connections, and requests given to them fail (nodejs/undici#5144, #5677); its queue has no bound. What a
 * connection does, and how it is drained, is the work of undici's client.
 */
export class Connections {
  readonly #deps: ConnectionsDeps;
  readonly #options: Client.Options;
  readonly #events: ConnectionEvents;
  /** Those that take requests. */
  readonly #open = new Set<Connection>();
  /** Unused ones, the last used on top, so that those that are not needed grow old. What became of one is looked at when it comes up. */
  #unused: Connection[] = [];
  readonly #closing = new Set<Promise<void>>();
  readonly #retiring = new Set<Connection>();
  #waiting: Waiting[] = [];
  /** What the last connection turned out to speak. While it is not known whether calls can share one, one is made at a time. */
  #http2: boolean | undefined;
  #closed = false;

  constructor(deps: ConnectionsDeps) {
    const { limits, dial } = deps;
    this.#deps = deps;
    this.#http2 = dial.mayBeHttp2 ? undefined : false;
    this.#options = {
      connect: dial.connect,
      keepAliveTimeout: limits.keepAliveMs,
      // Calls have deadlines of their own.
      headersTimeout: 0,
      bodyTimeout: limits.bodyTimeoutMs,
      // Over HTTP/1.1 a connection is given one request at a time, whatever `pipelining` says.
      ...(dial.mayBeHttp2
        ? { allowH2: true, pipelining: limits.maxStreams, maxConcurrentStreams: limits.maxStreams }
        : {}),
    };
    this.#events = {
      onConnected: (connection) => {
        this.#http2 = connection.http2;
        this.#serve();
      },
      onLost: (connection) => {
        if (connection.active > 0) this.#retire(connection);
        else this.#drop(connection);
        this.#serve();
      },
    };
  }

  /** Connections that take requests, those that only finish what they have, and requests that wait for one. */
  get stats(): { readonly open: number; readonly draining: number; readonly waiting: number } {
    return { open: this.#open.size, draining: this.#retiring.size, waiting: this.#waiting.length };
  }

  /** Sends a request as soon as there is a connection for it. `onError` is told where there is no room to wait. */
  send(options: Dispatcher.DispatchOptions, passenger: Passenger): void {
    if (this.#closed) return passenger.onError(new SignalboxError('stopped', `${this.#deps.origin} is gone`));
    const alone = mustBeAlone(options);
    const now = this.#deps.now();
    const connection = this.#waiting.length === 0 ? this.#choose(alone, passenger.fresh, now) : undefined;
    if (connection !== undefined) return this.#board(connection, { options, passenger, alone }, now);
    const { maxWaiting } = this.#deps.limits;
    if (this.#waiting.length >= maxWaiting) this.#waiting = this.#waiting.filter((each) => !each.passenger.isOver);
    if (this.#waiting.length < maxWaiting) this.#waiting.push({ options, passenger, alone });
    else
      passenger.onError(new SignalboxError('overloaded', `${maxWaiting} calls wait for ${this.#deps.origin} already`));
  }

  /** A request has ended; `broken` where its connection cannot be used on for that. */
  release(connection: Connection, broken: boolean): void {
    const now = this.#deps.now();
    connection.ended(now);
    if (!connection.retired) {
      // Other requests on an HTTP/2 connection go on.
      if (broken && connection.active === 0 && connection.http2 !== true) this.#drop(connection);
      else if (connection.isDue(now)) this.#retire(connection);
      else if (connection.active === 0) this.#park(connection);
    }
    if (this.#waiting.length > 0) this.#serve();
  }

  /** Closes what has not been used for long, and retires those whose time has come. */
  sweep(): void {
    const now = this.#deps.now();
    for (const connection of this.#open) {
      const unused = connection.active === 0 && now - connection.unusedSince >= this.#deps.limits.keepAliveMs;
      if (unused || connection.isDue(now)) this.#retire(connection);
    }
    this.#unused = this.#unused.filter(({ retired }) => !retired);
  }

  /** Takes no more requests, and ends those that wait. Resolves when all that are under way have ended. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const connection of this.#open) this.#retire(connection);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { passenger } of waiting)
      passenger.onError(new SignalboxError('stopped', `${this.#deps.origin} is gone`));
    await Promise.all(this.#closing);
  }

  /** Cuts what is under way. */
  destroy(): void {
    for (const connection of this.#retiring) void connection.drop();
  }

  #choose(alone: boolean, fresh: boolean, now: number): Connection | undefined {
    const { max, maxStreams } = this.#deps.limits;
    if (fresh) {
      // An unused one makes room.
      while (this.#open.size >= max && this.#unused.length > 0) this.#giveWay(this.#unused.pop());
      return this.#open.size < max && this.#mayConnect(alone) ? this.#connect(now) : undefined;
    }
    if (this.#http2 === true && !alone) {
      for (const connection of this.#open) {
        if (connection.active === 0 || !connection.isShareable(maxStreams)) continue;
        if (!connection.isDue(now)) return connection;
        this.#retire(connection);
      }
    }
    for (let connection = this.#unused.pop(); connection !== undefined; connection = this.#unused.pop()) {
      connection.parked = false;
      if (connection.retired || connection.active > 0) continue;
      if (!connection.isDue(now)) return connection;
      this.#retire(connection);
    }
    return this.#open.size < max && this.#mayConnect(alone) ? this.#connect(now) : undefined;
  }

  #giveWay(unused: Connection | undefined): void {
    if (unused === undefined) return;
    unused.parked = false;
    if (!unused.retired && unused.active === 0) this.#retire(unused);
  }

  #mayConnect(alone: boolean): boolean {
    if (this.#http2 === false || (this.#http2 === true && alone)) return true;
    for (const { http2 } of this.#open) if (http2 === undefined) return false;
    return true;
  }

  #connect(now: number): Connection {
    const { origin, limits, random } = this.#deps;
    const connection = new Connection(origin, this.#options, lifetimeOf(limits, now, random), this.#events, now);
    this.#open.add(connection);
    return connection;
  }

  #board(connection: Connection, { options, passenger, alone }: Waiting, now: number): void {
    const { servername } = this.#deps.dial;
    connection.send(servername === undefined ? options : Object.assign({ servername }, options), passenger, alone);
    if (!connection.retired && connection.isDue(now)) this.#retire(connection);
  }

  /** Gives those that wait, in their order, what there is. */
  #serve(): void {
    const now = this.#deps.now();
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const connection = next.passenger.isOver ? undefined : this.#choose(next.alone, next.passenger.fresh, now);
      if (connection === undefined && !next.passenger.isOver) return;
      this.#waiting.shift();
      if (connection !== undefined) this.#board(connection, next, now);
    }
  }

  #park(connection: Connection): void {
    if (connection.parked) return;
    connection.parked = true;
    this.#unused.push(connection);
  }

  #retire(connection: Connection): void {
    this.#leave(connection, connection.drain());
  }

  #drop(connection: Connection): void {
    this.#leave(connection, connection.drop());
  }

  #leave(connection: Connection, closed: Promise<void>): void {
    this.#open.delete(connection);
    this.#retiring.add(connection);
    const closing = closed.then(() => {
      this.#closing.delete(closing);
      this.#retiring.delete(connection);
    });
    this.#closing.add(closing);
  }
}
