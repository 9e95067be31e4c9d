import { once } from 'node:events';
import { pino, type Logger } from 'pino';
import type { Config } from './config.ts';

/** How long the last lines of the log may take to be written. */
const LOG_END_MS = 500;

/** What a token could stand under, in what is logged and in what an error carries. */
const SECRETS = [
  'authorization',
  'cookie',
  'token',
  'access_token',
  'refresh_token',
  'refreshToken',
  'id_token',
  'idToken',
  'clientSecret',
];
const AT = ['', '*.', '*.*.', '*.*.*.'];

/** What every log is made with, wherever it is written: no token ever is. */
export const LOG_SAFETY = {
  redact: { paths: AT.flatMap((at) => SECRETS.map((name) => at + name)), censor: '[redacted]' },
  serializers: { url: withoutTokens },
};

/**
 * Nobody may send a token in a URL, and who does is refused; the URL is logged all the same. Signing in puts codes there, and
 * what they are held against.
 */
export function withoutTokens(url: unknown): unknown {
  return typeof url === 'string'
    ? url.replaceAll(/((?:token|%74oken|token_hint|code|state|csrf)=)[^&#]*/gi, '$1[redacted]')
    : url;
}

/** The log, and what resolves when all of it is written, which takes no time unless nobody reads it. */
export function createLog(config: Config): { log: Logger; written: () => Promise<void> } {
  const options = { level: config.logLevel, base: { name: 'signalbox' }, ...LOG_SAFETY };
  if (config.logFormat === 'pretty') {
    const pretty = { ignore: 'pid,hostname,name', translateTime: 'HH:MM:ss.l' };
    // Its thread is waited for when the process exits.
    return {
      log: pino({ ...options, transport: { target: 'pino-pretty', options: pretty } }),
      written: async () => {},
    };
  }
  // Not synchronous: a reader that stands still must not hold up the node.
  const out = pino.destination({ dest: 1, sync: false });
  const written = async (): Promise<void> => {
    const closed = once(out, 'close', { signal: AbortSignal.timeout(LOG_END_MS) });
    out.end();
    await closed.catch(() => {});
  };
  return { log: pino(options, out), written };
}
