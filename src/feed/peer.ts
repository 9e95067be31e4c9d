import type { Caller } from '../domain/command.ts';

/** How a subscriber is connected. Only a `websocket` can be heard; a `poll` is there for one answer. */
export type Transport = 'websocket' | 'sse' | 'poll';

/** Who is at the other end, as it was when the connection was made. Every watcher holds one, so it is small. */
export interface Peer {
  readonly transport: Transport;
  readonly remoteAddress: string;
  /** Of the request that the connection began with. */
  readonly requestId?: string;
  readonly caller: Caller;
  /** What it was let in by, where that comes to an end. */
  readonly grant?: { holds(at: number): boolean };
  readonly userAgent?: string;
}
