import { askToLeave, closeServer, type ClosableServer } from './close-server.ts';
import { pause } from './pause.ts';
import type { RegisteredInstance } from '../api.ts';
import { realTime, type Time } from '../time.ts';

/** What is ended, and how long each step may take. */
export interface GracefulOptions {
  /** What is deregistered first: a list, or a function that answers it at the end. */
  readonly registrations?: Deregistered | (() => Deregistered);
  /** What takes calls: servers of `node:http`, `node:https` or `node:net`, or anything with a `close` such as a Fastify app. */
  readonly servers?: readonly ClosableServer[];
  /** Closed last, since what is under way may still call others. */
  readonly client?: { close(): Promise<void> };
  /**
   * Milliseconds between deregistering and not taking connections any more. Callers are told by push within some milliseconds, and
   * have picked this instance until then; what they send meanwhile is answered as ever. More than that is for callers that poll.
   * Default: 500.
   */
  readonly settleMs?: number;
  /** Milliseconds that calls under way may take to end; then they are cut. Default: 10000. */
  readonly drainMs?: number;
  /** Default: `SIGTERM` and `SIGINT`. */
  readonly signals?: readonly NodeJS.Signals[];
  /** What else there is to do once all calls are answered, such as closing a database. */
  readonly onDrained?: () => unknown;
  /** A step that failed; the next ones are taken all the same. */
  readonly onError?: (error: unknown) => void;
  /** For tests. Default: this process. */
  readonly process?: Pick<NodeJS.Process, 'on' | 'off' | 'exit'>;
  /** For tests. Default: the real one. */
  readonly time?: Time;
}

type Deregistered = readonly Pick<RegisteredInstance, 'deregister'>[];

/** An end that is prepared. */
export interface Graceful {
  /** Ends as a signal would, without ending the process. Resolves once all is closed; never rejects. */
  close(): Promise<void>;
  /** Listens to signals no longer. */
  off(): void;
}

/**
 * Ends a service so that no call fails: on a signal it deregisters, waits until callers have heard, stops taking connections, lets
 * calls under way end, closes the client, and ends the process with 0. A second signal ends it at once, with 128 and the signal's number.
 */
export function gracefully(options: GracefulOptions): Graceful {
  const { signals = ['SIGTERM', 'SIGINT'], process: ended = process } = options;
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= inOrder(options));
  let signalled = false;
  const onSignal = (_signal: NodeJS.Signals, number: number): void => {
    if (signalled) ended.exit(128 + number);
    signalled = true;
    void close().then(() => ended.exit(0));
  };
  for (const signal of signals) ended.on(signal, onSignal);
  return {
    close,
    off: () => {
      for (const signal of signals) ended.off(signal, onSignal);
    },
  };
}

async function inOrder(options: GracefulOptions): Promise<void> {
  const { registrations = [], servers = [], client, settleMs = 500, drainMs = 10_000, time = realTime } = options;
  const step = async (run: () => unknown): Promise<void> => {
    try {
      await run();
    } catch (error) {
      options.onError?.(error);
    }
  };
  const all = typeof registrations === 'function' ? registrations() : registrations;
  await step(() => Promise.all(all.map((one) => one.deregister())));
  for (const server of servers) askToLeave(server);
  // Who was not registered has nobody who would hear of it.
  if (all.length > 0) await pause(time, settleMs);
  await Promise.all(servers.map((server) => step(() => closeServer(server, drainMs, time))));
  await step(() => options.onDrained?.());
  await step(() => client?.close());
}
