import { expect } from '@jest/globals';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import type { Signalbox } from '../support/signalbox.ts';
import { Canary } from './canary.ts';
import { linesOf, memory, writeFat } from './hostile-clients.ts';
import { metric } from './metric.ts';
import { startNode } from './nodes.ts';
import { until } from './until.ts';

/** A server that hostile clients are let loose on, and a client that must notice nothing of them. */
export class Stage {
  readonly server: Signalbox;
  readonly canary: Canary;
  readonly #db: TestDatabase;
  /** MiB, before any of it. */
  readonly #held: number;

  private constructor(db: TestDatabase, server: Signalbox, canary: Canary, held: number) {
    this.#db = db;
    this.server = server;
    this.canary = canary;
    this.#held = held;
  }

  static async open(): Promise<Stage> {
    const db = await createDatabase();
    const server = await startNode({
      DATABASE_URL: db.url,
      // Silence for two of them ends a socket that fills slowly, on a busy machine, before it is full.
      WATCH_HEARTBEAT: '4s',
      WATCH_MAX_QUEUED_BYTES: '256KiB',
      WATCH_STALL_TIMEOUT: '2s',
      REQUEST_TIMEOUT: '2s',
      LOG_LEVEL: 'debug',
    });
    await writeFat(server.url, 1, 8, 20);
    const held = memory(server);
    return new Stage(db, server, await Canary.start(server), held);
  }

  /** After all of it the server is well, its log is short, and it ends in order. */
  async endsWell(): Promise<void> {
    const { server } = this;
    const { slowest, rounds } = await this.canary.stop();
    expect(rounds).toBeGreaterThan(50);
    expect(slowest).toBeLessThan(5000);
    expect(memory(server) - this.#held).toBeLessThan(500);
    await until('nobody is left', async () => (await metric(server.url, 'signalbox_watch_sockets')) === 0);
    const lines = linesOf(server);
    // Whatever went wrong, it was the clients' doing: nothing is an error of the server.
    expect(lines.filter(({ level }) => level >= 50)).toEqual([]);
    expect(lines.filter(({ level }) => level === 40).length).toBeLessThan(5);
    // The longest names a URL, which the bound on headers bounds.
    expect(Math.max(...lines.map((line) => JSON.stringify(line).length))).toBeLessThan(20_000);
    expect(await server.stop()).toBe(0);
  }

  async close(): Promise<void> {
    await this.server.stop('SIGKILL');
    await this.#db.drop();
  }
}
