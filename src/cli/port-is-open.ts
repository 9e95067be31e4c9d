import { connect } from 'node:net';

const TIMEOUT_MS = 1000;

/** Whether something takes connections there. */
export function portIsOpen(address: string, port: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: TIMEOUT_MS });
    const end = (open: boolean): void => {
      signal.removeEventListener('abort', aborted);
      socket.destroy();
      resolve(open);
    };
    const aborted = (): void => end(false);
    signal.addEventListener('abort', aborted, { once: true });
    socket.once('connect', () => end(true));
    socket.once('timeout', () => end(false));
    socket.on('error', () => end(false));
  });
}
