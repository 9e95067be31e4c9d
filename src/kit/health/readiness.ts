/** Something that has to hold for calls to be served: it fails by throwing, or by answering false. */
export type ReadinessCheck = (signal: AbortSignal) => unknown;

/** How it is found out whether a service can serve calls. */
export interface ReadinessOptions {
  /** Each by its name, which everybody may see. Default: none. */
  readonly checks?: Readonly<Record<string, ReadinessCheck>>;
  /** Milliseconds that each check may take; then it has failed, and its signal is aborted. Default: 2000. */
  readonly timeoutMs?: number;
  /** Milliseconds for which a result is good, so that who asks often does no harm. Default: 1000. */
  readonly cacheMs?: number;
}

/** `timeout`: no answer in time. Why a check failed is in the log alone. */
export type CheckState = 'ok' | 'failed' | 'timeout';

/** Whether a service can serve calls, and which of its checks say so. */
export interface ReadinessReport {
  readonly ready: boolean;
  /** `closing`: it takes no new work any more, whatever its checks say. */
  readonly state: 'ready' | 'not-ready' | 'closing';
  readonly checks: Readonly<Record<string, CheckState>>;
}

interface Deps {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly log: { warn(about: object, message: string): void };
}

/** Whether the service can serve calls now. */
export class Readiness {
  readonly #options: Required<ReadinessOptions>;
  readonly #deps: Deps;
  /** Checks that did not answer in time and still run: they are not started again beside that. */
  readonly #hanging = new Set<string>();
  #running: Promise<ReadinessReport> | undefined;
  #last: { readonly report: ReadinessReport; readonly at: number } | undefined;
  #closing = false;

  constructor({ checks = {}, timeoutMs = 2000, cacheMs = 1000 }: ReadinessOptions, deps: Deps) {
    this.#options = { checks, timeoutMs, cacheMs };
    this.#deps = deps;
  }

  /** From now on it is not ready. */
  close(): void {
    this.#closing = true;
  }

  /** Who asks while the checks run waits for the same ones. Never rejects. */
  async report(): Promise<ReadinessReport> {
    const last = this.#last;
    const fresh = last !== undefined && this.#deps.now() - last.at < this.#options.cacheMs;
    const report = fresh ? last.report : await (this.#running ??= this.#run());
    return this.#closing ? { ...report, ready: false, state: 'closing' } : report;
  }

  async #run(): Promise<ReadinessReport> {
    const names = Object.keys(this.#options.checks);
    const states = await Promise.all(names.map(async (name) => [name, await this.#check(name)] as const));
    const ready = states.every(([, state]) => state === 'ok');
    const report: ReadinessReport = { ready, state: ready ? 'ready' : 'not-ready', checks: Object.fromEntries(states) };
    this.#last = { report, at: this.#deps.now() };
    this.#running = undefined;
    return report;
  }

  async #check(name: string): Promise<CheckState> {
    if (this.#hanging.has(name)) return 'timeout';
    const { checks, timeoutMs } = this.#options;
    const stop = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'timeout'>((resolve) => {
      timer = setTimeout(() => resolve('timeout'), timeoutMs);
    });
    this.#hanging.add(name);
    const checked = this.#outcome(name, checks[name], stop.signal).finally(() => this.#hanging.delete(name));
    const state = await Promise.race([checked, late]);
    clearTimeout(timer);
    if (state === 'timeout') {
      this.#deps.log.warn({ check: name }, `not ready: ${name} did not answer within ${timeoutMs} ms`);
      stop.abort();
    }
    return state;
  }

  async #outcome(name: string, check: ReadinessCheck | undefined, signal: AbortSignal): Promise<'ok' | 'failed'> {
    try {
      if ((await check?.(signal)) !== false) return 'ok';
      this.#deps.log.warn({ check: name }, `not ready: ${name} answered false`);
    } catch (error) {
      if (!signal.aborted) this.#deps.log.warn({ check: name, err: error }, `not ready: ${name} failed`);
    }
    return 'failed';
  }
}
