import type { RequestInit, Response } from 'undici';

/** How one call is made; everything of undici's `fetch` but the dispatcher, which is the service's own. */
export type FetchInit = Omit<RequestInit, 'dispatcher'> & {
  /** For `balance: 'consistent-hash'`: calls with the same key go to the same instance. */
  readonly key?: string;
  /** Milliseconds for the whole call with all of its attempts, up to the response's headers. Default: the service's `timeoutMs`. */
  readonly timeoutMs?: number;
};

export type FetchResponse = Response;
