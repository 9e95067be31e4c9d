import { connect } from 'node:net';

/** Undefined where the backend is healthy, else what is wrong. Without a path, a connection is enough. */
export const lookAt =
  (backend: string, path: string | undefined) =>
  (signal: AbortSignal): Promise<string | undefined> =>
    path === undefined ? connects(new URL(backend), signal) : answers(backend + path, signal);

async function answers(url: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal, redirect: 'manual', headers: { connection: 'close' } });
    await response.body?.cancel();
    return response.ok ? undefined : `${url} answered ${response.status}`;
  } catch (error) {
    return signal.aborted ? `${url} did not answer in time` : `${url} did not answer (${codeOf(error)})`;
  }
}

function connects({ hostname, port, protocol, host }: URL, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const number = port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: number, signal });
    socket.once('connect', () => {
      resolve(undefined);
      socket.destroy();
    });
    socket.on('error', (error) => resolve(`${host} takes no connection (${codeOf(error)})`));
  });
}

function codeOf(error: unknown): string {
  const { code, cause, message } = error as { code?: unknown; cause?: { code?: unknown }; message?: unknown };
  return String(cause?.code ?? code ?? message);
}
