import type { Check } from '../../domain/instances/check.ts';

/** What an instance says about itself: the body of `POST /v1/instances`, with the address left to be found out. */
export interface Registration {
  /** The id of the service, such as `orders.example.com`. */
  readonly service: string;
  /** Where it listens, 1 to 65535: known once it does; `portOf(server)` says it. */
  readonly port: number;
  /**
   * An IPv4 or IPv6 address, or a host name; not `0.0.0.0` or `::`, where nobody can call it. Default: `POD_IP`, `STATUS_HOST_IP`, or the
   * address of the route to Signalbox.
   */
  readonly address?: string;
  /** Default: `http`. */
  readonly protocol?: string;
  readonly environment?: string;
  readonly version?: string;
  readonly region?: string;
  /** Its share of the calls beside the others, 0 to 65535. Default: 1. */
  readonly weight?: number;
  readonly tags?: Readonly<Record<string, string>>;
  readonly metadata?: Readonly<Record<string, string>>;
  /** How Signalbox knows that it lives. Default: a lease of 15 s, kept over the socket. */
  readonly check?: Partial<Check> & { readonly type: Check['type'] };
}

export interface RegisterOptions {
  /**
   * false: `register` rejects when Signalbox is not there or does not take it. true: it resolves at once, and goes on trying.
   * Default: false.
   */
  readonly startOnRegistryFailure?: boolean;
  /** Milliseconds that `register` waits for Signalbox to take it. Default: 10000. */
  readonly timeoutMs?: number;
  /** Ends the waiting: `register` rejects with its reason, and nothing is registered. */
  readonly signal?: AbortSignal;
}
