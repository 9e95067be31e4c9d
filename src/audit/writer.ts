import type { Logger } from 'pino';
import type { AuditEntry, AuditTrail } from '../domain/audit.ts';
import { StoreUnavailable, type Store } from '../store/port.ts';
import { Throttle, type ThrottleLimits } from './throttle.ts';

export interface AuditWriterDeps {
  readonly store: Pick<Store, 'appendAudit'>;
  readonly limits: ThrottleLimits & {
    /** Entries that may wait for the store. */
    readonly maxWaiting: number;
  };
  readonly metrics: { written(entry: AuditEntry): void; dropped(count: number): void };
  readonly log: Pick<Logger, 'error' | 'info'>;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
}

/** The size of one statement. */
const MAX_BATCH = 500;
/** What a client can make longer than this is cut. */
const MAX_TEXT = 300;

/**
 * Writes what no commit tells of: refusals, logins, operations. Whoever tells it something never waits and never hears of
 * a failure. While the store is away entries wait, up to a bound; those beyond it are counted, and the log says so once.
 */
export class AuditWriter implements AuditTrail {
  readonly #deps: AuditWriterDeps;
  readonly #throttle: Throttle;
  #waiting: AuditEntry[] = [];
  #isAway = false;
  #isLosing = false;

  constructor(deps: AuditWriterDeps) {
    this.#deps = deps;
    this.#throttle = new Throttle(deps.limits);
  }

  note(told: Omit<AuditEntry, 'at'>): void {
    const entry: AuditEntry = { ...clipped(told), at: this.#deps.clock() };
    if (isBounded(entry) && !this.#throttle.takes(entry, this.#deps.now())) return;
    this.#add([entry]);
  }

  /** Writes what waits; while the store is away it still waits after this. Never two at once. */
  async flush(): Promise<void> {
    this.#add(this.#throttle.summaries(this.#deps.now()));
    while (this.#waiting.length > 0) {
      if (!(await this.#write(this.#waiting.splice(0, MAX_BATCH)))) return;
    }
    if (this.#isAway || this.#isLosing) this.#deps.log.info('audit entries are written again');
    this.#isAway = false;
    this.#isLosing = false;
  }

  /** Writes everything there is to say. What cannot be written now is lost, and counted. */
  async close(): Promise<void> {
    this.#add(this.#throttle.summaries(this.#deps.now(), { all: true }));
    await this.flush();
    this.#lose(this.#waiting.splice(0).length);
  }

  #add(entries: readonly AuditEntry[]): void {
    const room = Math.max(0, this.#deps.limits.maxWaiting - this.#waiting.length);
    for (const entry of entries.slice(0, room)) this.#waiting.push(entry);
    if (entries.length > room) this.#lose(entries.length - room);
  }

  /** Whether the batch is done with. */
  async #write(batch: AuditEntry[]): Promise<boolean> {
    const { store, metrics, log } = this.#deps;
    try {
      await store.appendAudit(batch);
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) {
        this.#lose(batch.length, error);
        return true;
      }
      // Told twice, where nobody knows whether it was written, is better than not told.
      this.#waiting = [...batch, ...this.#waiting];
      if (!this.#isAway) log.error({ err: error }, 'audit entries wait: the database is away');
      this.#isAway = true;
      return false;
    }
    for (const entry of batch) metrics.written(entry);
    return true;
  }

  #lose(count: number, error?: unknown): void {
    if (count === 0) return;
    this.#deps.metrics.dropped(count);
    if (this.#isLosing) return;
    this.#isLosing = true;
    const why = error === undefined ? { waiting: this.#waiting.length } : { err: error };
    this.#deps.log.error(why, 'audit entries are lost; signalbox_audit_dropped_total says how many');
  }
}

/** What anybody can cause as often as they like. Logins and operations that succeed are all told. */
const isBounded = ({ category, result }: AuditEntry): boolean =>
  category === 'refusal' || (category === 'login' && result !== 'ok');

function clipped<T extends object>(entry: T): T {
  return Object.fromEntries(
    Object.entries(entry).map(([field, value]: [string, unknown]) => [
      field,
      typeof value === 'string' && value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value,
    ]),
  ) as T;
}
