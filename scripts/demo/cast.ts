import { join } from 'node:path';
import type { ServiceName } from './figures.ts';
import { freePort, type Processes, type Running } from './processes.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const CLI = join(ROOT, 'dist', 'cli', 'main.js');
const DEMO = join(ROOT, 'examples', 'demo');

/** An instance of a service: a process, or one of Python with a sidecar in front. */
export interface Unit {
  readonly service: ServiceName;
  /** Where others call it. */
  readonly port: number;
  /** In the order in which they are ended. */
  readonly processes: readonly Running[];
  /** Of its sidecar, where it has one. */
  readonly metricsPort?: number;
}

/** Starts what takes part. */
export class Cast {
  readonly units = new Set<Unit>();
  readonly url: string;
  /** Whether the service in plain Python is in Python. */
  readonly python: boolean;
  readonly #processes: Processes;
  readonly #port: number;
  #signalbox: Running | undefined;

  constructor(processes: Processes, port: number, python: boolean) {
    this.python = python;
    this.#processes = processes;
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  get signalbox(): Running | undefined {
    return this.#signalbox;
  }

  /** On the same port and data as before. It is not ready yet. */
  startSignalbox(): void {
    const env = {
      PORT: String(this.#port),
      DATA_DIR: join(this.#processes.directory, 'data'),
      LOG_FORMAT: 'json',
      LOG_LEVEL: 'warn',
    };
    this.#signalbox = this.#processes.node('signalbox', [join(ROOT, 'dist', 'main.js')], env);
  }

  startLoad(rate: number): Running {
    return this.#processes.node('load', [join(DEMO, 'load.mjs')], { SIGNALBOX_URL: this.url, RATE: String(rate) });
  }

  /** `signalbox drain …`, as an operator types it. */
  cli(...args: readonly string[]): Running {
    return this.#processes.node(`signalbox ${args[0]}`, [CLI, ...args], { SIGNALBOX_URL: this.url });
  }

  of(service: ServiceName): Unit[] {
    return [...this.units].filter((unit) => unit.service === service);
  }

  async start(service: ServiceName, port?: number): Promise<Unit> {
    const at = port ?? (await freePort());
    const unit = service === 'stock' ? await this.#stock(at) : this.#kit(service, at);
    this.units.add(unit);
    return unit;
  }

  /** As an orchestrator does it: a signal, and time. The sidecar leaves before its backend. */
  async stop(unit: Unit): Promise<void> {
    for (const process of unit.processes) {
      process.kill('SIGTERM');
      await process.exited;
    }
    this.units.delete(unit);
  }

  /** Without a word, all of it or what is behind the sidecar alone. */
  async kill(unit: Unit, what: 'all' | 'backend' = 'all'): Promise<void> {
    const killed = what === 'all' ? unit.processes : unit.processes.slice(-1);
    for (const process of killed) process.kill('SIGKILL');
    await Promise.all(killed.map(({ exited }) => exited));
    if (what === 'all') this.units.delete(unit);
  }

  #kit(service: ServiceName, port: number): Unit {
    const env = { SIGNALBOX_URL: this.url, PORT: String(port) };
    return { service, port, processes: [this.#processes.node(service, [join(DEMO, `${service}.mjs`)], env)] };
  }

  async #stock(port: number): Promise<Unit> {
    const [backend, egress, metricsPort] = [await freePort(), await freePort(), await freePort()];
    const ports = { EGRESS_PORT: String(egress), INGRESS_PORT: String(port), METRICS_PORT: String(metricsPort) };
    const sidecar = this.#processes.node('sidecar', [CLI, 'sidecar', '--config', join(DEMO, 'stock.yaml')], {
      ...ports,
      SIGNALBOX_URL: this.url,
      BACKEND: `http://127.0.0.1:${backend}`,
    });
    const python = this.#processes.program('stock', ...this.#stockProgram(), {
      ...ports,
      PORT: String(backend),
    });
    return { service: 'stock', port, processes: [sidecar, python], metricsPort };
  }

  #stockProgram(): readonly [string, readonly string[]] {
    return this.python ? ['python3', [join(DEMO, 'stock.py')]] : [process.execPath, [join(DEMO, 'stock.mjs')]];
  }
}
