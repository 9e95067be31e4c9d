import { Redis } from 'ioredis';
import { readClusterNodes } from './cluster-nodes.ts';
import { newest } from './newest.ts';
import { tlsTo } from './tls.ts';
import type { Address, ClusterTarget, Credentials, SentinelTarget } from './url.ts';

/** Where something is, as of an epoch: of two places, the one of the higher epoch is right. */
export interface Place extends Address {
  readonly epoch: number;
}

/** Rejects when nobody says where it is. */
export type Locate = () => Promise<Place>;

const ANSWER_MS = 1000;
/** Others may know better than who answers first. */
const GRACE_MS = 200;
/** So many servers of a cluster are asked at once. */
const ASKED = 4;

/** The master, as the Sentinels have it. */
export function locateMaster({ sentinels, master, credentials, tls }: SentinelTarget): Locate {
  const askOne = (at: Address): Promise<Place> =>
    firstThatAuthenticates(sentinelCredentials(credentials), (as) =>
      ask(at, as, tls, async (redis) => {
        const [where, state] = (await Promise.all([
          redis.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', master),
          redis.call('SENTINEL', 'MASTER', master),
        ])) as [[string, string] | null, string[]];
        if (where === null) throw new Error('the Sentinel knows no master of that name');
        return { host: where[0], port: Number(where[1]), epoch: Number(state[state.indexOf('config-epoch') + 1]) };
      }),
    );
  return () => newest(sentinels.map(askOne), GRACE_MS);
}

/** The master of the slot that a key is in. */
export function locateOwner({ nodes, credentials, tls }: ClusterTarget, key: string): Locate {
  let known = nodes;
  const askOne = (at: Address): Promise<Place> =>
    ask(at, credentials, tls, async (redis) => {
      const [slot, text] = await Promise.all([redis.cluster('KEYSLOT', key), redis.call('CLUSTER', 'NODES')]);
      const view = readClusterNodes(String(text), slot, at, tls);
      if (view.owner === undefined) throw new Error(`no server of the cluster has slot ${slot}`);
      if (view.nodes.length > 0) known = view.nodes;
      return view.owner;
    });
  return async () => {
    // Others each time: whoever has nothing useful to say is not asked forever.
    known = [...known.slice(ASKED), ...known.slice(0, ASKED)];
    try {
      return await newest(known.slice(0, ASKED).map(askOne), GRACE_MS);
    } catch (error) {
      known = nodes;
      throw error;
    }
  };
}

/**
 * Sentinels have users of their own, and often no passwords at all. They are told the same as the servers with the data,
 * without the user if they do not know it, and nothing if they refuse that too.
 */
function sentinelCredentials({ username, password }: Credentials): readonly Credentials[] {
  if (password === undefined) return [{}];
  return username === undefined ? [{ password }, {}] : [{ username, password }, { password }, {}];
}

async function firstThatAuthenticates<T>(
  candidates: readonly Credentials[],
  attempt: (credentials: Credentials) => Promise<T>,
): Promise<T> {
  let refused: unknown;
  for (const candidate of candidates) {
    try {
      return await attempt(candidate);
    } catch (error) {
      if (!/^(?:WRONGPASS|NOAUTH|ERR AUTH|ERR invalid password)/u.test((error as Error).message)) throw error;
      refused ??= error;
    }
  }
  throw refused;
}

async function ask<T>(
  at: Address,
  credentials: Credentials,
  tls: boolean,
  question: (redis: Redis) => Promise<T>,
): Promise<T> {
  const redis = new Redis({
    ...at,
    ...credentials,
    ...tlsTo(at.host, tls),
    lazyConnect: true,
    retryStrategy: null,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    connectTimeout: ANSWER_MS,
    socketTimeout: ANSWER_MS,
    disconnectTimeout: ANSWER_MS,
  });
  let first: unknown;
  redis.on('error', (error: unknown) => (first ??= error));
  try {
    await redis.connect();
    return await question(redis);
  } catch (error) {
    throw first ?? error;
  } finally {
    redis.disconnect();
  }
}
