import type { Frame } from './frame.ts';

/** What the feed needs of a connection; it knows no socket library. */
export interface WatchSocket {
  /** Bytes that were handed over and not yet taken by the operating system. */
  readonly queued: number;
  /** Bytes that the operating system has taken. */
  readonly bytesSent: number;
  send(frame: Frame): void;
  /** Asks the peer's library for a sign of life, and sees to it that `Connection.drained` is called when the queue is empty. */
  ping(): void;
  close(code: number, reason: string): void;
}
