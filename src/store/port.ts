import type { AuditCursor, AuditEntry, AuditFilter } from '../domain/audit.ts';
import type { AnyItem, Entry } from '../domain/item.ts';
import type { Membership } from '../domain/membership.ts';
import type { Head, Position } from '../domain/position.ts';
import type { Leases } from '../leases/port.ts';
import type { RegistrationToken } from '../domain/registration-token.ts';

/** Entries to commit: `entries[i].revision` is `base + 1 + i`. */
export interface Batch {
  readonly epoch: string;
  /** The revision that the entries were decided on. */
  readonly base: number;
  readonly entries: readonly Entry[];
  /** What the audit says of them (SEC5). */
  readonly audit?: readonly AuditEntry[];
  /** The term of the membership under which they were decided: with it, nothing is written unless that term still stands. */
  readonly fence?: number;
}

/** What a node says about itself; other nodes' may have fields that this version does not know. */
export type NodeState = Readonly<Record<string, unknown>>;

export interface NodeRow {
  readonly id: string;
  readonly name: string;
  /** Of Signalbox. */
  readonly version: string;
  /** Milliseconds since 1970, by the database's clock. */
  readonly startedAt: number;
  readonly heardAt: number;
  readonly state: NodeState;
}

/** Everyone who was heard of within the last hour, as one statement sees them, the node that asks among them. */
export interface Roll {
  /** Milliseconds since 1970 by the database's clock, at some time during the call. */
  readonly clock: number;
  readonly membership: Membership;
  readonly nodes: readonly NodeRow[];
}

/** The nodes on one database, and how they share the work. Rejects with `StoreUnavailable`. */
export interface Nodes {
  /** Says that the node lives, and how it is; one round trip. */
  beat(node: Pick<NodeRow, 'id' | 'name' | 'version' | 'state'>): Promise<Roll>;
  /** `false`: the term does not stand at `next.term - 1`, nothing was written. Waits for a commit that is under way. */
  change(next: Membership): Promise<boolean>;
  /** The node goes: it is in nobody's roll from now on. */
  leave(id: string): Promise<void>;
  membership(): Promise<Membership>;
}

export interface AuditPage {
  /** The cursor that the page before has led to. */
  readonly before?: AuditCursor;
  readonly limit: number;
}

export interface TrimPolicy {
  /**
   * Entries that are older go: by the clock of the database, whichever node trims. What an entry says of its time is by the clock of
   * the node that wrote it; it goes no earlier than all before it, so one that was written ahead of time keeps those after it.
   */
  readonly maxAgeMs: number;
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
  /**
   * Entries above the position in order, whole: at least one if there is one, then up to the limit. None where another epoch than the
   * position's has begun: those would be of another history (REV4).
   */
  changesSince(position: Position, limit: { entries: number; bytes: number }): Promise<Entry[]>;
  /**
   * Rows, log entries, audit entries and the counter in one transaction, if and only if the counter stands at `base` in this epoch
   * (REV1, REV2), and the membership at the term of `fence`, where there is one. `false`: it does not, nothing was written, read
   * the log (and the membership) and decide again.
   * After a rejection the outcome is unknown: read the head before the next commit.
   */
  commit(batch: Batch): Promise<boolean>;
  /** Drops the oldest log entries by policy, never the newest one; answers the new head. */
  trim(policy: TrimPolicy): Promise<Head>;
  /** Adds to the audit what no commit tells of, in order. */
  appendAudit(entries: readonly AuditEntry[]): Promise<void>;
  /** The newest first; those of one millisecond in the order in which they were written. */
  readAudit(filter: AuditFilter, page: AuditPage): Promise<AuditEntry[]>;
  /** Drops the audit entries from before a time (milliseconds since 1970); answers how many. */
  trimAudit(before: number): Promise<number>;
  /** Starts a new history at the same revision (REV4). */
  newEpoch(): Promise<Head>;
  readonly registrationTokens: RegistrationTokens;
  readonly documents: Documents;
  readonly sessions: SessionRows;
  readonly nodes: Nodes;
  /** Leases in this database, for nodes that share no Redis; to be closed before it. `now`: monotonic milliseconds. */
  leases(now?: () => number): Leases;
  close(): Promise<void>;
}

/** Registration tokens, which are no part of the history. `since` (milliseconds since 1970): what is older is of another service of that name. */
export interface RegistrationTokens {
  /** `false`: the service has `limit` tokens from `since` on that are neither revoked nor expired; nothing was written. */
  insert(token: RegistrationToken, limit: number, since?: number): Promise<boolean>;
  /** Those of these ids that there are, in any order, revoked and expired ones too. */
  find(ids: readonly string[]): Promise<RegistrationToken[]>;
  /** Of a service from `since` on, in order of `createdAt` and then of the id, after the one that is named. */
  list(
    service: string,
    page: {
      readonly limit: number;
      readonly since?: number;
      readonly after?: Pick<RegistrationToken, 'createdAt' | 'id'>;
    },
  ): Promise<RegistrationToken[]>;
  /** Revokes a token of the service and answers it; one that is revoked stays as it was. `undefined`: there is none. */
  revoke(service: string, id: string, at: number): Promise<RegistrationToken | undefined>;
  /** Removes those that expired or were revoked before a time; answers how many. */
  deleteEnded(before: number): Promise<number>;
}

/**
 * The texts of API documents, by their SHA-256 in hex, which are no part of the history: which versions have them is in the
 * catalog.
 */
export interface Documents {
  /** Storing what is there keeps it from being removed, as if it were new. */
  put(sha256: string, body: Uint8Array): Promise<void>;
  read(sha256: string): Promise<Uint8Array | undefined>;
  /**
   * Removes what no version has and nobody has stored within the last `graceMs`, by the clock of the database; answers how many. A
   * version that is given a document while this runs keeps it, if it was stored less than that ago.
   */
  removeUnused(graceMs: number): Promise<number>;
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
