import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDatabase, startPostgres } from '../../test/support/postgres.ts';
import { Child } from './child.ts';
import type { Cores } from './cores.ts';
import { CpuMeter, othersLoad, type CpuShares } from './cpu.ts';
import { percent } from './format.ts';
import { Inspector, type CpuProfile } from './inspector.ts';
import { freePort, untilReady } from './ready.ts';
import { startRedisOn, type BenchRedis } from './redis.ts';

const root = join(import.meta.dirname, '../..');
/** A share of a core that others may take of the two. */
const QUIET = 0.06;
const TRIES = 6;
/** Of a round that takes a quarter of a minute or more. */
export const TRIES_OF_LONG = 3;

export interface BenchOptions {
  readonly cores: Cores;
  readonly quick: boolean;
  /** Take CPU profiles of Signalbox while it is measured. */
  readonly profile: boolean;
  /** How long to wait before each round for the cores to be free. */
  readonly patienceMs: number;
  /** Leave Signalbox out: only the floors. */
  readonly floorsOnly: boolean;
}

/** A server that is measured, Signalbox or a floor. */
export interface Server {
  readonly port: number;
  readonly child: Child;
  readonly inspector: Inspector | undefined;
  stop(): Promise<void>;
}

/** Where Signalbox keeps its data. */
export type Database = { readonly url: string } | { readonly dir: string };

/** Starts what a figure needs, on the right core, and ends it with the figure. */
export class Bench {
  readonly options: BenchOptions;
  readonly profiles: CpuProfile[] = [];
  readonly #ofFigure: (() => Promise<void>)[] = [];
  readonly #ofRun: (() => Promise<void>)[] = [];
  #postgres: Promise<string> | undefined;

  constructor(options: BenchOptions) {
    this.options = options;
  }

  get quick(): boolean {
    return this.options.quick;
  }

  get rounds(): number {
    return this.options.quick ? 1 : 3;
  }

  /** A new, empty database on a server that syncs every commit to the disk. */
  async database(): Promise<{ url: string }> {
    this.#postgres ??= this.#startPostgres();
    const database = await createDatabase(await this.#postgres);
    this.#ofFigure.push(() => database.drop());
    return { url: database.url };
  }

  /** A new Redis on the core of the server, which keeps nothing on the disk. */
  async redis(): Promise<BenchRedis> {
    const redis = await startRedisOn(this.options.cores);
    this.#ofFigure.push(() => redis.destroy());
    return redis;
  }

  directory(): { dir: string } {
    const dir = mkdtempSync(join(tmpdir(), 'signalbox-bench-'));
    this.#ofFigure.push(() => {
      rmSync(dir, { recursive: true, force: true });
      return Promise.resolve();
    });
    return { dir };
  }

  /** Signalbox, ready, with the milliseconds from its start to the first good answer of /readyz. */
  async signalbox(
    database: Database,
    inspect = this.options.profile,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<Server & { readyMs: number }> {
    const main = join(root, 'dist', 'main.js');
    if (!existsSync(main)) throw new Error('dist/main.js is missing: npm run build');
    const port = await freePort();
    const env = {
      PATH: process.env['PATH'],
      NODE_ENV: 'production',
      HOST: '127.0.0.1',
      PORT: String(port),
      LOG_LEVEL: 'warn',
      ...('url' in database ? { DATABASE_URL: database.url } : { DATA_DIR: join(database.dir, 'data') }),
      ...settings,
    };
    const started = performance.now();
    const command = [...this.options.cores.prefix, process.execPath, ...inspectFlags(inspect), main];
    const server = await this.#start(command, { env, cwd: root }, inspect);
    await untilReady(server.child, port);
    const readyMs = performance.now() - started;
    return { ...server, port, readyMs };
  }

  /** `signalbox sidecar` with these variables, once its egress listens. Signalbox is not there. */
  async sidecar(settings: Readonly<Record<string, string>>): Promise<Server> {
    const main = join(root, 'dist', 'cli', 'main.js');
    if (!existsSync(main)) throw new Error('dist/cli/main.js is missing: npm run build');
    const env = {
      PATH: process.env['PATH'],
      NODE_ENV: 'production',
      SIDECAR_EGRESS_PORT: '0',
      SIDECAR_METRICS_PORT: '0',
      ...settings,
    };
    const { prefix } = this.options.cores;
    const command = [...prefix, process.execPath, ...inspectFlags(this.options.profile), main, 'sidecar'];
    const server = await this.#start(command, { env, cwd: root }, this.options.profile);
    return { ...server, port: Number(await server.child.printed(/"port":(\d+),"msg":"egress listens"/)) };
  }

  /** One of the programs in `bench/floors`. */
  async floor(file: string, args: readonly string[] = [], inspect = false): Promise<Server> {
    return this.#program(join('floors', file), args, inspect, this.options.cores.prefix);
  }

  /** One of the programs in `bench/targets`, which Signalbox calls: it runs on the core of the load, as this process does. */
  async target(file: string, args: readonly string[] = []): Promise<Server> {
    return this.#program(join('targets', file), args, false, []);
  }

  /** Runs the measured part: CPU shares always, and a profile of the server when profiles are wanted. */
  async measure<T>(server: Server, run: () => Promise<T>): Promise<{ result: T; cpu: CpuShares }> {
    await server.inspector?.startProfile();
    const meter = new CpuMeter(this.options.cores, server.child.pid);
    const result = await run();
    const cpu = meter.stop();
    if (server.inspector !== undefined && this.options.profile) {
      this.profiles.push(await server.inspector.stopProfile());
    }
    return { result, cpu };
  }

  /**
   * Runs a round, and again when processes that are none of ours took part of the two cores meanwhile; after some tries
   * takes the one that was disturbed least, and says so in the notes.
   */
  async undisturbed<T>(notes: string[], run: () => Promise<T>, tries = TRIES): Promise<T> {
    let best: { result: T; others: number } | undefined;
    for (let left = tries; left > 0; left--) {
      await this.untilQuiet();
      const meter = new CpuMeter(this.options.cores);
      const result = await run();
      const { others, seconds } = meter.stop();
      // Ticks are coarse: a short round needs some room.
      if (Number.isNaN(others) || others <= QUIET + 0.03 / seconds) return result;
      if (best === undefined || others < best.others) best = { result, others };
    }
    if (best === undefined) throw new Error('no round was run');
    notes.push(`Not a clean round: other processes took ${percent(best.others)} of a core meanwhile.`);
    return best.result;
  }

  /** Waits, but not for long, until nobody else uses the cores. */
  async untilQuiet(): Promise<void> {
    const deadline = performance.now() + this.options.patienceMs;
    while (performance.now() < deadline && (await othersLoad(this.options.cores, 300)) > QUIET) await sleep(1000);
  }

  /** Ends everything that was started for a figure. */
  async endFigure(): Promise<void> {
    await endAll(this.#ofFigure);
  }

  async end(): Promise<void> {
    await this.endFigure();
    await endAll(this.#ofRun);
  }

  async #startPostgres(): Promise<string> {
    const postgres = await startPostgres({ prefix: [...this.options.cores.prefix] });
    this.#ofRun.push(() => postgres.destroy());
    return postgres.url;
  }

  async #program(file: string, args: readonly string[], inspect: boolean, prefix: readonly string[]): Promise<Server> {
    const path = join(import.meta.dirname, '..', file);
    const command = [...prefix, process.execPath, ...inspectFlags(inspect), '--import', 'tsx', path, ...args];
    const server = await this.#start(command, { cwd: root }, inspect);
    return { ...server, port: Number(await server.child.printed(/listening (\d+)/)) };
  }

  async #start(command: readonly string[], options: { env?: NodeJS.ProcessEnv; cwd: string }, inspect: boolean) {
    const child = new Child(command, options);
    let inspector: Inspector | undefined;
    const stop = async (): Promise<void> => {
      inspector?.close();
      await child.stop();
    };
    this.#ofFigure.push(stop);
    if (inspect) inspector = await Inspector.attach(await child.printed(/Debugger listening on (ws:\S+)/));
    return { child, inspector, stop };
  }
}

const inspectFlags = (inspect: boolean): string[] => (inspect ? ['--inspect=127.0.0.1:0'] : []);

/** The last started first. */
async function endAll(ends: (() => Promise<void>)[]): Promise<void> {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
}
