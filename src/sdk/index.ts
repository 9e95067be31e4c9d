import { readFile } from 'node:fs/promises';
import type { Client } from './api.ts';
import { DiskKeep } from './cache/disk.ts';
import { SignalboxClient } from './client.ts';
import { SignalboxError } from './errors.ts';
import { eventStreamCarrier } from './links/event-stream.ts';
import { longPollCarrier } from './links/long-poll.ts';
import { webSocket } from './links/web-socket.ts';
import type { HttpDeps } from './links/wire.ts';
import type { ConnectOptions } from './options.ts';
import type { Parts } from './parts.ts';
import { realTime } from './time.ts';

export type * from './api.ts';
export { SignalboxError, type ErrorCode, type ProblemDetails } from './errors.ts';
export type { Auth, ClientLog, ConnectOptions } from './options.ts';
export type * from './discovery/options.ts';
export type { Endpoint, Outcome } from './discovery/endpoint.ts';
export type * from './calling/options.ts';
export type * from './registration/options.ts';
export type { Resource, Snapshot, Watch, WatchChange, WatchChanges, WatchState } from './watch/watch.ts';
export type { Select } from '../protocol/frames.ts';
export type { Instance } from '../domain/instances/instance.ts';

const isMissing = (what: string): never => {
  throw new SignalboxError('invalid-options', `This build of the client cannot ${what}.`);
};

/** The global `fetch` as it is when it is called: whoever replaces it means this one as well. */
const http: HttpDeps = { fetch: (...args) => fetch(...args), now: () => realTime.now() };

/** What a client in Node is made of. */
export const nodeParts = (): Parts => ({
  carriers: [webSocket, eventStreamCarrier(http), longPollCarrier(http)],
  env: process.env,
  time: realTime,
  clock: Date.now,
  random: Math.random,
  createService: () => ({ service: () => isMissing('call services'), close: () => Promise.resolve() }),
  createRegistrar: () => ({
    register: () => isMissing('register instances'),
    close: () => Promise.resolve(),
  }),
  openKeep: (directory, server, log) =>
    new DiskKeep({ directory, server, log, now: () => realTime.now(), clock: Date.now }),
  readFile: (path) => readFile(path, 'utf8'),
});

/**
 * A connection to Signalbox. It is made when there is something to watch, to call or to register, and made again until `close`.
 * @throws SignalboxError `invalid-options`.
 */
export const connect = (options: ConnectOptions = {}): Client => new SignalboxClient(options, nodeParts());
