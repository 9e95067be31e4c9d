import { setTimeout as sleep } from 'node:timers/promises';
import { call, type Signalbox } from '../support/signalbox.ts';
import { until } from './until.ts';
import { WatchClient } from './watch-client.ts';

/**
 * A well-behaved writer and subscriber beside whatever else goes on: it writes, reads back, and waits for its change to
 * arrive. Whoever else is served badly, this one may not be.
 */
export class Canary {
  readonly #server: Signalbox;
  readonly #client: WatchClient;
  readonly #region: string;
  #stopped = false;
  #run: Promise<void> = Promise.resolve();
  #fault: unknown;
  rounds = 0;
  /** Milliseconds that the slowest round took, from the request to the change. */
  slowest = 0;

  private constructor(server: Signalbox, client: WatchClient, region: string) {
    this.#server = server;
    this.#client = client;
    this.#region = region;
  }

  static async start(server: Signalbox, region = 'canary'): Promise<Canary> {
    const client = await WatchClient.open(server.url);
    await client.sync('canary', { kind: 'region', regions: [region] });
    const canary = new Canary(server, client, region);
    canary.#run = canary.#rounds();
    canary.#run.catch((error: unknown) => (canary.#fault = error));
    return canary;
  }

  /** Resolves once a round has begun and ended; rejects when any went wrong. */
  async sings(): Promise<void> {
    const from = this.rounds;
    await until('the canary sings', () => {
      if (this.#fault !== undefined) throw this.#fault;
      return this.rounds > from + 1;
    });
  }

  /** Rejects when any round went wrong. */
  async stop(): Promise<this> {
    this.#stopped = true;
    await this.#run;
    if (this.rounds === 0) await this.#round();
    await this.#client.end();
    return this;
  }

  async #rounds(): Promise<void> {
    while (!this.#stopped) {
      await this.#round();
      await sleep(25);
    }
  }

  async #round(): Promise<void> {
    const started = performance.now();
    const from = this.#client.frames.length;
    const title = `round ${this.rounds}`;
    const path = `/v1/regions/${this.#region}`;
    const written = await call(this.#server.url, 'PUT', path, { title, labels: { n: String(this.rounds) } });
    if (written.status >= 300) throw new Error(`the canary could not write: ${JSON.stringify(written.body)}`);
    const read = await call(this.#server.url, 'GET', path);
    if (read.body.title !== title) throw new Error(`the canary wrote ${title} and read ${JSON.stringify(read.body)}`);
    const { revision } = written.body as { revision: number };
    const change = await this.#client.next('change', (frame) => frame.revision >= revision, from);
    const seen = change.changes.find((one) => one.revision === revision)?.value as { title?: string } | undefined;
    if (seen?.title !== title) throw new Error(`the canary wrote ${title} and saw ${JSON.stringify(change)}`);
    this.slowest = Math.max(this.slowest, performance.now() - started);
    this.rounds += 1;
  }
}
