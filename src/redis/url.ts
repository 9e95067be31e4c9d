import { isIP } from 'node:net';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What REDIS_URL names. */
export type RedisTarget = SingleTarget | SentinelTarget | ClusterTarget;

interface Common {
  readonly tls: boolean;
  /** Of the servers that hold the data. */
  readonly credentials: Credentials;
}

export interface Credentials {
  readonly username?: string;
  readonly password?: string;
}

export interface SingleTarget extends Common {
  readonly form: 'single';
  readonly host: string;
  readonly port: number;
  readonly db: number;
}

export interface SentinelTarget extends Common {
  readonly form: 'sentinel';
  readonly sentinels: readonly Address[];
  readonly master: string;
}

/** Clusters have no databases but one. */
export interface ClusterTarget extends Common {
  readonly form: 'cluster';
  readonly nodes: readonly Address[];
}

export type ReadRedisUrl =
  | { readonly ok: true; readonly target: RedisTarget }
  /** Says nothing of what stands in the URL, which may hold a password. */
  | { readonly ok: false; readonly fault: string };

const SHAPE = /^redis(s)?(?:\+(sentinel|cluster))?:\/\/(?:([^/?#]*)@)?([^/?#@]+)(?:\/([^?#]*))?$/u;
const REDIS_PORT = 6379;
const SENTINEL_PORT = 26379;
const MAX_HOSTS = 64;

/**
 * `redis://user:password@host:6379/0`, `redis+sentinel://user:password@host1:26379,host2/master-name` or
 * `redis+cluster://user:password@host1,host2:6379`; `rediss` in place of `redis` is TLS to all of them. User and password are
 * percent-encoded, an IPv6 address stands in brackets.
 */
export function readRedisUrl(text: string): ReadRedisUrl {
  const [, s, form, userInfo = '', list = '', path = ''] = SHAPE.exec(text) ?? [];
  if (list === '') return fault('it is not redis[s][+sentinel|+cluster]://user:password@host:port');
  const credentials = readCredentials(userInfo);
  if (credentials === undefined) return fault('its user and password are not percent-encoded');
  const hosts = list.split(',').map((each) => readAddress(each, form === 'sentinel' ? SENTINEL_PORT : REDIS_PORT));
  if (!hosts.every((each) => each !== undefined)) return fault('it names something that is no host:port');
  if (hosts.length > MAX_HOSTS) return fault(`it names more than ${MAX_HOSTS} hosts`);
  const common = { tls: s !== undefined, credentials };
  const [first] = hosts;
  if (form === 'sentinel') {
    const master = decode(path);
    if (!master || master.includes('/')) return fault('with +sentinel it ends in / and the name of the master');
    return { ok: true, target: { form, ...common, sentinels: hosts, master } };
  }
  if (form === 'cluster') {
    return path === ''
      ? { ok: true, target: { form, ...common, nodes: hosts } }
      : fault('with +cluster it has no database number: a cluster has one database');
  }
  if (first === undefined || hosts.length > 1) return fault('several hosts need +sentinel or +cluster');
  if (!/^(?:\d{1,5})?$/u.test(path)) return fault('the number of its database is no number');
  return { ok: true, target: { form: 'single', ...common, ...first, db: Number(path) } };
}

/** Throws what `readRedisUrl` finds wrong. */
export function redisTarget(url: string): RedisTarget {
  const read = readRedisUrl(url);
  if (!read.ok) throw new Error(`the URL of Redis cannot be used: ${read.fault}`);
  return read.target;
}

function readCredentials(userInfo: string): Credentials | undefined {
  if (userInfo === '') return {};
  const colon = userInfo.indexOf(':');
  const username = decode(colon < 0 ? userInfo : userInfo.slice(0, colon));
  const password = decode(colon < 0 ? '' : userInfo.slice(colon + 1));
  if (username === undefined || password === undefined) return undefined;
  return username === '' ? { password } : { username, password };
}

function readAddress(text: string, defaultPort: number): Address | undefined {
  const [, v6, name, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([\w.-]{1,253}))(?::(\d{1,5}))?$/u.exec(text) ?? [];
  const host = v6 ?? name;
  const port = digits === undefined ? defaultPort : Number(digits);
  if (host === undefined || (v6 !== undefined && isIP(v6) !== 6) || port < 1 || port > 65_535) return undefined;
  return { host, port };
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

const fault = (text: string): ReadRedisUrl => ({ ok: false, fault: text });
