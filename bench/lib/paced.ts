import { connectAll, type HttpConnection } from './http-load.ts';
import { Samples } from './stats.ts';

export interface Pace {
  readonly port: number;
  readonly connections: number;
  readonly perSecond: number;
  /** The n-th request of all. */
  readonly next: (n: number) => Buffer;
}

const TICK_MS = 2;

/** Sends requests at a fixed rate in the background, however long the answers take. */
export class Paced {
  readonly #pace: Pace;
  readonly #free: HttpConnection[];
  readonly #all: readonly HttpConnection[];
  readonly #timer: NodeJS.Timeout;
  readonly #started = performance.now();
  /** From when a request was due until it was answered, in milliseconds. */
  readonly samples = new Samples();
  #due = 0;
  #failed: Error | undefined;

  private constructor(pace: Pace, connections: readonly HttpConnection[]) {
    this.#pace = pace;
    this.#all = connections;
    this.#free = [...connections];
    for (const connection of connections) connection.onLost = (error) => this.#fail(error);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  static async start(pace: Pace): Promise<Paced> {
    return new Paced(pace, await connectAll(pace.port, pace.connections));
  }

  /** How many were answered until now. Throws when one was refused. */
  answered(): number {
    if (this.#failed !== undefined) throw this.#failed;
    return this.#due - (this.#all.length - this.#free.length);
  }

  /** For a note. */
  percentiles(): string {
    return `${this.samples.percentile(0.5).toFixed(1)} ms (p50) and ${this.samples.percentile(0.99).toFixed(1)} ms (p99)`;
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const connection of this.#all) connection.close();
  }

  #tick(): void {
    const { perSecond, next } = this.#pace;
    for (let dueAt = this.#dueAt(perSecond); dueAt <= performance.now(); dueAt = this.#dueAt(perSecond)) {
      // By turns: the server closes a connection that nothing comes over.
      const connection = this.#free.shift();
      // What is due meanwhile is sent, and counted from then, as soon as one is free.
      if (connection === undefined) return;
      const since = dueAt;
      connection.send(next(this.#due++), (status) => {
        this.samples.push(performance.now() - since);
        if (status >= 300) this.#fail(new Error(`answered ${status}:\n${connection.failure}`));
        this.#free.push(connection);
      });
    }
  }

  #dueAt(perSecond: number): number {
    return this.#started + ((this.#due + 1) * 1000) / perSecond;
  }

  #fail(error: Error): void {
    this.#failed ??= error;
    clearInterval(this.#timer);
  }
}
