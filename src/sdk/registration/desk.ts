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
  /** The socket that it was registered over, and is attached to; left out where that was HTTP. */
  readonly socket?: number;
}

/** What became of a request to Signalbox. */
export type Answer<T> =
  | { readonly type: 'done'; readonly value: T }
  /** It does not have the instance (any more), or has another generation. */
  | { readonly type: 'gone' }
  /** It does not take it, and says why; with the status 401 it is the token that it does not take. */
  | { readonly type: 'refused'; readonly problem: ProblemDetails }
  /** It cannot be asked, or cannot answer now. */
  | { readonly type: 'away'; readonly detail: string; readonly retryAfterMs?: number };

/** How long a request may take in all, and what ends it at once. Either is answered with `away`. */
export interface Attempt {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Where registrations go: over the socket that is open, or by HTTP while there is none. No promise of it rejects. */
export interface Desk {
  /** `registration`: the body of `POST /v1/instances`. */
  register(registration: object, attempt: Attempt): Promise<Answer<Registered>>;
  /** Without a lease it renews nothing, and says whether the instance is there. */
  renew(registered: Registered, attempt: Attempt): Promise<Answer<void>>;
  deregister(registered: Registered, attempt: Attempt): Promise<Answer<void>>;
}

/** What registration needs to know of the connection: an instance registered over a socket is renewed by being heard on it. */
export interface Attachment {
  /** The socket that registrations go over at present; undefined while there is none. A new one has another number. */
  readonly socket: number | undefined;
  /** Milliseconds between the pings of that socket, as its `welcome` has it. Where it is not known, leases are renewed all the same. */
  readonly heartbeatMs?: number | undefined;
  /** Calls back after `socket` has changed, until the function that it answers is called. */
  onChange(listener: () => void): () => void;
}

/** An access token for that address; undefined where none is needed. `refused`: one that was not taken, in place of which another is wanted. */
export type TokenFor = (url: string, refused?: string) => string | undefined | Promise<string | undefined>;
