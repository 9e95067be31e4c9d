import type { Duplex, Readable } from 'node:stream';
import type { RegisteredInstance } from '../sdk/api.ts';
import type { Upload } from '../sdk/calling/call.ts';
import type { Endpoint } from '../sdk/discovery/endpoint.ts';
import type { Registration } from '../sdk/registration/options.ts';

/** Names and values by turns, as undici reads them; several values of one name may be a list. */
export type RawHeaders = readonly (Buffer | string | readonly (Buffer | string)[])[];

/** A body that is sent as it comes. */
export interface OutgoingBody extends Upload {
  /** Nothing of it was read yet, so that it can be sent again. */
  readonly isWhole: boolean;
  /** For one attempt to send it. */
  attempt(): Readable;
}

/** One request on its way to a service or to the backend. */
export interface Outgoing {
  readonly method: string;
  /** Begins with `/`, with its query. */
  readonly path: string;
  /** Names in lower case and values by turns; nothing that is only meant for one connection, and no `host`. */
  readonly headers: string[];
  /** Null where the request has none. */
  readonly body: OutgoingBody | null;
  /** The protocol that is asked for, such as `websocket`. */
  readonly upgrade: string | undefined;
  /** Calls with the same key go to the same instance, with `balance: consistent-hash`. */
  readonly key: string | undefined;
  /** The one instance that may be called. */
  readonly only: Endpoint | undefined;
}

/** Over one attempt to send a request. */
export interface Control {
  abort(reason: Error): void;
  /** No more of the answer's body comes until `resume`. */
  pause(): void;
  resume(): void;
}

/** What comes of a request: `begun` at each attempt; then `started`, `data` … and `ended`, or `upgraded`; or at any time `failed`, the last. */
export interface Incoming {
  begun(control: Control): void;
  upgraded(status: number, headers: RawHeaders, socket: Duplex): void;
  started(status: number, headers: RawHeaders): void;
  data(chunk: Buffer): void;
  ended(trailers: RawHeaders): void;
  failed(error: unknown): void;
}

/**
 * Sends a request to one of the instances, and to another one where that is safe. `failed` is called when there is
 * nothing more to try: with a `SignalboxError`, or with what undici says.
 */
export type Send = (outgoing: Outgoing, incoming: Incoming) => void;

/** A service as egress calls it. */
export interface Downstream {
  readonly id: string;
  readonly state: 'loading' | 'live' | 'stale' | 'closed';
  /** Milliseconds since its instances were last known to be current. */
  readonly age: number;
  /** Times that an instance was left out for a while because calls of it failed, since the start. */
  readonly ejections: number;
  readonly send: Send;
  /**
   * The instance at an address, as `URL.origin` writes it; undefined where there is none.
   * @throws SignalboxError `not-ready`, `stale`, `stopped`.
   */
  endpointAt(url: string): Endpoint | undefined;
  close(): void;
}

/** Which instances of a service are meant. */
export interface Selection {
  readonly service: string;
  readonly environment?: string;
  readonly version?: string;
  readonly protocol?: string;
}

/** How an address is called that has no other instances. */
export interface AddressOptions {
  /** Milliseconds until an answer begins. */
  readonly timeoutMs: number;
  /** Milliseconds that an unused connection is kept. Default: 4000. */
  readonly keepAliveMs?: number;
}

/** What the sidecar needs of the client library. */
export interface Network {
  /** Signalbox wants this sidecar no more, and is not asked again: what was known goes on being called. */
  readonly isTurnedAway: boolean;
  downstream(selection: Selection): Downstream;
  /** An address that the configuration names: the backend, or one of `egress.allowedHosts`. */
  address(url: string, how: AddressOptions): Pick<Downstream, 'send' | 'close'>;
  /** Keeps it registered until it is deregistered, whether or not Signalbox is there now. */
  register(registration: Registration): Promise<Pick<RegisteredInstance, 'state' | 'on' | 'deregister'>>;
  /** Never rejects. */
  close(): Promise<void>;
}

export interface SidecarLog {
  debug(about: object, message: string): void;
  info(about: object, message: string): void;
  warn(about: object, message: string): void;
  error(about: object, message: string): void;
}
