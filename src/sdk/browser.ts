import type { Client } from './api.ts';
import { browserServices } from './browser-services.ts';
import { SignalboxClient } from './client.ts';
import { SignalboxError } from './errors.ts';
import { browserWebSocket } from './links/browser-web-socket.ts';
import { eventStreamCarrier } from './links/event-stream.ts';
import { longPollCarrier } from './links/long-poll.ts';
import type { HttpDeps } from './links/wire.ts';
import type { ConnectOptions } from './options.ts';
import type { Parts } from './parts.ts';
import { realTime } from './time.ts';

export * from './public.ts';

const cannot = (what: string): never => {
  throw new SignalboxError('invalid-options', `A client in a browser cannot ${what}: that is for programs in Node.`);
};

/** Called as the browser's own function, which is nobody's method. */
const http: HttpDeps = { fetch: (...args) => fetch(...args), now: () => realTime.now() };

const page = (): string | undefined => {
  const { location } = globalThis as { readonly location?: { readonly origin: string } };
  return location?.origin;
};

/** What a client in a browser is made of: no files, no connections of its own, and nothing to register. */
const browserParts = (): Parts => ({
  carriers: [browserWebSocket(), eventStreamCarrier(http), longPollCarrier(http)],
  // Without an address, it is the server that the page has come from.
  env: { SIGNALBOX_URL: page() },
  time: realTime,
  clock: Date.now,
  random: Math.random,
  createService: browserServices,
  createRegistrar: () => ({
    register: () => Promise.resolve().then(() => cannot('register instances')),
    close: () => Promise.resolve(),
  }),
});

/** The WebSocket of a browser sends no token. */
const WITH_TOKEN: NonNullable<ConnectOptions['carriers']> = ['event-stream', 'long-poll'];

/**
 * As `connect` in Node, for pages: watches, and services that are found here and called by the page. A page of Signalbox's own is known
 * by its session; another one brings an access token in `auth`, and is carried by event streams then. Default of `url`: where the page is from.
 * @throws SignalboxError `invalid-options`.
 */
export function connect(options: ConnectOptions = {}): Client {
  if (options.directory !== undefined) cannot('keep copies in a directory');
  if (options.auth === undefined) return new SignalboxClient(options, browserParts());
  const { carriers = WITH_TOKEN } = options;
  if (carriers.includes('websocket')) cannot('send a token over a WebSocket');
  return new SignalboxClient({ ...options, carriers }, browserParts());
}
