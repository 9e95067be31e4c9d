/**
 * What is known about instances beside the log, where every node finds it: when each was last heard, and what its checks have
 * found that is no revision (REV3). Keys are texts of at most 64 characters of `[0-9a-z:]`: an instance of one generation.
 *
 * Ages are milliseconds before the call, measured by the caller with a clock that nobody sets; what is kept is a time of the
 * server's clock. When that server is another one than before, has lost what it knew, or its clock was set, `onLost` is called
 * before the next answer: whatever is read then may be too old, and nothing may be concluded from it for a full lease (INS3).
 */
export interface Leases {
  /**
   * Resolves when every renewal is where other nodes find it. The last time that a key was heard stands, in whichever order
   * renewals come: one that was under way for long shortens no lease. Rejects with `LeasesAway`.
   */
  renew(renewals: readonly Renewal[]): Promise<void>;
  /** In the order of the keys. Rejects with `LeasesAway`. */
  read(keys: readonly string[]): Promise<readonly Known[]>;
  /** Keeps what checks found; an empty text forgets it. At most 200 characters. Rejects with `LeasesAway`. */
  note(notes: readonly Note[]): Promise<void>;
  /** Forgets all about these. Rejects with `LeasesAway`. */
  forget(keys: readonly string[]): Promise<void>;
  /** Forgets what nobody has renewed or noted for so long. Rejects with `LeasesAway`. */
  sweep(olderThanMs: number): Promise<void>;
  /** To be called before anything else. */
  listen(listener: LeasesListener): void;
  close(): Promise<void>;
}

export interface Renewal {
  readonly key: string;
  /** So long ago it was heard. */
  readonly age: number;
}

export interface Known {
  /** So long ago it was last heard, as far as anybody has said. What was said before the server's clock was set back says nothing. */
  readonly age: number | undefined;
  readonly note: string | undefined;
  /** So long ago the server began with nothing: what it was told since then is there, as far as it knows. `undefined`: it says nothing of that. */
  readonly since: number | undefined;
}

export interface Note {
  readonly key: string;
  readonly note: string;
}

export interface LeasesListener {
  /** Called once when the leases cannot be reached, with the first reason. */
  onAway(error: unknown): void;
  /** Called once when they can be reached again; `onLost` follows if what they knew cannot be relied on. */
  onBack(): void;
  /** Another server, an empty one, or another clock. */
  onLost(reason: string): void;
}

/** The leases cannot be reached, or do not answer in time; whether anything was done is not known. */
export class LeasesAway extends Error {
  override readonly name = 'LeasesAway';
}
