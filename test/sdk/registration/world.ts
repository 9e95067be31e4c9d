import type { Answer, Attachment, Attempt, Desk, Registered } from '../../../src/sdk/registration/desk.ts';
import type { Random } from '../../support/random.ts';
import type { TurnedTime } from './turned-time.ts';

export interface WorldOptions {
  readonly time: TurnedTime;
  readonly random: Random;
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  /** Whether sockets can be had at all. */
  readonly sockets: boolean;
}

const LATENCY_MS = 20;
const RECONNECT_MS = 1000;

/** A server with one instance, the way to it, and a socket that comes and goes. It notes the longest time without hearing of it. */
export class World implements Attachment {
  readonly heartbeatMs: number;
  readonly #options: WorldOptions;
  readonly #listeners = new Set<() => void>();
  /** What is sent is lost: silently, or with an error at once. */
  #cut: 'silent' | 'loud' | undefined;
  #heardAt: number | undefined;
  #generation = 0;
  /** The socket that the server has the instance on. */
  #on: number | undefined;
  #sockets = 0;
  /** When the client last heard of the socket. */
  #clientHeardAt = 0;
  socket: number | undefined;
  longestMs = 0;
  readonly asked: string[] = [];
  #frozen: number | undefined;
  #onNextAsk: (() => void) | undefined;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.heartbeatMs = options.heartbeatMs;
    if (options.sockets) this.#connect();
    this.#beat();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  get generation(): number | undefined {
    return this.#heardAt === undefined ? undefined : this.#generation;
  }

  readonly socketDesk: Desk = {
    register: (_registration, attempt) => this.#ask('socket register', attempt, () => this.#register(this.socket)),
    renew: (registered, attempt) => this.#ask('socket renew', attempt, () => this.#renew(registered)),
    deregister: (_registered, attempt) => this.#ask('socket deregister', attempt, () => this.#remove()),
  };

  readonly httpDesk: Desk = {
    register: (_registration, attempt) => this.#ask('register', attempt, () => this.#register(undefined)),
    renew: (registered, attempt) => this.#ask('renew', attempt, () => this.#renew(registered)),
    deregister: (_registered, attempt) => this.#ask('deregister', attempt, () => this.#remove()),
  };

  /** Calls back before the next request is sent. */
  onNextAsk(then: () => void): void {
    this.#onNextAsk = then;
  }

  /** The socket is dead, and neither side knows; requests of another connection go through. */
  freeze(): void {
    this.#frozen = this.socket;
  }

  /** Nothing goes through until `mend`. The socket ends with it, or neither side knows. */
  cut(how: 'silent' | 'loud', ending: boolean): void {
    this.#cut = how;
    if (ending) this.#endSocket();
  }

  mend(): void {
    this.#cut = undefined;
  }

  /** The server was away: every lease has its full length again (INS3), and there is no socket. */
  restart(): void {
    this.#cut = undefined;
    this.#endSocket();
    if (this.#heardAt !== undefined) this.#heardAt = this.#options.time.now();
  }

  /** Somebody removes the instance. */
  evict(): void {
    this.#heardAt = undefined;
    this.#on = undefined;
  }

  look(): void {
    if (this.#heardAt !== undefined)
      this.longestMs = Math.max(this.longestMs, this.#options.time.now() - this.#heardAt);
  }

  #hear(): void {
    this.look();
    this.#heardAt = this.#options.time.now();
  }

  #register(socket: number | undefined): Answer<Registered> {
    if (this.#heardAt === undefined) this.#generation += 1;
    this.#hear();
    if (socket !== undefined) this.#on = socket;
    const lease = `${this.#options.leaseMs}ms`;
    const value = { id: 'i', name: 'instances/i', generation: this.#generation, lease, detectionBound: '1s' };
    return { type: 'done', value };
  }

  #renew({ generation }: Registered): Answer<void> {
    if (this.#heardAt === undefined || generation !== this.#generation) return { type: 'gone' };
    this.#hear();
    return { type: 'done', value: undefined };
  }

  #remove(): Answer<void> {
    this.evict();
    return { type: 'done', value: undefined };
  }

  #ask<T>(what: string, { timeoutMs, signal }: Attempt, decide: () => Answer<T>): Promise<Answer<T>> {
    this.asked.push(what);
    this.#onNextAsk?.();
    this.#onNextAsk = undefined;
    const { time, random } = this.#options;
    const isLost = what.startsWith('socket') && this.#isFrozen();
    const latencyMs = 1 + random.below(LATENCY_MS / 2);
    return new Promise((resolve) => {
      const end = (answer: Answer<T>): void => {
        signal.removeEventListener('abort', aborted);
        resolve(answer);
      };
      const aborted = (): void => end({ type: 'away', detail: 'given up' });
      if (this.#cut === 'loud') return resolve({ type: 'away', detail: 'cut' });
      signal.addEventListener('abort', aborted);
      time.after(timeoutMs, () => end({ type: 'away', detail: 'nothing for so long' }));
      time.after(latencyMs, () => {
        if (this.#cut !== undefined || isLost) return;
        const answer = decide();
        time.after(latencyMs, () => {
          if (this.#cut === undefined) end(answer);
        });
      });
    });
  }

  #isFrozen(): boolean {
    return this.socket !== undefined && this.#frozen === this.socket;
  }

  /** Pings and pongs; a client that hears none for three heartbeats ends the socket. */
  #beat(): void {
    const { time, heartbeatMs } = this.#options;
    time.after(heartbeatMs, () => {
      if (this.#cut === undefined && !this.#isFrozen()) {
        this.#clientHeardAt = time.now();
        if (this.#on !== undefined && this.#on === this.socket && this.#heardAt !== undefined) this.#hear();
      } else if (time.now() - this.#clientHeardAt >= 3 * heartbeatMs) this.#endSocket();
      this.#beat();
    });
  }

  #endSocket(): void {
    if (this.socket === undefined) return;
    this.socket = undefined;
    this.#on = undefined;
    for (const listener of this.#listeners) listener();
    this.#later();
  }

  #later(): void {
    const { time, random, leaseMs } = this.#options;
    // Some come back at once, and some not for long: there may be none but event streams meanwhile.
    time.after(random.below(random.chance(0.5) ? RECONNECT_MS : 2 * leaseMs), () =>
      this.#cut === undefined ? this.#connect() : this.#later(),
    );
  }

  #connect(): void {
    this.#sockets += 1;
    this.socket = this.#sockets;
    this.#clientHeardAt = this.#options.time.now();
    for (const listener of this.#listeners) listener();
  }
}
