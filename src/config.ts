import type { Unit } from './config-units.ts';
import { SETTINGS, type Setting } from './settings.ts';

type Settings = typeof SETTINGS;
type ValueOf<T> = T extends { readonly unit: Unit<infer V> } ? V : never;

/** All settings, read. Durations are milliseconds, sizes bytes. */
export type Config = {
  readonly [K in keyof Settings]: Settings[K] extends { readonly default: unknown }
    ? ValueOf<Settings[K]>
    : K extends 'logFormat'
      ? ValueOf<Settings[K]>
      : ValueOf<Settings[K]> | undefined;
};

export type LoadedConfig =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly string[] }
  /** Everything that is wrong, a sentence each, with what would be right. */
  | { readonly ok: false; readonly errors: readonly string[] };

type Env = Readonly<Record<string, string | undefined>>;

/** An empty variable counts as one that is not set, since that is how compose files and shells leave one out. */
export function loadConfig(env: Env, { isTTY = false }: { readonly isTTY?: boolean } = {}): LoadedConfig {
  const errors: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries<Setting<unknown>>(SETTINGS)) {
    const text = env[setting.env];
    if (text === undefined || text === '') {
      values[key] = setting.default;
      continue;
    }
    values[key] = setting.unit.read(text);
    if (values[key] === undefined) errors.push(badValue(setting, text));
  }
  values['logFormat'] ??= isTTY ? 'pretty' : 'json';
  const config = values as Config;
  const isDevelopment = !env[SETTINGS.oidcIssuers.env];
  errors.push(...contradictions(config));
  if (isDevelopment && config.host !== undefined && !isLoopbackHost(config.host)) errors.push(notLoopback(config.host));
  const { oidcIssuers, publicUrl: reached } = config;
  const signsIn = oidcIssuers?.some(({ login }) => login !== undefined) === true;
  if (signsIn && reached === undefined && !isLoopbackHost(config.host)) errors.push(noPublicUrl);
  if (isDevelopment && reached !== undefined && !isLoopbackHost(hostOf(reached))) errors.push(notReachable(reached));
  return errors.length > 0 ? { ok: false, errors } : { ok: true, config, warnings: warningsOf(env) };
}

/** What several settings together cannot mean. */
function* contradictions({ tlsCert, tlsKey, tlsClientCa, nodeHeartbeat, nodeTimeout }: Config): Generator<string> {
  if (nodeTimeout < 4 * nodeHeartbeat) {
    yield 'NODE_TIMEOUT must be at least four times NODE_HEARTBEAT: a late heartbeat is no death. Make the one longer or the other shorter.';
  }
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    yield `${tlsCert === undefined ? 'TLS_CERT' : 'TLS_KEY'} must be set too: a certificate and its key belong together. Set both, or neither for HTTP.`;
  } else if (tlsClientCa !== undefined && tlsCert === undefined) {
    yield 'TLS_CLIENT_CA must not be set without TLS_CERT and TLS_KEY: certificates of clients are shown over TLS. Set all three, or leave it out.';
  }
}

/** Names and addresses that only programs on the same machine can reach. */
export const isLoopbackHost = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127(?:\.[0-9]{1,3}){3}$/.test(host);

function badValue(setting: Setting<unknown>, text: string): string {
  const shown = setting.secret === true ? '' : `, not ${JSON.stringify(text.slice(0, 80))}`;
  const fallback =
    setting.default === undefined ? setting.otherwise : `its default, ${setting.unit.write(setting.default)}`;
  const fault = setting.unit.fault?.(text);
  const because = fault === undefined ? shown : `: ${fault}`;
  return `${setting.env} must be ${setting.unit.expects}${because}. Set it so, or leave it out for ${fallback}.`;
}

const notLoopback = (host: string): string =>
  `HOST must be a loopback address such as 127.0.0.1, not ${JSON.stringify(host)}, unless OIDC_ISSUERS says whose tokens are ` +
  'taken: without it, whoever reaches Signalbox may change everything (SEC2). Leave HOST out, or set OIDC_ISSUERS.';

const hostOf = (origin: string): string => new URL(origin).hostname.replace(/^\[|\]$/g, '');

const noPublicUrl =
  'PUBLIC_URL must say where browsers reach Signalbox, since an issuer in OIDC_ISSUERS has a login and HOST is not loopback: ' +
  'the issuer sends them back there. Set it to the https:// URL of the proxy in front.';

const notReachable = (origin: string): string =>
  `PUBLIC_URL must be of this machine in development mode, not ${JSON.stringify(origin)}: nobody else is answered. Leave it out, or set OIDC_ISSUERS.`;

/** Settings have no prefix; these are the command line's. */
const OF_COMMAND_LINE: ReadonlySet<string> = new Set(['SIGNALBOX_URL', 'SIGNALBOX_TOKEN']);

function warningsOf(env: Env): string[] {
  const known = new Set<string>(Object.values(SETTINGS).map((setting) => setting.env));
  const stray = Object.keys(env).filter((name) => name.startsWith('SIGNALBOX_') && !OF_COMMAND_LINE.has(name));
  return stray.toSorted().map((name) => {
    const meant = name.slice('SIGNALBOX_'.length);
    const hint = known.has(meant) ? `did you mean ${meant}?` : 'docs/settings.md lists those there are.';
    return `${name} is not a setting: ${hint}`;
  });
}
