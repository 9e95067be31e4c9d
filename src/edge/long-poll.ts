import type { FastifyReply } from 'fastify';
import type { Position } from '../domain/position.ts';
import type { Selector } from '../domain/selector.ts';
import { typeOf, type Frame } from '../feed/frame.ts';
import type { Hub } from '../feed/hub.ts';
import type { Peer } from '../feed/peer.ts';
import type { WatchSocket } from '../feed/socket.ts';
import { CLOSE } from '../protocol/close-codes.ts';
import type { ResetFrame } from '../protocol/frames.ts';

export type PollHub = Pick<Hub, 'connect' | 'flush' | 'projects'>;

/** What became of waiting. */
export type Polled =
  /** The first revisions that match, up to `to`; `changes` is the member of that name, in JSON. */
  | { readonly kind: 'changes'; readonly to: number; readonly changes: string }
  /** Up to `to` there is none. */
  | { readonly kind: 'nothing'; readonly to: number }
  | { readonly kind: 'startOver'; readonly reason: ResetFrame['reason'] }
  | { readonly kind: 'full' }
  /** This node has no watchers now: it is going away, or does not trust what it has. */
  | { readonly kind: 'turnedAway' }
  /** The position is ahead of this node, and the log cannot be read. */
  | { readonly kind: 'behind' }
  /** Its token holds no longer. */
  | { readonly kind: 'tokenEnded' }
  /** Its caller may not watch any more. */
  | { readonly kind: 'accessEnded' };

export interface Poll {
  readonly select: Selector;
  readonly since: Position;
  readonly waitMs: number;
  readonly peer: Peer;
  /** Whose client may go away meanwhile. */
  readonly reply: FastifyReply;
}

/**
 * Waits for the first change after a position that matches. A poll is a watcher like any other: it is in the group of its
 * topic, so that what does not match wakes nobody, and thousands that wait for the same share its encoding (PUSH10).
 */
export async function poll(hub: PollHub, { select, since, waitMs, peer, reply }: Poll): Promise<Polled> {
  const socket = new LongPollSocket(since.revision);
  const connection = hub.connect(socket, peer);
  // What it was told until now is what somebody else sees, and there is no digest that would say so.
  if (connection !== undefined && connection.sight.id !== peer.standing.sight.id) socket.startOver('access');
  else connection?.follow(select, since);
  const timer = setTimeout(() => {
    hub.flush();
    socket.giveUp(connection?.subscriptions[0]?.sentRevision);
  }, waitMs);
  const gone = (): void => socket.giveUp();
  reply.raw.on('close', gone);
  try {
    const polled = await socket.outcome;
    return connection === undefined && polled.kind === 'nothing' ? { kind: 'turnedAway' } : polled;
  } finally {
    clearTimeout(timer);
    reply.raw.off('close', gone);
    connection?.ended();
  }
}

/** The feed's socket for one answer. */
class LongPollSocket implements WatchSocket {
  readonly queued = 0;
  readonly bytesSent = 0;
  readonly outcome: Promise<Polled>;
  readonly #since: number;
  #settle!: (polled: Polled) => void;

  constructor(since: number) {
    this.#since = since;
    this.outcome = new Promise((resolve) => (this.#settle = resolve));
  }

  send(frame: Frame): void {
    const type = typeOf(frame);
    if (type === 'change') {
      const to = frame.upTo ?? this.#since;
      this.#settle({ kind: 'changes', to, changes: changesIn(frame) });
    } else if (type === 'reset') {
      this.startOver((JSON.parse(frame.text) as ResetFrame).reason);
    }
  }

  ping(): void {
    // A poll has a time of its own, and needs no sign of life.
  }

  close(code: number): void {
    if (code === CLOSE.full) this.#settle({ kind: 'full' });
    else if (code === CLOSE.behind) this.#settle({ kind: 'behind' });
    else if (code === CLOSE.tokenEnded) this.#settle({ kind: 'tokenEnded' });
    else if (code === CLOSE.accessEnded) this.#settle({ kind: 'accessEnded' });
    else this.giveUp();
  }

  startOver(reason: ResetFrame['reason']): void {
    this.#settle({ kind: 'startOver', reason });
  }

  giveUp(to = this.#since): void {
    this.#settle({ kind: 'nothing', to });
  }
}

/** A topic has no quotes inside, so the first member of that name is the frame's own. */
const changesIn = ({ text }: Frame): string => text.slice(text.indexOf('"changes":'), -1);
