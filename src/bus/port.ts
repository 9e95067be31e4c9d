import type { Entry } from '../domain/item.ts';

/** News of a commit: revisions `from`..`to` exist. The entries ride along when they are small. A hint, never the truth (PUSH11). */
export interface Announcement {
  readonly epoch: string;
  readonly from: number;
  readonly to: number;
  readonly entries?: readonly Entry[];
}

/** Carries announcements between nodes. It may lose, repeat and reorder them; it never delivers a node's own. */
export interface Bus {
  /** Whether other nodes hear of commits through it now, as far as is known. A bus within one process is always here. */
  readonly state: 'here' | 'away';
  publish(announcement: Announcement): void;
  /** `onGap` is called when announcements may have been missed (a reconnect). */
  subscribe(listener: { onAnnouncement(a: Announcement): void; onGap(): void }): void;
  close(): Promise<void>;
}
