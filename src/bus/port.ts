import type { Entry } from '../domain/item.ts';
import type { TracedRevision } from '../domain/trace.ts';

/** Of one announcement; what more are traced are not told of. */
export const MAX_TRACES = 8;

/** News of a commit: revisions `from`..`to` exist. The entries ride along when they are small. A hint, never the truth (PUSH11). */
export interface Announcement {
  readonly epoch: string;
  readonly from: number;
  readonly to: number;
  readonly entries?: readonly Entry[];
  /** Of its revisions those that are traced, `MAX_TRACES` at most. */
  readonly trace?: readonly TracedRevision[];
}

export interface BusListener {
  onAnnouncement(announcement: Announcement): void;
  /** Announcements may have been missed (a reconnect). */
  onGap(): void;
  /** A message could not be read, as of another version; `onGap` follows. */
  onUnreadable?(): void;
}

/** Carries announcements between nodes. It may lose, repeat and reorder them; it never delivers a node's own. */
export interface Bus {
  /** Whether other nodes hear of commits through it now, as far as is known. A bus within one process is always here. */
  readonly state: 'here' | 'away';
  publish(announcement: Announcement): void;
  subscribe(listener: BusListener): void;
  close(): Promise<void>;
}
