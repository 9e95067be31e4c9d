import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

type Env = Readonly<Record<string, string>>;

/** A process of the demo. */
export interface Running {
  readonly name: string;
  readonly pid: number;
  /** Undefined while it runs; null where a signal ended it. */
  readonly code: number | null | undefined;
  readonly exited: Promise<void>;
  /** The last lines that it wrote, for when something is wrong. */
  readonly output: () => string;
  kill(signal: NodeJS.Signals): void;
}

const OUTPUT = 4000;

/** All that was started; nothing of it outlives this process, however that ends. */
export class Processes {
  /** Removed at the end. */
  readonly directory = mkdtempSync(join(tmpdir(), 'signalbox-demo-'));
  readonly #onStart: (name: string, pid: number) => void;
  readonly #onMessage: (message: unknown) => void;
  readonly #running = new Set<Running>();
  readonly #watchdog: ChildProcess;
  readonly #watchdogGone: Promise<void>;
  #closed = false;

  constructor(onStart: (name: string, pid: number) => void, onMessage: (message: unknown) => void) {
    this.#onStart = onStart;
    this.#onMessage = onMessage;
    const program = join(import.meta.dirname, 'watchdog.mjs');
    this.#watchdog = spawn(process.execPath, [program], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    this.#watchdogGone = new Promise((resolve) => this.#watchdog.once('exit', () => resolve()));
    this.#watchdog.stdin?.write(`dir ${this.directory}\n`);
  }

  /** A program of Node tells its calls over a channel of its own. */
  node(name: string, args: readonly string[], env: Env): Running {
    return this.#start(name, process.execPath, args, env, true);
  }

  program(name: string, program: string, args: readonly string[], env: Env): Running {
    return this.#start(name, program, args, env, false);
  }

  /** Ends all of them, and removes their data. */
  async end(): Promise<void> {
    this.#closed = true;
    const running = [...this.#running];
    for (const one of running) one.kill('SIGKILL');
    await Promise.all(running.map(({ exited }) => exited));
    this.#watchdog.stdin?.end();
    await this.#watchdogGone;
  }

  #start(name: string, program: string, args: readonly string[], env: Env, tells: boolean): Running {
    if (this.#closed) throw new Error('the demo ends');
    // Ctrl-C goes to a whole group of processes; these are ended one by one.
    const child = spawn(program, args, {
      env: { ...cleanEnv(), ...env },
      detached: true,
      stdio: tells ? ['ignore', 'pipe', 'pipe', 'ipc'] : ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const keep = (text: Buffer): void => void (output = (output + text.toString()).slice(-OUTPUT));
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    child.on('message', this.#onMessage);
    let code: number | null | undefined;
    const exited = new Promise<void>((resolve) => {
      const end = (exitCode: number | null): void => {
        if (code !== undefined) return;
        code = exitCode;
        this.#running.delete(running);
        this.#watchdog.stdin?.write(`-${child.pid}\n`);
        resolve();
      };
      child.once('exit', end).once('error', (error) => {
        output += error.message;
        end(null);
      });
    });
    const running: Running = {
      name,
      pid: child.pid ?? 0,
      get code() {
        return code;
      },
      exited,
      output: () => output,
      kill: (signal) => void child.kill(signal),
    };
    this.#running.add(running);
    this.#watchdog.stdin?.write(`+${child.pid}\n`);
    if (child.pid !== undefined) this.#onStart(name, child.pid);
    return running;
  }
}

/** The demo is the same whatever the shell has set for a Signalbox of its own. */
function cleanEnv(): NodeJS.ProcessEnv {
  const own =
    /^(DATABASE_URL|REDIS_URL|HOST|PORT|NODE_OPTIONS|OIDC_.*|OTEL_.*|SIGNALBOX_.*|SIDECAR_.*|.*_DEMO_EXAMPLE_URL)$/;
  const overrides = /^(ORDERS|PRICES|STOCK)_URL$/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.test(name) && !overrides.test(name)));
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
