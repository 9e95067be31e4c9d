/** What this node may decide about, by the membership that it last heard of. Without other nodes: everything, always. */
export interface Claims {
  /**
   * The term that decisions are committed under, so that nobody's hold once another owns what they are about; `undefined`
   * where there is no other node, ever.
   */
  readonly fence: number | undefined;
  /** Whether anything may be done at all: not when this node is no member, or was not heard of for too long. */
  readonly stands: boolean;
  /** Whether the group (a service in a region, as `groupKey` names it) is this node's now. */
  owns(group: string): boolean;
  /** Whether what was due at a time of the shared clock was for this node to do. The same slot is no two nodes'. */
  ownsSlot(group: string, at: number): boolean;
  /** Milliseconds of the clock that all nodes share; it agrees between nodes to some milliseconds, and is never set back. */
  readonly sharedNow: number;
  /** What was due at or after this time of the shared clock, and is this node's since then, may not have been done by who had it. */
  readonly gapFrom: number;
  /** What ran out at or after this time may have had nobody to decide about it; undefined where that is the same. */
  readonly undecidedFrom: number | undefined;
  /** Leases that ran out before this time of the shared clock had nobody to renew them with (INS3). */
  readonly awakeSince: number;
  /** Whether leases may run out: not while a member keeps in memory what it hears. */
  readonly leasesRun: boolean;
  /**
   * Leases that ran out before this time of the shared clock may have had a member that kept to itself what it heard (INS3). Undefined:
   * nobody knows, since a node of an earlier version shares the work.
   */
  readonly leasesRunSince: number | undefined;
  /** When the last heartbeat that was answered began; monotonic milliseconds. */
  readonly heardAt: number;
  /**
   * Whether another member certainly had the database all the time between the two, as it said in a heartbeat that began after it;
   * monotonic milliseconds.
   */
  wereOthersThere(from: number, until: number): boolean;
  /** How often others had taken what was this node's without a word from it, because they had not heard it for too long. */
  readonly timesLost: number;
}

export const groupKey = (service: string, region: string): string => `${service} ${region}`;

/** A node that is alone. */
export const aloneClaims = (now: () => number): Claims => ({
  fence: undefined,
  stands: true,
  owns: () => true,
  ownsSlot: () => true,
  get sharedNow() {
    return now();
  },
  gapFrom: Number.POSITIVE_INFINITY,
  undecidedFrom: undefined,
  awakeSince: Number.NEGATIVE_INFINITY,
  leasesRun: true,
  leasesRunSince: Number.NEGATIVE_INFINITY,
  get heardAt() {
    return now();
  },
  wereOthersThere: () => false,
  timesLost: 0,
});
