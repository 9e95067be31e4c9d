import { afterLook, UNKNOWN, type BackendHealth } from './health-plan.ts';

export interface BackendWatchOptions {
  /** Undefined where it is healthy, else what is wrong; never rejects. */
  readonly look: (signal: AbortSignal) => Promise<string | undefined>;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly unhealthyAfter: number;
  /** When it became healthy, or stopped being so. */
  readonly onChange: (healthy: boolean, why: string) => void;
}

/** Looks at the backend again and again. */
export class BackendWatch {
  readonly #options: BackendWatchOptions;
  #health: BackendHealth = UNKNOWN;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: BackendWatchOptions) {
    this.#options = options;
  }

  get isHealthy(): boolean {
    return this.#health.status === 'healthy';
  }

  start(): void {
    void this.#look();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    const { look, intervalMs, timeoutMs, unhealthyAfter, onChange } = this.#options;
    const began = performance.now();
    const wrong = await look(AbortSignal.timeout(timeoutMs));
    if (this.#stopped) return;
    const before = this.#health;
    this.#health = afterLook(before, wrong === undefined, unhealthyAfter);
    if (this.#health.status !== before.status) onChange(this.isHealthy, wrong ?? 'it answers');
    this.#timer = setTimeout(() => void this.#look(), Math.max(0, intervalMs - (performance.now() - began)));
  }
}
