import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Processes started here and not yet ended; none outlives this one. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

const STOP_MS = 20_000;
const OUTPUT_BYTES = 64 * 1024;

export interface ChildOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

export class Child {
  readonly pid: number;
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #watchers = new Set<() => void>();
  #output = '';
  #over = false;

  constructor(command: readonly string[], options: ChildOptions = {}) {
    const [program = '', ...args] = command;
    this.#process = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    this.pid = this.#process.pid ?? 0;
    running.add(this.#process);
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-OUTPUT_BYTES);
        this.#tell();
      });
    }
    this.#ended = new Promise((resolve) => {
      const end = (): void => {
        this.#over = true;
        running.delete(this.#process);
        this.#tell();
        resolve();
      };
      this.#process.once('exit', end).once('error', (error) => {
        this.#output += error.message;
        end();
      });
    });
  }

  /** Standard output and standard error, as far as they are kept. */
  get output(): string {
    return this.#output;
  }

  get over(): boolean {
    return this.#over;
  }

  /** The first group of the pattern in what the process prints. */
  async printed(pattern: RegExp, timeoutMs = 30_000): Promise<string> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const found = pattern.exec(this.#output);
      if (found) return found[1] ?? '';
      if (this.#over) throw new Error(`the process ended early:\n${this.#output}`);
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`the process did not print ${String(pattern)}:\n${this.#output}`);
      await this.#next(left);
    }
  }

  /** Bytes of memory: resident now, and the most it ever was. */
  memory(): { rss: number; peak: number } {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    const bytes = (key: string): number => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024;
    return { rss: bytes('VmRSS'), peak: bytes('VmHWM') };
  }

  async stop(): Promise<void> {
    if (this.#over) return;
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), STOP_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  /** SIGKILL. Resolves when it is over. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  #next(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#watchers.add(done);
    });
  }

  #tell(): void {
    for (const done of this.#watchers) done();
  }
}
