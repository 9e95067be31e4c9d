import { Client, type Dispatcher } from 'undici';
import type { Passenger } from './passenger.ts';
import { isDue, type Lifetime } from './recycle.ts';

/** What a connection tells its pool. */
export interface ConnectionEvents {
  /** It stands, and what it speaks is known. */
  readonly onConnected: (connection: Connection) => void;
  /** Its socket is gone, or could not be had. */
  readonly onLost: (connection: Connection) => void;
}

/** One connection: an undici client that is used for one socket, and closed with it. */
export class Connection {
  readonly #client: Client;
  readonly #lifetime: Lifetime;
  #requests = 0;
  #active = 0;
  #alone = false;
  #retired = false;
  #http2: boolean | undefined;
  /** It is in its pool's list of unused ones. */
  parked = false;
  /** Of the monotonic clock, while nothing is under way. */
  unusedSince: number;

  constructor(origin: string, options: Client.Options, lifetime: Lifetime, events: ConnectionEvents, now: number) {
    const dial = options.connect;
    if (typeof dial !== 'function') throw new TypeError('a connection is made by a connector');
    this.#lifetime = lifetime;
    this.unusedSince = now;
    this.#client = new Client(origin, {
      ...options,
      connect: (target, callback) =>
        dial(target, (...result) => {
          const [error, socket] = result;
          if (error === null) this.#http2 = 'alpnProtocol' in socket && socket.alpnProtocol === 'h2';
          callback(...result);
        }),
    });
    this.#client.on('connect', () => events.onConnected(this));
    this.#client.on('disconnect', () => events.onLost(this));
    this.#client.on('connectionError', () => events.onLost(this));
  }

  /** Undefined until it stands. */
  get http2(): boolean | undefined {
    return this.#http2;
  }

  /** Requests under way. */
  get active(): number {
    return this.#active;
  }

  /** It takes no more requests. */
  get retired(): boolean {
    return this.#retired;
  }

  isDue(now: number): boolean {
    return isDue(this.#lifetime, this.#requests, now);
  }

  /** Whether one more can go beside those under way: only over HTTP/2. */
  isShareable(maxStreams: number): boolean {
    return this.#http2 === true && !this.#retired && !this.#alone && this.#active < maxStreams;
  }

  send(options: Dispatcher.DispatchOptions, passenger: Passenger, alone: boolean): void {
    this.#active += 1;
    passenger.reused = this.#requests > 0;
    this.#requests += 1;
    this.#alone = alone;
    passenger.connection = this;
    this.#client.dispatch(options, passenger);
  }

  ended(now: number): void {
    this.#active -= 1;
    this.#alone = false;
    if (this.#active === 0) this.unusedSince = now;
  }

  /** Takes no more requests; those under way are finished, and then it is closed. */
  drain(): Promise<void> {
    this.#retired = true;
    return this.#client.close().catch(ignore);
  }

  /** Closes it with whatever is still under way. Not at once: undici may be in the middle of telling of it. */
  drop(): Promise<void> {
    this.#retired = true;
    return Promise.resolve().then(() => this.#client.destroy().catch(ignore));
  }
}

/** A client that was destroyed says so when it is closed. */
const ignore = (): void => {};
