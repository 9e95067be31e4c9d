import type { Client } from './api.ts';
import { SignalboxClient } from './client.ts';
import { nodeParts } from './node-parts.ts';
import type { ConnectOptions } from './options.ts';

export * from './public.ts';
export { gracefully, type Graceful, type GracefulOptions } from './registration/graceful.ts';
export { portOf } from './registration/port-of.ts';

/**
 * A connection to Signalbox. It is made when there is something to watch, to call or to register, and made again until `close`.
 * @throws SignalboxError `invalid-options`.
 */
export const connect = (options: ConnectOptions = {}): Client => new SignalboxClient(options, nodeParts());
