import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import type { Instance } from '../domain/instances/instance.ts';
import type { RegisteredInstance } from '../sdk/api.ts';
import type { Registration } from '../sdk/registration/options.ts';

/** One request on its way to a service or to the backend. */
export interface Outgoing {
  readonly method: string;
  /** Begins with `/`, with its query. */
  readonly path: string;
  /** Names in lower case and values by turns; nothing that is only meant for one connection, and no `host`. */
  readonly headers: string[];
  /** Null where the request has no body. Asked for once for each attempt; undefined where some of it was read already. */
  readonly body: (() => Readable | undefined) | null;
  /** The protocol that is asked for, such as `websocket`. */
  readonly upgrade?: string;
  /** Calls with the same key go to the same instance, with `balance: consistent-hash`. */
  readonly key?: string;
  /** The url of the one instance that may be called. */
  readonly instance?: string;
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
  upgraded(status: number, headers: IncomingHttpHeaders, socket: Duplex): void;
  started(status: number, headers: IncomingHttpHeaders): void;
  data(chunk: Buffer): void;
  ended(trailers: IncomingHttpHeaders): void;
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
  instances(): readonly Pick<Instance, 'protocol' | 'address' | 'port'>[];
  ready(options?: { readonly timeoutMs?: number }): Promise<void>;
  close(): void;
}

/** Which instances of a service are meant. */
export interface Selection {
  readonly service: string;
  readonly environment?: string;
  readonly version?: string;
  readonly protocol?: string;
}

/** What the sidecar needs of the client library. */
export interface Network {
  downstream(selection: Selection): Downstream;
  /** An address that the configuration names: the backend, or one of `egress.allowedHosts`. */
  address(url: string): Pick<Downstream, 'send' | 'close'>;
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
