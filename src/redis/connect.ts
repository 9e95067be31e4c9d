import { Redis, type RedisOptions } from 'ioredis';
import { connectorTo } from './connector.ts';
import { locateMaster, locateOwner } from './locate.ts';
import { tlsTo } from './tls.ts';
import type { RedisTarget } from './url.ts';

export interface ConnectionOptions {
  readonly target: RedisTarget;
  /** Shown in Redis's list of clients. */
  readonly name: string;
  /** A key or channel: in a cluster, the connection goes to the master of its slot. */
  readonly key: string;
}

/** A connection that owes an answer for this long is given up. */
const ANSWER_MS = 2000;
const DISCONNECT_MS = 500;
/** A master that was replaced without knowing it is left after this time at most. */
const WATCH_MS = 2000;
/** A connection that did not hold for so long is made again less hastily. */
const SHORT_LIVED_MS = 1000;

/**
 * One connection, to one server: the only one, the master that Sentinels name, or the master of a key's slot. It is made again
 * whenever it ends, and then to where the right server is by then; commands are never kept for later, nor sent twice.
 */
export function openConnection({ target, name, key }: ConnectionOptions): Redis {
  let readyAt = -Infinity;
  const retryStrategy = (attempt: number): number =>
    retryDelay(performance.now() - readyAt < SHORT_LIVED_MS ? attempt + 3 : attempt);
  const options = { ...CONNECTION, ...target.credentials, retryStrategy, connectionName: name };
  const redis = new Redis({ ...options, ...routeTo(target, key) });
  redis.on('ready', () => (readyAt = performance.now()));
  return redis;
}

/** What was written still goes out. A connection that is not open says nothing of its end, yet keeps a timer for as long. */
export async function disconnect(redis: Redis): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const ended = new Promise<void>((resolve) => {
    redis.once('end', resolve);
    timer = setTimeout(resolve, DISCONNECT_MS);
  });
  redis.disconnect();
  await ended;
  clearTimeout(timer);
}

/** To wherever the right server is now. */
export function reconnect(redis: Redis): void {
  // While it connects already, ioredis would take this for the end.
  if (redis.status === 'ready') redis.disconnect(true);
}

/** The server is not, or is no longer, the one to talk to: another connection would find the right one. */
export const isElsewhere = (error: unknown): boolean =>
  /^(?:MOVED|READONLY|CLUSTERDOWN|MASTERDOWN)\b/u.test((error as Error).message);

/** The text alone: ioredis attaches the failed command with its arguments, and those may hold the password. */
export function reasonOf(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string };
  return message || code || String(error);
}

const CONNECTION: RedisOptions = {
  // Nothing is kept for later: what is old is of no use, and subscriptions are made anew by who has them.
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  maxRetriesPerRequest: 0,
  socketTimeout: ANSWER_MS,
  connectTimeout: ANSWER_MS,
  disconnectTimeout: DISCONNECT_MS,
};

/** Nodes that lost the same server do not all come back at the same moment. */
const retryDelay = (attempt: number): number => Math.min(50 * 2 ** (attempt - 1), 2000) * (0.75 + Math.random() / 2);

function routeTo(target: RedisTarget, key: string): RedisOptions {
  const { tls } = target;
  if (target.form === 'single') {
    const { host, port, db } = target;
    return { host, port, db, ...tlsTo(host, tls) };
  }
  const how = { tls, disconnectMs: DISCONNECT_MS, delay: retryDelay };
  const Connector =
    target.form === 'sentinel'
      ? connectorTo({ ...how, locate: locateMaster(target), watchMs: WATCH_MS })
      : connectorTo({ ...how, locate: locateOwner(target, key) });
  // ioredis waits for the handshake of TLS only where it knows of TLS.
  return { Connector, ...(tls && { tls: {} }) };
}
