import type { Caller } from '../domain/command.ts';
import type { Sight } from '../domain/visibility.ts';

/** How a subscriber is connected. Only a `websocket` can be heard; a `poll` is there for one answer. */
export type Transport = 'websocket' | 'sse' | 'poll';

/** What a subscriber was let in by, where that comes to an end. */
export interface Pass {
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  holds(at: number): boolean;
}

/** Who a subscriber is, as far as is known now. */
export interface Standing {
  readonly caller: Caller;
  readonly sight: Sight;
  readonly grant?: Pass;
}

/** What decides who subscribers are; there is one for all of them. */
export interface Gate {
  /** Who it is by what the catalog says now; `undefined` when it may not watch any more. */
  look(standing: Standing): Standing | undefined;
  /** Who the bearer of a token is. A text says why it is not taken, without a full stop. Never rejects. */
  admit(token: string): Promise<Standing | string>;
}

/** Who is at the other end, as it was when the connection was made. Every watcher holds one, so it is small. */
export interface Peer {
  readonly transport: Transport;
  readonly remoteAddress: string;
  /** Of the request that the connection began with. */
  readonly requestId?: string;
  readonly standing: Standing;
  readonly gate: Gate;
  readonly userAgent?: string;
  /** The number of the push protocol that was agreed on; without it, the newest. */
  readonly protocol?: number;
}
