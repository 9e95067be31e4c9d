import type { Client } from './api.ts';
import { SignalboxClient } from './client.ts';
import { browserWebSocket } from './links/browser-web-socket.ts';
import type { ConnectOptions } from './options.ts';
import { realTime } from './time.ts';
import { UNAVAILABLE } from './unavailable.ts';

export * from './public.ts';

/**
 * A connection to Signalbox from a page of its own origin, which its cookie lets watch. A page calls no services and registers
 * none.
 * @throws SignalboxError `invalid-options`.
 */
export const connect = (options: ConnectOptions = {}): Client =>
  new SignalboxClient(options, {
    carriers: [browserWebSocket()],
    env: {},
    time: realTime,
    clock: Date.now,
    random: Math.random,
    ...UNAVAILABLE,
  });
