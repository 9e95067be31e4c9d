import type { Dispatcher } from 'undici';
import type { Connection } from './connection.ts';

/** A request that goes over a connection, and hears from undici how it goes. */
export interface Passenger extends Dispatcher.DispatchHandler {
  /** The connection it was given; undefined while it waits for one. */
  connection: Connection | undefined;
  /** Nobody waits for it any more. */
  readonly isOver: boolean;
  /** Wants a connection of which nothing can be known to be wrong: one that nothing was sent over before. */
  readonly fresh: boolean;
  /** Set with its connection: something was sent over that before. */
  reused: boolean;
  onError(error: Error): void;
}

/**
 * Whether a request must be alone on its connection: undici sends a request again by itself when an HTTP/2 connection ends, and
 * lets one that it could not send again wait for all others.
 */
export function mustBeAlone({ method, body, idempotent }: Dispatcher.DispatchOptions): boolean {
  const repeatable = idempotent ?? (method === 'GET' || method === 'HEAD');
  return !repeatable || (typeof body === 'object' && body !== null && !Buffer.isBuffer(body));
}
