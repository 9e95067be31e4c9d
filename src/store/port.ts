import type { AnyItem, Entry } from '../domain/item.ts';
import type { Head } from '../domain/position.ts';

/** Entries to commit: `entries[i].revision` is `base + 1 + i`. */
export interface Batch {
  readonly epoch: string;
  /** The revision that the entries were decided on. */
  readonly base: number;
  readonly entries: readonly Entry[];
}

export interface TrimPolicy {
  /** Entries written before this time (milliseconds since 1970) go. */
  readonly before: number;
  /** The newest entries that together hold at most so many bytes stay. */
  readonly maxBytes: number;
}

/** A session of a browser, a sign-in that is under way, or the renewal of a session's token by one of the nodes. */
export interface SessionRow {
  /** Of a session or sign-in: the SHA-256 of what the cookie says, in hex. */
  readonly id: string;
  readonly kind: 'session' | 'sign-in' | 'renewal';
  /** JSON. */
  readonly data: unknown;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** Expired rows are there until somebody removes them. */
export interface SessionRows {
  /** `false` where a row with this id is there that has not expired when this one begins; nothing was written. */
  insert(row: SessionRow): Promise<boolean>;
  read(ids: readonly string[]): Promise<SessionRow[]>;
  /** `false` where there is no such row. */
  update(id: string, change: { readonly data?: unknown; readonly expiresAt?: number }): Promise<boolean>;
  /** Deletes a row; of several who ask, one gets it. */
  take(id: string): Promise<SessionRow | undefined>;
  /** Deletes what has expired by then; answers how many. */
  removeExpired(before: number): Promise<number>;
}

/**
 * The truth. Every adapter passes `test/store/contract.ts`.
 * Each method rejects with `StoreUnavailable` when the database cannot be reached or does not answer in time.
 */
export interface Store {
  head(): Promise<Head>;
  /** The whole state and the head it stands at, from one consistent snapshot. */
  load(): Promise<{ head: Head; items: AnyItem[] }>;
  /** Entries above `revision` in order, whole: at least one if there is one, then up to about `maxBytes`. */
  changesSince(revision: number, limit: { entries: number; bytes: number }): Promise<Entry[]>;
  /**
   * Rows, log entries and the counter in one transaction, if and only if the counter stands at `base` in this epoch
   * (REV1, REV2). `false`: it does not, nothing was written, read the log and decide again.
   * After a rejection the outcome is unknown: read the head before the next commit.
   */
  commit(batch: Batch): Promise<boolean>;
  /** Drops the oldest log entries by policy, never the newest one; answers the new head. */
  trim(policy: TrimPolicy): Promise<Head>;
  /** Starts a new history at the same revision (REV4). */
  newEpoch(): Promise<Head>;
  readonly sessions: SessionRows;
  close(): Promise<void>;
}

/** The database is away. `outcomeUnknown` when a commit may or may not have happened. */
export class StoreUnavailable extends Error {
  readonly outcomeUnknown: boolean;

  constructor(message: string, options: { cause?: unknown; outcomeUnknown?: boolean } = {}) {
    super(message, { cause: options.cause });
    this.name = 'StoreUnavailable';
    this.outcomeUnknown = options.outcomeUnknown ?? false;
  }
}
