import { SignalboxError } from '../errors.ts';

/** As much of `net.Server` as says where it listens. */
export interface Listening {
  address(): string | { readonly port: number } | null;
}

/**
 * The port that a server listens on, also where it listens on port 0 and the system has chosen one.
 * @throws SignalboxError `invalid-options` before it listens, and where it listens on a pipe.
 */
export function portOf(server: Listening): number {
  const address = server.address();
  if (typeof address === 'object' && address !== null) return address.port;
  throw new SignalboxError(
    'invalid-options',
    address === null
      ? 'The server does not listen yet, so its port is not known: register after its `listening` event.'
      : `The server listens on ${address}, which has no port that others could reach.`,
  );
}
