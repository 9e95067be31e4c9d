import { readFile } from 'node:fs/promises';
import { DiskKeep } from './cache/disk.ts';
import { eventStreamCarrier } from './links/event-stream.ts';
import { longPollCarrier } from './links/long-poll.ts';
import { webSocket } from './links/web-socket.ts';
import type { HttpDeps } from './links/wire.ts';
import { nodeServices } from './node-services.ts';
import type { Parts } from './parts.ts';
import { nodeRegistrar } from './registration/node-registrar.ts';
import { realTime } from './time.ts';

/** The global `fetch` as it is when it is called: whoever replaces it means this one as well. */
const http: HttpDeps = { fetch: (...args) => fetch(...args), now: () => realTime.now() };

/** What a client in Node is made of. */
export const nodeParts = (): Parts => ({
  carriers: [webSocket, eventStreamCarrier(http), longPollCarrier(http)],
  env: process.env,
  time: realTime,
  clock: Date.now,
  random: Math.random,
  createService: nodeServices,
  createRegistrar: nodeRegistrar,
  openKeep: (directory, server, log) =>
    new DiskKeep({ directory, server, log, now: () => realTime.now(), clock: Date.now }),
  readFile: (path) => readFile(path, 'utf8'),
});
