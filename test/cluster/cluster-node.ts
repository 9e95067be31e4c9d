import { appendFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../support/free-port.ts';
import { spawnSignalbox, type Signalbox } from '../support/signalbox.ts';
import type { Random } from '../support/random.ts';
import { Link } from './link.ts';

export interface NodeLinks {
  readonly client: Link;
  readonly postgres: Link;
  readonly redis: Link;
}

export interface NodeOptions {
  readonly name: string;
  readonly postgres: string;
  readonly redis: string;
  readonly env: Readonly<Record<string, string>>;
  /** Where its clock is told how far it is off. */
  readonly skewFile: string;
  readonly random: Random;
  /** A directory for what it says, in a file for each node. */
  readonly logs?: string | undefined;
}

const PRELOADED = ['test/cluster/skewed-clock.mjs', 'test/cluster/named-checks.mjs'].flatMap((path) => [
  '--import',
  resolve(path),
]);
const READY_MS = 60_000;
const LOOK_MS = 50;
/** How soon a process that has ended by itself is started again. */
const AGAIN_MS = 300;

/** A real node with a link to everybody it talks to, and a wall clock that can be set. It keeps name, port and links over restarts. */
export class ClusterNode {
  readonly name: string;
  readonly links: NodeLinks;
  /** Where clients reach it: through its link. */
  readonly url: string;
  /** Past the link. */
  readonly direct: string;
  readonly #port: number;
  readonly #options: NodeOptions;
  #process: Signalbox | undefined;
  #paused = false;
  #output = '';
  /** What it last said, each time that it ended although nobody told it to. */
  readonly #falls: string[] = [];

  private constructor(options: NodeOptions, port: number, links: NodeLinks) {
    this.#options = options;
    this.#port = port;
    this.name = options.name;
    this.links = links;
    this.url = links.client.url;
    this.direct = `http://127.0.0.1:${port}`;
  }

  static async create(options: NodeOptions): Promise<ClusterNode> {
    const port = await freePort();
    const [client, postgres, redis] = await Promise.all([
      Link.open(`http://127.0.0.1:${port}`, options.random),
      Link.open(options.postgres, options.random),
      Link.open(options.redis, options.random),
    ]);
    writeFileSync(options.skewFile, '0');
    return new ClusterNode(options, port, { client, postgres, redis });
  }

  get isRunning(): boolean {
    return this.#process !== undefined;
  }

  get output(): string {
    return this.#output + (this.#process?.output() ?? '');
  }

  /** The times that it ended by itself after it had started; who finds no database when it starts may end. */
  get crashes(): readonly string[] {
    return this.#falls.filter((output) => !output.includes('Signalbox could not start'));
  }

  /** Starts the process, without waiting for it to be ready. One that ends by itself is started again, as it would be anywhere. */
  async spawn(): Promise<void> {
    if (this.#process !== undefined) throw new Error(`${this.name} is running`);
    await this.#spawn();
  }

  async #spawn(): Promise<void> {
    const { env, skewFile } = this.#options;
    const { postgres, redis } = this.links;
    const urls = { DATABASE_URL: postgres.url, REDIS_URL: redis.url, NODE_NAME: this.name, SKEW_FILE: skewFile };
    const started = await spawnSignalbox({
      port: this.#port,
      nodeArgs: PRELOADED,
      env: { ...env, ...urls },
    });
    this.#process = started;
    void started.exited.then(() => {
      if (this.#process !== started) return;
      this.#falls.push(started.output().slice(-3000));
      this.#keep(started.output());
      setTimeout(() => {
        if (this.#process === started) void this.#spawn();
      }, AGAIN_MS);
    });
  }

  async start(): Promise<void> {
    await this.spawn();
    await this.untilReady();
  }

  async isReady(): Promise<boolean> {
    return fetch(`${this.direct}/readyz`, { signal: AbortSignal.timeout(2000) }).then(
      (response) => response.ok,
      () => false,
    );
  }

  async untilReady(timeoutMs = READY_MS): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!(await this.isReady())) {
      if (performance.now() > deadline) throw new Error(`${this.name} is not ready:\n${this.output.slice(-3000)}`);
      await sleep(LOOK_MS);
    }
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** In order; answers the exit code. */
  stop(): Promise<number | null> {
    return this.#end('SIGTERM');
  }

  pause(): void {
    this.#paused = true;
    process.kill(this.#pid, 'SIGSTOP');
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    process.kill(this.#pid, 'SIGCONT');
  }

  /** Its wall clock is off by so much from now on; its monotonic one goes on. */
  setClock(offBy: number): void {
    writeFileSync(this.#options.skewFile, String(offBy));
  }

  heal(): void {
    for (const link of Object.values(this.links) as Link[]) link.heal();
  }

  async destroy(): Promise<void> {
    if (this.#process !== undefined) await this.kill();
    await Promise.all((Object.values(this.links) as Link[]).map((link) => link.close()));
  }

  get #pid(): number {
    if (this.#process === undefined) throw new Error(`${this.name} does not run`);
    return this.#process.pid;
  }

  #keep(output: string): void {
    const { logs, name } = this.#options;
    if (logs !== undefined) appendFileSync(join(logs, `${name}.log`), output);
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const running = this.#process;
    if (running === undefined) throw new Error(`${this.name} does not run`);
    if (signal !== 'SIGKILL') this.resume();
    this.#process = undefined;
    const code = await running.stop(signal);
    this.#paused = false;
    this.#keep(running.output());
    // Enough to see what it last said.
    this.#output = (this.#output + running.output()).slice(-20_000);
    return code;
  }
}
