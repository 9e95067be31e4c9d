import type { Client } from './api.ts';
import { SignalboxClient } from './client.ts';
import { webSocket } from './links/web-socket.ts';
import type { ConnectOptions } from './options.ts';
import type { Parts } from './parts.ts';
import { realTime } from './time.ts';
import { UNAVAILABLE } from './unavailable.ts';

export * from './public.ts';

/** What a client in Node is made of. */
export const nodeParts = (): Parts => ({
  carriers: [webSocket],
  env: process.env,
  time: realTime,
  clock: Date.now,
  random: Math.random,
  ...UNAVAILABLE,
});

/**
 * A connection to Signalbox. It is made when there is something to watch, to call or to register, and made again until `close`.
 * @throws SignalboxError `invalid-options`.
 */
export const connect = (options: ConnectOptions = {}): Client => new SignalboxClient(options, nodeParts());
