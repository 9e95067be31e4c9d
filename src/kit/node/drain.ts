import type { Server } from 'node:http';

const SWEEP_MS = 50;

type Closing = Pick<Server, 'once'> & Partial<Pick<Server, 'closeIdleConnections' | 'closeAllConnections'>>;

/**
 * Makes the close of a server end: Node closes the connections that are idle when it begins, and then waits for the others also once
 * their calls are answered, for as long as clients keep them. Here they are closed as soon as that is seen, and after `graceMs`
 * whatever is left is cut. Ends by itself when the server has closed; it keeps no process alive.
 */
export function drain(server: Closing, graceMs: number): void {
  const sweep = setInterval(() => server.closeIdleConnections?.(), SWEEP_MS);
  const cut = setTimeout(() => server.closeAllConnections?.(), graceMs);
  sweep.unref();
  cut.unref();
  server.once('close', () => {
    clearInterval(sweep);
    clearTimeout(cut);
  });
}
