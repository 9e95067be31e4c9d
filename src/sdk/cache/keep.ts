import type { Position } from '../../domain/position.ts';
import type { Caller } from '../caller.ts';
import type { Resource } from '../watch/watch.ts';

/** A copy of one topic at one position: what a client that starts without Signalbox begins with. */
export interface Kept {
  /**
   * Whose copy it is: the address that the client was told, or all of them, sorted, between spaces. A copy of another server
   * is no copy.
   */
  readonly server: string;
  /** Who got it. A copy of another caller is no copy either: it may hold what this one may not see (SEC3). */
  readonly caller: Caller;
  /** What to resume from: all of the items are as of it. */
  readonly position: Position;
  /** Of `items` (PUSH8), so that what was damaged is found before it is believed. */
  readonly digest: string;
  readonly items: readonly Resource[];
  /** When it was last known to be current, in milliseconds since 1970. Left out where that is not known. */
  readonly currentAt?: number;
}

/** Where copies outlive the process. What goes wrong with it is its own to log: a client without copies works. */
export interface Keep {
  /** Undefined where there is none, or none that is whole. Never rejects. */
  load(topic: string, caller: Caller): Promise<Kept | undefined>;
  /** Takes it over and returns; of several that wait for the same topic only the newest has to be written. */
  save(topic: string, kept: Kept): void;
  /** Resolves once everything that was handed over is written, or has failed. Never rejects. */
  close(): Promise<void>;
}
