import { once } from 'node:events';
import { pino, type Logger } from 'pino';
import type { Config } from './config.ts';

/** How long the last lines of the log may take to be written. */
const LOG_END_MS = 500;

/** What a secret could stand under, in what is logged and in what an error carries. */
const SECRETS = [
  'authorization',
  '["proxy-authorization"]',
  'token',
  'access_token',
  'refresh_token',
  'refreshToken',
  'id_token',
  'idToken',
  'clientSecret',
  'client_secret',
  'cookie',
  '["set-cookie"]',
];
const AT = ['', '*', '*.*', '*.*.*'];
const pathOf = (at: string, name: string): string => (at === '' || name.startsWith('[') ? at + name : `${at}.${name}`);

/** What every log is made with, wherever it is written: no token ever is. */
export const LOG_SAFETY = {
  redact: { paths: AT.flatMap((at) => SECRETS.map((name) => pathOf(at, name))), censor: '[redacted]' },
  serializers: { url: withoutTokens, detail: withoutTokens },
};

/**
 * Nobody may send a token in a URL, and who does is refused; the URL is logged all the same, and so is that of a sign-in.
 * A registration token is known by its look, wherever it stands.
 */
export function withoutTokens(url: unknown): unknown {
  if (typeof url !== 'string') return url;
  return url
    .replaceAll(/sbr_[\w%]+/gi, 'sbr_[redacted]')
    .replaceAll(/(?<=[?&;])([^=&;#]*)=([^&;#]*)/g, (pair, name: string) =>
      isSecret(name) ? `${name}=[redacted]` : pair,
    );
}

/** `code` and `state` are what a sign-in comes back with. */
const isSecret = (name: string): boolean => /token|secret|password|assertion|csrf|^code$|^state$/i.test(decoded(name));

function decoded(name: string): string {
  return name.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
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
