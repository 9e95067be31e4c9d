import { CLOSE } from '../protocol/close-codes.ts';
import type { Connection } from './connection.ts';

/** Heartbeats are spread over so many slices, so that ten thousand bookmarks are not written in one turn. */
export const HEARTBEAT_SLICES = 10;

const CUT_OFFS = 100;
const TOPICS = 16;

/** A connection that the server ended for a fault of the client. */
export interface CutOff {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly remoteAddress: string;
  readonly reason: 'too-slow' | 'silent' | 'protocol-error';
  /** What it watched; of many, the first ones. */
  readonly topics: readonly string[];
}

const REASONS: Readonly<Record<number, CutOff['reason']>> = {
  [CLOSE.tooSlow]: 'too-slow',
  [CLOSE.silent]: 'silent',
  [CLOSE.protocolError]: 'protocol-error',
};

/** Who is connected, and who was sent away of late. */
export class Roster {
  readonly #connections = new Set<Connection>();
  readonly #slices: Set<Connection>[] = Array.from({ length: HEARTBEAT_SLICES }, () => new Set());
  #cutOffs: CutOff[] = [];
  #opened = 0;
  #slice = 0;

  get size(): number {
    return this.#connections.size;
  }

  /** The newest first. */
  get cutOffs(): readonly CutOff[] {
    return this.#cutOffs;
  }

  [Symbol.iterator](): Iterator<Connection> {
    return this.#connections[Symbol.iterator]();
  }

  /** Ids rise, so a list of connections can be gone through in pages while some come and go. */
  nextId(): number {
    return (this.#opened += 1);
  }

  add(connection: Connection): void {
    this.#connections.add(connection);
    this.#sliceOf(connection)?.add(connection);
  }

  delete(connection: Connection): void {
    this.#connections.delete(connection);
    this.#sliceOf(connection)?.delete(connection);
  }

  /** Those whose heartbeat is next. */
  nextSlice(): Iterable<Connection> {
    return this.#slices[this.#slice++ % HEARTBEAT_SLICES] ?? [];
  }

  noteClose({ peer, subscriptions }: Connection, code: number, at: number): void {
    const reason = REASONS[code];
    if (reason === undefined) return;
    const topics = subscriptions.slice(0, TOPICS).map(({ group }) => group.topic);
    const cutOff = { at, remoteAddress: peer.remoteAddress, reason, topics };
    this.#cutOffs = [cutOff, ...this.#cutOffs.slice(0, CUT_OFFS - 1)];
  }

  #sliceOf({ id }: Connection): Set<Connection> | undefined {
    return this.#slices[id % HEARTBEAT_SLICES];
  }
}
