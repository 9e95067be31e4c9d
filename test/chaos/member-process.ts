import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { until } from '../acceptance/until.ts';
import type { MemberFigures, MemberSpec, Said } from './figures.ts';

const START_MS = 60_000;

/** A member's process, as the run sees it. */
export class MemberProcess {
  readonly spec: MemberSpec;
  /** When it was started, milliseconds since 1970. */
  readonly startedAt = Date.now();
  readonly #child: ChildProcess;
  readonly #figures: MemberFigures[] = [];
  #port: number | undefined;
  #error: string | undefined;
  #isAlive = true;

  constructor(spec: MemberSpec) {
    this.spec = spec;
    const program = ['--import', 'tsx', 'test/chaos/member.ts', JSON.stringify(spec)];
    this.#child = spawn(process.execPath, program, {
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let errors = '';
    this.#child.stderr?.on('data', (data: Buffer) => (errors += data.toString()));
    this.#child.on('message', (said: Said) => {
      if ('up' in said) this.#port = said.up;
      else if ('figures' in said) this.#figures.push(said.figures);
      else this.#error = said.error;
    });
    this.#child.on('exit', (code, signal) => {
      this.#isAlive = false;
      this.#error ??= `a member has ended: ${code ?? signal} ${errors}`;
    });
  }

  /** Once it is up. */
  get port(): number {
    return this.#port ?? 0;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  async up(): Promise<this> {
    await until('a member is up', () => this.#heard(() => this.#port), START_MS);
    return this;
  }

  go(): void {
    this.#child.send('go');
  }

  async figures(): Promise<MemberFigures> {
    const from = this.#figures.length;
    this.#child.send('figures');
    return until('a member tells its figures', () => this.#heard(() => this.#figures[from]));
  }

  /** Dies without a word. */
  async kill(): Promise<void> {
    await this.#end(() => this.#child.kill('SIGKILL'));
  }

  /** Deregisters first. */
  async leave(): Promise<void> {
    await this.#end(() => this.#child.send('end'));
  }

  async #end(how: () => unknown): Promise<void> {
    if (!this.#isAlive) return;
    const ended = once(this.#child, 'exit');
    how();
    await ended;
  }

  #heard<T>(what: () => T): T {
    if (this.#error !== undefined) throw new Error(this.#error);
    return what();
  }
}
