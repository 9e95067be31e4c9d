import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Time } from '../time.ts';

/** A server of Node.js, or something that closes one. */
export interface ClosableServer extends Connections {
  /** Calls back, or resolves, once it is closed. */
  close(callback?: (error?: Error) => void): unknown;
  /** The server behind a Fastify app, whose connections are closed. */
  readonly server?: Connections;
}

type Connections = Pick<Partial<Server>, 'closeIdleConnections' | 'closeAllConnections' | 'prependListener'>;

const connectionsOf = (server: ClosableServer): Connections =>
  server.closeIdleConnections === undefined ? (server.server ?? server) : server;

/** From now on each answer ends its connection, so that its client opens the next one elsewhere and sends nothing into a closing one. */
export function askToLeave(server: ClosableServer): void {
  connectionsOf(server).prependListener?.('request', (request: Partial<IncomingMessage>, response: ServerResponse) => {
    // HTTP/2 has no such header: its sessions say themselves that they go.
    if (request.httpVersionMajor === 1) response.setHeader('connection', 'close');
  });
}

const SWEEP_MS = 50;

/**
 * Takes no connections any more, and resolves once those are closed that there are: each as soon as it has no call under way, and all
 * after `drainMs`. Without that, Node.js waits for clients that keep their connections.
 */
export function closeServer(server: ClosableServer, drainMs: number, time: Pick<Time, 'after'>): Promise<void> {
  const http = connectionsOf(server);
  return new Promise((resolve, reject) => {
    let cancelSweep: (() => void) | undefined;
    const sweep = (): void => {
      http.closeIdleConnections?.();
      cancelSweep = time.after(SWEEP_MS, sweep);
    };
    const end = (settle: () => void): void => {
      cancelSweep?.();
      cancelCut();
      settle();
    };
    const cancelCut = time.after(drainMs, () => {
      http.closeAllConnections?.();
      end(resolve);
    });
    const closed = server.close((error) => end(() => (error === undefined ? resolve() : reject(error))));
    if (closed instanceof Promise)
      closed.then(
        () => end(resolve),
        (error: Error) => end(() => reject(error)),
      );
    sweep();
  });
}
