import type { Instance } from '../domain/instances/instance.ts';
import type { PublishedDocument, PublishOptions } from './catalog/published-document.ts';
import type { FetchInit, FetchResponse } from './calling/options.ts';
import type { Endpoint } from './discovery/endpoint.ts';
import type { ServiceOptions } from './discovery/options.ts';
import type { SignalboxError } from './errors.ts';
import type { RegisterOptions, Registration } from './registration/options.ts';
import type { Select } from './select.ts';
import type { Named, Resource, Watch } from './watch/watch.ts';

/**
 * `cold`: nothing was asked for yet. `loading`: no complete snapshot of all that is watched so far. `live`: everything is held
 * and current. `stale`: everything was held once, and the connection is being made again. `backing-off`: waiting before the next
 * attempt. `stopped`: closed, or turned away for good; nothing more is tried. Services that were loaded before are called on, by what
 * is held.
 */
export type ConnectionPhase = 'cold' | 'loading' | 'live' | 'stale' | 'backing-off' | 'stopped';

/** What a client tells of itself. */
export interface ClientEvents {
  readonly state: ConnectionPhase;
  /** What went wrong, where nobody waits for it; the client goes on unless its state is `stopped`. */
  readonly error: SignalboxError;
  /** A copy did not agree with the server's digest, and is being loaded anew (PUSH8). */
  readonly mismatch: { readonly topic: string; readonly revision: number };
  /** The server starts over with a topic: what is held stays to look at until the next snapshot is whole. */
  readonly reset: { readonly topic: string; readonly reason: string };
}

/** A connection to Signalbox, for all that a process watches and registers. It connects when there is something to do. */
export interface Client {
  readonly phase: ConnectionPhase;
  /**
   * A live copy of what is selected. Watches that select alike share one subscription. `T`: the type of what is selected, as the caller
   * knows it, such as `watch<Instance>({ kind: 'instance' })`.
   * @throws SignalboxError `stopped` once the client is closed, or turned away for good (`cause` says why).
   */
  watch<T extends Named = Resource>(select: Select): Watch<T>;
  /**
   * The live instances of a service, and how to call them. Services of the same id and options share what they know.
   * @throws SignalboxError `invalid-options`, and `stopped` once the client is closed, or, for one that is not open yet, turned away
   *   for good.
   */
  service(id: string, options?: ServiceOptions): Service;
  /**
   * Registers an instance and keeps it registered until `deregister` or `close`. Resolves once Signalbox has it.
   * @throws SignalboxError `refused` where Signalbox does not take it, `unreachable` or `timeout` where it is not there; not with
   *   `startOnRegistryFailure`, where it is tried on and on.
   */
  register(registration: Registration, options?: RegisterOptions): Promise<RegisteredInstance>;
  /**
   * Publishes the OpenAPI document of an API version that is in the catalog, by HTTP: an object, or a text in JSON or YAML. Nothing is
   * written where the version has it already.
   * @throws SignalboxError `refused` where the version is not there, may not be written or it is no such document (`problem.status`),
   *   `unauthorized`, `unreachable`, `timeout`.
   */
  publishDocument(
    service: string,
    version: string,
    document: object | string,
    options?: PublishOptions,
  ): Promise<PublishedDocument>;
  /** Calls back with each event from now on; answers how to stop that. An error in it is logged, not thrown. */
  on<E extends keyof ClientEvents>(event: E, listener: (about: ClientEvents[E]) => void): () => void;
  /**
   * Deregisters what is registered, drains connections, writes copies that are kept, and closes the socket. Never rejects. `timeoutMs`:
   * milliseconds for deregistering, and again for draining. Default: 5000.
   */
  close(options?: { readonly timeoutMs?: number }): Promise<void>;
}

/** A service that is called. */
export interface Service {
  readonly id: string;
  /** Of the copy that is held, as `WatchState`. */
  readonly state: 'loading' | 'live' | 'stale' | 'closed';
  /** Milliseconds since the copy was last known to be current: 0 while live, Infinity while loading. */
  readonly age: number;
  /**
   * Resolves once there is a complete list, be it empty. `timeoutMs`: milliseconds. Default: as long as it takes.
   * @throws SignalboxError `timeout`, `stopped`, or why it cannot be had at all (`refused`, `unauthorized`, `protocol`).
   */
  ready(options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<void>;
  /**
   * One instance to call, from the copy alone: no request, no waiting. `key`: calls of one key go to one instance, with
   * `balance: 'consistent-hash'`. Undefined where there is none. Tell it `begin()` and `end(outcome, latencyMs)` about the call.
   * @throws SignalboxError `not-ready` before the first complete list, `stale` past `maxAge`, `stopped` once closed, and where there
   *   never will be a list why (`refused`, `unauthorized`, `protocol`).
   */
  pick(key?: string): Endpoint | undefined;
  /**
   * All that can be called, as selected; empty where there is none, never an old list.
   * @throws SignalboxError as `pick`: not loaded is not the same as empty (PUSH7).
   */
  instances(): readonly Instance[];
  /** Calls back after the list has changed; answers how to stop that. */
  on(event: 'change', listener: (change: ServiceChange) => void): () => void;
  /**
   * Calls one of the instances: `path` begins with `/`. As `fetch`, with connections kept per instance, retries on another instance
   * where that is safe, a deadline, and a circuit breaker. Before the first complete list it waits for that, within its
   * `timeoutMs`. Every status that an instance answers is a response, also 500.
   * @throws SignalboxError `stale`, `no-instances`, `circuit-open`, `overloaded`, `timeout`, `call-failed`, `stopped`,
   *   `invalid-options`; the reason of `init.signal` where the caller gave up.
   */
  fetch(path: string, init?: FetchInit): Promise<FetchResponse>;
  /** Counted since the first call, for whoever shares this service: same id and options, same figures. */
  readonly stats: CallStats;
  /** Lets go of it; connections are drained once nobody else holds a service of the same id and options. */
  close(): void;
}

/** What `fetch` has done, in numbers that only grow. */
export interface CallStats {
  readonly calls: number;
  /** Attempts after the first of a call. */
  readonly retries: number;
}

/** How the list of instances has changed. */
export interface ServiceChange {
  readonly instances: readonly Instance[];
  readonly added: readonly Instance[];
  readonly removed: readonly Instance[];
  readonly changed: readonly Instance[];
}

/** An instance that this process keeps registered. */
export interface RegisteredInstance {
  /** `trying`: not taken yet, or lost and being registered again. `gone`: deregistered. */
  readonly state: 'registered' | 'trying' | 'gone';
  /** Undefined until Signalbox has taken it for the first time. */
  readonly id: string | undefined;
  readonly generation: number | undefined;
  /** Where others reach it, as registered; undefined until that is found out, where nobody has said it. */
  readonly address: string | undefined;
  readonly port: number;
  on(event: 'state', listener: (state: RegisteredInstance['state'], why?: SignalboxError) => void): () => void;
  /** Removes it from Signalbox; what is under way is the caller's to drain. Never rejects: what cannot be told expires. */
  deregister(): Promise<void>;
}
