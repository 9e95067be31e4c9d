import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';

/** TLS servers behind one address are told apart by name, which ioredis does not send by itself. */
export const tlsTo = (host: string, tls: boolean): { readonly tls?: ConnectionOptions } =>
  tls ? { tls: isIP(host) === 0 ? { servername: host } : {} } : {};
