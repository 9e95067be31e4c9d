/** How long to pause between two calls of `Monitor.tick`; after a longer gap, by the next, this process was itself away (INS3). */
export const TICK_MS = 100;

/** When something is decided. All are monotonic milliseconds. */
export interface Moment {
  readonly now: number;
  /**
   * Whatever came in up to then has been read: the tick before this one. Leases are judged as of then, since a process that
   * was held up comes to its timers before it reads the renewals that came meanwhile.
   */
  readonly readUntil: number;
  /** When Signalbox, having been away, last extended all leases by their full length (INS3). */
  readonly grantedAt: number;
  /**
   * `own`: nobody but this node keeps leases. `shared`: others may have heard what it has not, so they are asked before one runs
   * out. `stopped`: nobody can be asked, or not everybody can tell; none runs out.
   */
  readonly leases: 'own' | 'shared' | 'stopped';
}
