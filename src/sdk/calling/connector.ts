import { isIP } from 'node:net';
import type { ConnectionOptions as TlsConnectionOptions } from 'node:tls';
import { buildConnector, errors } from 'undici';
import type { Instance } from '../../domain/instances/instance.ts';
import type { Endpoint } from '../discovery/endpoint.ts';
import { speaksH2c } from './h2c.ts';
import type { CallOptions } from './options.ts';

/** How https instances are trusted, and how the caller shows who it is. PEM. */
export interface TlsOptions extends Pick<TlsConnectionOptions, 'ca' | 'cert' | 'key' | 'passphrase'> {
  /**
   * The name that the instance's certificate is for, also sent as SNI. Default: the instance's address. Take it from an instance's
   * metadata only where nobody can register an instance who should not be trusted by that name.
   */
  readonly servername?: string | ((instance: Instance) => string | undefined);
  /** false: anybody is believed. For development. Default: true. */
  readonly rejectUnauthorized?: boolean;
}

/** How connections to one instance are made. */
export interface Dial {
  readonly connect: buildConnector.connector;
  /** Whether a connection may turn out to speak HTTP/2. */
  readonly mayBeHttp2: boolean;
  /** What is sent as SNI, whatever `Host` a request has; undefined with an IP address, for which there is none. */
  readonly servername: string | undefined;
}

/** Host names are resolved at each connection, so that a new one goes to where the name leads then. */
export function dialOf(
  endpoint: Endpoint,
  { tls, http2, connectTimeoutMs }: Pick<CallOptions, 'tls' | 'http2'> & { connectTimeoutMs: number },
): Dial {
  const { instance } = endpoint;
  const secure = endpoint.url.startsWith('https:');
  const h2c = !secure && speaksH2c(instance, http2);
  const allowH2 = secure && http2 !== 'never';
  const { servername: name, ...trust } = tls ?? {};
  const told = typeof name === 'function' ? name(instance) : name;
  const servername = secure ? (told ?? (isIP(instance.address) === 0 ? instance.address : undefined)) : undefined;
  const options = {
    timeout: connectTimeoutMs,
    allowH2,
    // undici has it, and its types do not.
    useH2c: h2c,
    ...(secure ? trust : {}),
    ...(servername === undefined ? {} : { servername }),
  };
  return { connect: withinTime(buildConnector(options), connectTimeoutMs), mayBeHttp2: allowH2 || h2c, servername };
}

/** undici's own timeout is late by up to a second: it remains, and clears away what came to nothing. */
function withinTime(connect: buildConnector.connector, timeoutMs: number): buildConnector.connector {
  return (target, callback) => {
    let isOver = false;
    const timer = setTimeout(() => {
      isOver = true;
      callback(new errors.ConnectTimeoutError(`no connection within ${timeoutMs} ms`), null);
    }, timeoutMs);
    connect(target, (...result) => {
      clearTimeout(timer);
      if (!isOver) callback(...result);
      else if (result[0] === null) result[1].destroy();
    });
  };
}
