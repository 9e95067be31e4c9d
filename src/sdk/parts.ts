import type { Service } from './api.ts';
import type { TokenSource } from './auth.ts';
import type { Keep } from './cache/keep.ts';
import type { Carrier } from './connection/link.ts';
import type { Requests } from './connection/requests.ts';
import type { InstanceSource } from './discovery/endpoint.ts';
import type { ServiceOptions } from './discovery/options.ts';
import type { SignalboxError } from './errors.ts';
import type { ClientLog, ConnectOptions } from './options.ts';
import type { Attachment } from './registration/desk.ts';
import type { RegisteredInstance } from './api.ts';
import type { RegisterOptions, Registration } from './registration/options.ts';
import type { Env } from './settings.ts';
import type { Time } from './time.ts';
import type { Select } from '../protocol/frames.ts';

/** What discovery and calling get from the client. */
export interface ServiceDeps {
  /** The passing instances that are selected, as pushed; what is selected alike is shared. Throws `stopped` once closed. */
  source(select: Select): InstanceSource;
  readonly options: Pick<ConnectOptions, 'environment' | 'maxAge' | 'region' | 'zone' | 'overrides'>;
  readonly env: Env;
  readonly time: Time;
  readonly random: () => number;
  readonly log: ClientLog;
  /** Of what nobody waits for. */
  readonly onError: (error: SignalboxError) => void;
}

export interface Services {
  service(id: string, options?: ServiceOptions): Service;
  /** Drains connections. Never rejects. */
  close(options: { readonly timeoutMs: number }): Promise<void>;
}

/** What registration gets from the client. */
export interface RegistrarDeps {
  /** Over the link that is open. */
  readonly requests: Pick<Requests, 'send'>;
  readonly attachment: Attachment;
  /** Keeps the connection open although nothing may be watched; answers how to let go of it. */
  hold(): () => void;
  /** The server that is connected to, or was last, for requests by HTTP; without a slash at its end. */
  url(): string;
  /** All servers, in the client's own order: where that one does not answer. */
  readonly urls: readonly string[];
  readonly tokens: TokenSource;
  readonly options: Pick<ConnectOptions, 'environment' | 'backoff'>;
  readonly env: Env;
  readonly time: Time;
  readonly random: () => number;
  readonly log: ClientLog;
  readonly onError: (error: SignalboxError) => void;
}

export interface Registrar {
  register(registration: Registration, options?: RegisterOptions): Promise<RegisteredInstance>;
  /** Deregisters what is registered, while the connection still stands. Never rejects. */
  close(options: { readonly timeoutMs: number }): Promise<void>;
}

/** What a client is made of; what differs between Node and a browser, and between a test and the world, is here. */
export interface Parts {
  /** The best first. */
  readonly carriers: readonly Carrier[];
  readonly env: Env;
  readonly time: Time;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly random: () => number;
  readonly createService: (deps: ServiceDeps) => Services;
  readonly createRegistrar: (deps: RegistrarDeps) => Registrar;
  /** Copies of a server's topics in a directory; left out where there are none. */
  readonly openKeep?: (directory: string, server: string, log: ClientLog) => Keep;
  /** Left out where there are no files. */
  readonly readFile?: (path: string) => Promise<string>;
}
