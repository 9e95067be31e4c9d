import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import { isLoopbackHost, type Config } from './config.ts';

/** Says where things are once the node serves: to a person in some lines, to a machine in one. */
export function banner(
  config: Config,
  address: AddressInfo,
  log: Logger,
  { hints, ...facts }: { version: string; ms: number; resources: number; hints: readonly string[] },
): void {
  const isTls = config.tlsCert !== undefined;
  const origin = originOf(address, isTls);
  const database = config.databaseUrl === undefined ? `embedded, in ${config.dataDir}` : 'PostgreSQL';
  const bus = config.redisUrl === undefined ? 'in this process' : 'Redis';
  const access = accessOf(config);
  const feed = `${origin.replace(/^http/, 'ws')}/v1/watch`;
  const lines = [
    `Signalbox ${facts.version} is ready after ${facts.ms} ms with ${facts.resources} resources.`,
    `  API       ${origin}/v1`,
    `  Docs      ${origin}/docs`,
    `  Feed      ${feed}`,
    `  Database  ${database}; bus: ${bus}`,
    `  Access    ${access.text}`,
    // They may hold a password, so no log gets them.
    ...hints.map((hint) => `  ${hint}`),
  ];
  if (config.logFormat === 'pretty') process.stdout.write(`\n${lines.join('\n')}\n\n`);
  log.info(
    { api: `${origin}/v1`, docs: `${origin}/docs`, feed, database, bus, mode: access.mode, ...facts },
    `ready, ${access.text}`,
  );
  if (access.mode === 'tokens' && !isTls && !isLoopbackHost(config.host)) log.warn(IN_CLEAR);
}

/** Where the server listens, as a URL. */
export const originOf = ({ family, address, port }: AddressInfo, isTls: boolean): string =>
  `http${isTls ? 's' : ''}://${family === 'IPv6' ? `[${address}]` : address}:${port}`;

const IN_CLEAR =
  'tokens arrive here unencrypted: set TLS_CERT and TLS_KEY, or put a proxy that speaks TLS in front and let nobody else reach this address';

function accessOf({ oidcIssuers, developmentAccess }: Config): {
  readonly mode: 'development' | 'tokens';
  readonly text: string;
} {
  if (oidcIssuers === undefined) {
    const text =
      developmentAccess === 'open'
        ? 'in development mode: whoever reaches this address, which is loopback only, is the administrator, unless they log in'
        : 'in development mode, on loopback only: for who has logged in';
    return { mode: 'development', text };
  }
  return { mode: 'tokens', text: `for who has a token of ${oidcIssuers.map(({ issuer }) => issuer).join(' or ')}` };
}
