import type { ProblemDetails } from '../errors.ts';

/** What Signalbox says of an instance that it has taken. */
export interface Registered {
  readonly id: string;
  /** `instances/{id}`. */
  readonly name: string;
  /** The revision at which it came to be; another one after it was gone in between (INS6). */
  readonly generation: number;
  /** How often it has to be heard of, such as `15s`; left out where its check is not a lease. */
  readonly lease?: string;
  /** The longest time from its death until its callers are told (INS1), such as `20s`. */
  readonly detectionBound: string;
}

/** What became of a request to Signalbox. */
export type Answer<T> =
  | { readonly type: 'done'; readonly value: T }
  /** It does not have the instance (any more), or has another generation. */
  | { readonly type: 'gone' }
  /** It does not take it, and says why. */
  | { readonly type: 'refused'; readonly problem: ProblemDetails }
  /** It cannot be asked, or cannot answer now. */
  | { readonly type: 'away'; readonly detail: string; readonly retryAfterMs?: number };

/** Where registrations go: over the socket that is open, or by HTTP while there is none. No promise of it rejects. */
export interface Desk {
  register(registration: object): Promise<Answer<Registered>>;
  /** `lease: false`: only look whether it is still there. */
  renew(registered: Registered): Promise<Answer<void>>;
  deregister(registered: Registered): Promise<Answer<void>>;
}

/** What registration needs to know of the connection: an instance registered over a socket is renewed by being heard on it. */
export interface Attachment {
  /** The socket that registrations go over at present; undefined while there is none. A new one has another number. */
  readonly socket: number | undefined;
  onChange(listener: () => void): () => void;
}
