import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';

export interface Phase {
  readonly name: string;
  readonly run: () => Promise<void> | void;
}

/**
 * Goes through the phases in order, each logged by name. A phase that fails does not keep the next ones from running, and
 * when the time is up the rest is left: everything acknowledged is durable, so a process may always simply end.
 */
export async function shutDown(
  phases: readonly Phase[],
  timeoutMs: number,
  log: Pick<Logger, 'info' | 'error'>,
): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), timeoutMs);
  });
  let clean = true;
  try {
    for (const { name, run } of phases) {
      log.info(`shutting down: ${name}`);
      const work = (async () => {
        await run();
        return 'done' as const;
      })().catch((error: unknown) => {
        log.error({ err: error }, `shutting down: ${name} failed`);
        clean = false;
        return 'done' as const;
      });
      if ((await Promise.race([work, timeUp])) === 'late') {
        log.error(`shutting down: ${name} is not done after ${timeoutMs} ms, the rest is cut off`);
        return false;
      }
    }
  } finally {
    clearTimeout(timer);
  }
  return clean;
}

const SWEEP_MS = 50;

/**
 * A way to close an HTTP server that ends by itself. Node closes the connections that are idle at that moment and then
 * waits for all others, also where the request under way is answered and the client keeps the connection, or never sent
 * one. Here those are closed as soon as they are seen, and after `graceMs` whatever is left is cut.
 */
export function gracefulClose(server: Server): (close: () => Promise<void>, graceMs: number) => Promise<void> {
  const sockets = new Set<Socket>();
  function forget(this: Socket): void {
    sockets.delete(this);
  }
  const remember = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('close', forget);
  };
  server.on('connection', remember);
  // Over TLS these tell whether a request has come; the ones below them have read the handshake.
  server.on('secureConnection', remember);
  return async (close, graceMs) => {
    const sweep = setInterval(() => {
      server.closeIdleConnections();
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
    }, SWEEP_MS);
    const cut = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, graceMs);
    try {
      await close();
    } finally {
      clearInterval(sweep);
      clearTimeout(cut);
    }
  };
}
