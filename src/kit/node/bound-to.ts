import type { Server as NetServer } from 'node:net';
import { isLoopback } from '../guard/development.ts';

/** Where a server listens. */
export interface Bound {
  /** Of the listener, such as `0.0.0.0`: not always one that others can call. */
  readonly address: string;
  readonly port: number;
  /** Whether it speaks TLS. */
  readonly secure: boolean;
}

/** Where a server listens; undefined where it listens on no port (yet): on a path, or not at all. */
export function boundTo(server: Pick<NetServer, 'address'>): Bound | undefined {
  const bound = server.address();
  if (bound === null || typeof bound === 'string') return undefined;
  return { address: bound.address, port: bound.port, secure: 'setSecureContext' in server };
}

type Env = Readonly<Record<string, string | undefined>>;

/**
 * The address to register, where the listener's own says it; undefined where it has to be found out, because it listens on all
 * of them. Who listens on loopback alone with an address of the pod given is reached through something that shares the pod.
 */
export function ownAddress({ address }: Pick<Bound, 'address'>, env: Env): string | undefined {
  if (/^(?:0\.0\.0\.0|::|::ffff:0\.0\.0\.0)$/i.test(address)) return undefined;
  const told = env['POD_IP'] || env['STATUS_HOST_IP'];
  if (isLoopback(address) && told) return undefined;
  return address.replace(/^::ffff:/i, '');
}
