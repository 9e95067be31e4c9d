import type { Check } from '../../domain/instances/check.ts';

/** What an instance says about itself: the body of `POST /v1/instances`, with the address left to be found out. */
export interface Registration {
  /** The id of the service, such as `orders.example.com`. */
  readonly service: string;
  /** Where it listens, 1 to 65535: known once it does; `portOf(server)` says it. */
  readonly port: number;
  /**
   * An IPv4 or IPv6 address, or a host name; not `0.0.0.0` or `::`, where nobody can call it. Default: `POD_IP`, `STATUS_HOST_IP`, or the
   * address of the route to Signalbox, which is looked for before each attempt until it is found: loopback only where Signalbox is there.
   */
  readonly address?: string;
  /** Such as `http`, `https`, `grpc`, `tcp`; callers that fetch take `http` and `https`. Default: `http`. */
  readonly protocol?: string;
  /** A part of its identity, such as `prod`. Default: the client's, or none. */
  readonly environment?: string;
  /** Of its API, such as `v1`, or of the build. Default: none. */
  readonly version?: string;
  /** Where it runs; with its service it is joined to a deployment of the catalog. Default: none. */
  readonly region?: string;
  /** Its share of the calls beside the others, 0 to 65535. Default: 1. */
  readonly weight?: number;
  /** Your own keys and values, for filters and selections; `zone` is one that callers go by. Default: none. */
  readonly tags?: Readonly<Record<string, string>>;
  /** What else its callers should know. Default: none. */
  readonly metadata?: Readonly<Record<string, string>>;
  /**
   * How Signalbox knows that it lives, as docs/instances.md has it: what is left out of a check has its default there. Default: a lease of
   * 15 s, kept over the socket and by HTTP while that is away.
   */
  readonly check?: Partial<Check> & { readonly type: Check['type'] };
}

/** How `register` goes about it. */
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
