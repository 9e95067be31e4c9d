import type { RequestInit, Response } from 'undici';
import type { Instance } from '../../domain/instances/instance.ts';
import type { BreakerOptions } from './breaker.ts';
import type { BudgetOptions } from './budget.ts';
import type { TlsOptions } from './connector.ts';

/** How one call is made; everything of undici's `fetch` but the dispatcher, which is the service's own. */
export type FetchInit = Omit<RequestInit, 'dispatcher' | 'redirect'> & {
  /** For `balance: 'consistent-hash'`: calls with the same key go to the same instance. */
  readonly key?: string;
  /** Milliseconds for the whole call with all of its attempts, up to the response's headers. Default: the service's `timeoutMs`. */
  readonly timeoutMs?: number;
  /**
   * Whether it does no harm when it is done twice. Default: true for GET, HEAD, OPTIONS, TRACE, PUT and DELETE, and for requests with
   * an `Idempotency-Key` header.
   */
  readonly idempotent?: boolean;
  /** Redirects are never followed: they could lead to another host. Default: `manual`, the redirect itself is the response. */
  readonly redirect?: 'manual' | 'error';
};

/** As undici's `fetch` answers it: read its body, or cancel it. */
export type FetchResponse = Response;

/** How connections to one instance are kept. */
export interface ConnectionOptions {
  /** Connections to one instance at a time, apart from those that are drained. Default: 100. */
  readonly max?: number;
  /** Calls that wait for a connection to one instance; further ones fail with `overloaded`. Default: 1000. */
  readonly maxWaiting?: number;
  /** Milliseconds after which an unused connection is closed. Default: 4000, which is less than the 5 s of Node's servers. */
  readonly keepAliveMs?: number;
  /** Requests after which a connection is replaced. Default: 1000000. */
  readonly maxRequests?: number;
  /** Milliseconds after which a connection is replaced, so that load spreads over new hosts. Default: 3600000. */
  readonly maxAgeMs?: number;
  /** Each connection has up to this share less of both, at random, so that a fleet does not reconnect at once. Default: 0.2. */
  readonly jitter?: number;
  /** Calls at a time over one HTTP/2 connection. Default: 100, which servers allow at least (RFC 9113, 6.5.2). */
  readonly maxStreams?: number;
}

/** How a service is called. */
export interface CallOptions {
  /** Milliseconds for a call with all of its attempts, up to the response's headers. Default: 10000. */
  readonly timeoutMs?: number;
  /** Milliseconds until a connection stands, with TLS. Default: 1000: within a region it takes some milliseconds, and others are there. */
  readonly connectTimeoutMs?: number;
  /** Milliseconds between two parts of a response's body; 0 for no end. Default: 300000, undici's own. */
  readonly bodyTimeoutMs?: number;
  /** Attempts after the first, each on another instance if there is one. Default: 2. */
  readonly retries?: number;
  /**
   * Whether a request that does no harm when it is done twice is sent once more, over a new connection to the same instance, where a
   * connection that was used before was reset before any answer: servers close connections that are not in use at any time. It is
   * done where `retries` leave no other instance, does not count as one of them, and is part of `retryBudget`. Default: true, unless
   * `retries` is 0.
   */
  readonly repeatReset?: boolean;
  /** What all retries of a service may come to. Default: 20 % of its calls and 10 a second, as Finagle. */
  readonly retryBudget?: BudgetOptions;
  /** When calls of the service are not tried for a while; false for never. */
  readonly breaker?: BreakerOptions | false;
  /** How connections are kept, and when they are replaced. */
  readonly connections?: ConnectionOptions;
  /**
   * `auto`: HTTP/2 where the instance prefers it by ALPN (https), or says `http2: h2c` in its metadata (http, with prior
   * knowledge). `never`: HTTP/1.1. `h2c`: as `auto`, and each http instance is spoken to with HTTP/2. Default: `auto`.
   */
  readonly http2?: 'auto' | 'never' | 'h2c';
  /** For https instances. Default: Node's authorities, and the instance's address as the name. */
  readonly tls?: TlsOptions;
  /**
   * The headers that carry the trace on, asked for at each call, such as those of the active OpenTelemetry context:
   * `() => { const headers = {}; propagation.inject(context.active(), headers); return headers; }`. What the caller sets itself
   * stays. Give the same function each time, or keep the service: options with another function are a service of their own, with its
   * own watch and connections. Default: none; pass `traceparent` and `tracestate` of the incoming request among the call's headers.
   */
  readonly trace?: () => Readonly<Record<string, string>>;
}

/** The metadata by which an http instance says that it speaks HTTP/2 from the first byte. */
export const HTTP2_METADATA = 'http2';

/** Whether HTTP/2 is spoken to an http instance without asking. */
export function speaksH2c(instance: Pick<Instance, 'metadata'>, http2: CallOptions['http2']): boolean {
  if (http2 === 'never') return false;
  return http2 === 'h2c' || instance.metadata[HTTP2_METADATA] === 'h2c';
}
