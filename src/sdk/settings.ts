import { SPOKEN } from '../protocol/version.ts';
import { isPrivate } from './auth.ts';
import { BACKOFF } from './connection/backoff.ts';
import type { Carrier } from './connection/link.ts';
import type { Settings } from './connection/state.ts';
import { SignalboxError } from './errors.ts';
import type { Auth, ConnectOptions } from './options.ts';
import { LONGEST_MS } from './time.ts';

export type Env = Readonly<Record<string, string | undefined>>;

/** The options of a client with everything filled in. */
export interface ClientSettings {
  readonly connection: Settings;
  readonly auth: Auth | undefined;
  /** Whose copies are kept (`Kept.server`). */
  readonly server: string;
}

const DEFAULT_URL = 'http://127.0.0.1:4400';
const OPEN_TIMEOUT_MS = 10_000;

export interface SettingsDeps {
  readonly env: Env;
  readonly random: () => number;
  /** Those there are; the best first. */
  readonly carriers: readonly Carrier[];
}

/** @throws SignalboxError `invalid-options`, with the option that makes no sense. */
export function readSettings(options: ConnectOptions, { env, random, carriers }: SettingsDeps): ClientSettings {
  const { backoff = {}, openTimeoutMs = OPEN_TIMEOUT_MS } = options;
  const { baseMs = BACKOFF.baseMs, maxMs = BACKOFF.maxMs } = backoff;
  positive('openTimeoutMs', openTimeoutMs);
  positive('backoff.baseMs', baseMs);
  positive('backoff.maxMs', maxMs);
  const urls = urlsOf(options, env).map(baseUrl);
  const auth = options.auth ?? (env['SIGNALBOX_TOKEN'] ? { token: env['SIGNALBOX_TOKEN'] } : undefined);
  const allowHttp = options.allowHttp ?? env['SIGNALBOX_ALLOW_HTTP'] === '1';
  if (auth !== undefined && !allowHttp) for (const url of shownTo(auth, urls)) assertPrivate(url);
  return {
    connection: {
      urls: atLeastOne(shuffled(urls, random), 'urls'),
      carriers: carriersOf(options, carriers),
      backoff: { baseMs, maxMs },
      openTimeoutMs,
      renewable: auth !== undefined && !('token' in auth && typeof auth.token === 'string'),
      spoken: SPOKEN.map(({ version }) => version),
    },
    auth,
    server: urls.toSorted().join(' '),
  };
}

function urlsOf({ url, urls }: ConnectOptions, env: Env): readonly string[] {
  if (url !== undefined && urls !== undefined) throw invalid('url and urls', 'are one or the other');
  if (urls !== undefined) return urls;
  return [url ?? (env['SIGNALBOX_URL'] || DEFAULT_URL)];
}

function baseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw invalid('url', `takes an address such as https://signalbox.example.com, not ${JSON.stringify(text)}`);
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw invalid('url', 'carries no user, password, query or fragment; a token goes into auth');
  }
  return url.href.replace(/\/+$/, '');
}

const shownTo = (auth: Auth, urls: readonly string[]): readonly string[] =>
  'clientCredentials' in auth ? [...urls, auth.clientCredentials.tokenUrl] : urls;

function assertPrivate(url: string): void {
  if (!URL.canParse(url)) throw invalid('auth', `takes a tokenUrl such as https://login.example.com/token, not ${url}`);
  if (isPrivate(url)) return;
  throw invalid(
    'auth',
    `would be sent to ${url} for everybody to read: use https, or set allowHttp where the network is safe`,
  );
}

function carriersOf({ carriers: names }: ConnectOptions, carriers: readonly Carrier[]): Settings['carriers'] {
  const known = carriers.map(({ name }) => name);
  const strange = names?.find((name) => !known.includes(name));
  if (strange !== undefined)
    throw invalid('carriers', `are some of ${known.join(', ')}, not ${JSON.stringify(strange)}`);
  return atLeastOne([...new Set(names ?? known)], 'carriers');
}

function atLeastOne<T>([first, ...rest]: readonly T[], option: string): [T, ...T[]] {
  if (first === undefined) throw invalid(option, 'has at least one entry');
  return [first, ...rest];
}

function positive(option: string, value: number): void {
  if (!(value > 0 && value <= LONGEST_MS)) {
    throw invalid(option, `is a number of milliseconds from above 0 to ${LONGEST_MS}, not ${value}`);
  }
}

/** Fisher and Yates: each order is as likely as any other, so that a thousand clients spread over the nodes. */
function shuffled<T>(values: readonly T[], random: () => number): T[] {
  const all = [...values];
  for (let i = all.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [all[i], all[j]] = [all[j] as T, all[i] as T];
  }
  return all;
}

const invalid = (option: string, why: string): SignalboxError =>
  new SignalboxError('invalid-options', `${option} ${why}.`);
