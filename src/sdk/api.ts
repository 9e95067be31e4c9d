import type { Instance } from '../domain/instances/instance.ts';
import type { Select } from '../protocol/frames.ts';
import type { FetchInit, FetchResponse } from './calling/options.ts';
import type { Endpoint } from './discovery/endpoint.ts';
import type { ServiceOptions } from './discovery/options.ts';
import type { SignalboxError } from './errors.ts';
import type { RegisterOptions, Registration } from './registration/options.ts';
import type { Resource, Watch } from './watch/watch.ts';

/**
 * `cold`: nothing was asked for yet. `loading`: no complete snapshot of all that is watched so far. `live`: everything is held
 * and current. `stale`: everything was held once, and the connection is being made again. `backing-off`: waiting before the next
 * attempt. `stopped`: closed, or turned away for good; nothing more is tried.
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
  /** A live copy of what is selected. Watches that select alike share one subscription. */
  watch<T extends Resource = Resource>(select: Select): Watch<T>;
  /** The live instances of a service, and how to call them. Services of the same id and options share what they know. */
  service(id: string, options?: ServiceOptions): Service;
  /**
   * Registers an instance and keeps it registered until `deregister` or `close`. Resolves once Signalbox has it.
   * @throws SignalboxError `refused` where Signalbox does not take it, `unreachable` or `timeout` where it is not there; not with
   *   `startOnRegistryFailure`, where it is tried on and on.
   */
  register(registration: Registration, options?: RegisterOptions): Promise<RegisteredInstance>;
  on<E extends keyof ClientEvents>(event: E, listener: (about: ClientEvents[E]) => void): () => void;
  /** Deregisters what is registered, drains connections, and closes the socket. Never rejects. */
  close(options?: { readonly timeoutMs?: number }): Promise<void>;
}

/** A service that is called. */
export interface Service {
  readonly id: string;
  /** As of the copy that is held; `age` in milliseconds since it was last known to be current. */
  readonly state: 'loading' | 'live' | 'stale' | 'closed';
  readonly age: number;
  /** Resolves once there is a complete list, be it empty. */
  ready(options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<void>;
  /**
   * One instance to call, from the copy alone: no request, no waiting. `key`: calls of one key go to one instance, with
   * `balance: 'consistent-hash'`. Undefined where there is none. Tell it `begin()` and `end(outcome, latencyMs)` about the call.
   * @throws SignalboxError `not-ready` before the first complete list, `stale` past `maxAge`.
   */
  pick(key?: string): Endpoint | undefined;
  /**
   * All that can be called, as selected; empty where there is none, never an old list.
   * @throws SignalboxError as `pick`: not loaded is not the same as empty (PUSH7).
   */
  instances(): readonly Instance[];
  on(event: 'change', listener: (change: ServiceChange) => void): () => void;
  /**
   * Calls one of the instances: `path` begins with `/`. As `fetch`, with connections kept per instance, retries on another instance
   * where that is safe, a deadline, and a circuit breaker. Before the first complete list it waits for that, within its `timeoutMs`.
   */
  fetch(path: string, init?: FetchInit): Promise<FetchResponse>;
  close(): void;
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
  /** Where others reach it, as registered. */
  readonly address: string;
  readonly port: number;
  on(event: 'state', listener: (state: RegisteredInstance['state'], why?: SignalboxError) => void): () => void;
  /** Removes it from Signalbox; what is under way is the caller's to drain. Never rejects: what cannot be told expires. */
  deregister(): Promise<void>;
}
