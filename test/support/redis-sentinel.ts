/** One master, two replicas and three Sentinels of their own. Knows nothing of Jest. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { type PrivateRedis, startRedis } from './redis.ts';

export interface TestSentinel {
  readonly url: string;
  readonly servers: readonly PrivateRedis[];
  readonly sentinels: readonly PrivateRedis[];
  /** Who that is, as the Sentinels have it. */
  master(): Promise<PrivateRedis>;
  /** Resolves once another server is the master everywhere. */
  failover(): Promise<void>;
  /** Resolves once the Sentinels agree on a master other than this. */
  untilReplaced(master: PrivateRedis): Promise<void>;
  destroy(): Promise<void>;
}

export const MASTER_NAME = 'signalbox-test';

export interface SentinelOptions {
  /** The Sentinels ask for a password: the same as the servers, or none when not given. */
  readonly withPassword?: boolean;
}

export async function startSentinel({ withPassword = false }: SentinelOptions = {}): Promise<TestSentinel> {
  const password = randomBytes(12).toString('hex');
  const started: PrivateRedis[] = [];
  const start = async (options: Parameters<typeof startRedis>[0]): Promise<PrivateRedis> => {
    const server = await startRedis(options);
    started.push(server);
    return server;
  };
  const destroy = async (): Promise<void> => {
    await Promise.all(started.map((server) => server.destroy()));
  };
  try {
    const common = [`masterauth ${password}`, 'repl-diskless-sync-delay 0', 'repl-timeout 5'];
    const first = await start({ password, lines: common });
    const replica = { password, lines: [...common, `replicaof 127.0.0.1 ${first.port}`] };
    const servers = [first, ...(await Promise.all([start(replica), start(replica)]))];
    // A Sentinel asks a master for its replicas when it starts, and then only every ten seconds.
    await until(async () => (await infoOf(first, 'replication')).split('state=online').length === 3);
    const lines = [
      `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${first.port} 2`,
      `sentinel auth-pass ${MASTER_NAME} ${password}`,
      // A busy machine may well keep a server waiting for half of this.
      `sentinel down-after-milliseconds ${MASTER_NAME} 1000`,
      `sentinel failover-timeout ${MASTER_NAME} 3000`,
      `sentinel parallel-syncs ${MASTER_NAME} 2`,
      ...(withPassword ? [`sentinel sentinel-pass ${password}`] : []),
    ];
    const options = { sentinel: true, password: withPassword ? password : '', lines } as const;
    const sentinels = await Promise.all([start(options), start(options), start(options)]);
    await until(async () => {
      const infos = await Promise.all(sentinels.map((each) => infoOf(each, 'sentinel')));
      return infos.every((info) => /status=ok,.*slaves=2,sentinels=3/u.test(info));
    });

    const portOf = async (sentinel: PrivateRedis): Promise<number> => {
      const answer = await run(sentinel, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER_NAME);
      return Number((answer as string[])[1]);
    };
    const untilReplaced = (old: PrivateRedis): Promise<void> =>
      until(async () => {
        const ports = await Promise.all(sentinels.map(portOf));
        return ports.every((port) => port === ports[0] && port !== old.port);
      });
    const master = async (): Promise<PrivateRedis> => {
      const [sentinel] = sentinels;
      const port = sentinel && (await portOf(sentinel));
      const found = servers.find((server) => server.port === port);
      if (found === undefined) throw new Error('the Sentinels name a master of somebody else');
      return found;
    };
    return {
      url: `redis+sentinel://:${password}@${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${MASTER_NAME}`,
      servers,
      sentinels,
      master,
      async failover() {
        const old = await master();
        // Where the servers stood still a moment ago, no replica is good enough for it yet (NOGOODSLAVE), which nobody else can tell.
        await until(() => run(sentinels[0] ?? old, 'SENTINEL', 'FAILOVER', MASTER_NAME).then(() => true));
        await untilReplaced(old);
        // Until it is told, it goes on as the master that it was.
        await until(async () => (await infoOf(old, 'replication')).includes('role:slave'));
      },
      untilReplaced,
      destroy,
    };
  } catch (error) {
    await destroy();
    throw error;
  }
}

/** One command on a connection of its own. */
export async function run(server: PrivateRedis, command: string, ...args: (string | number)[]): Promise<unknown> {
  const redis = new Redis(server.url, { lazyConnect: true, retryStrategy: null, enableReadyCheck: false });
  redis.on('error', () => {});
  try {
    await redis.connect();
    return await redis.call(command, ...args);
  } finally {
    redis.disconnect();
  }
}

export const infoOf = async (server: PrivateRedis, section: string): Promise<string> =>
  String(await run(server, 'INFO', section));

export async function until(condition: () => Promise<boolean>, timeoutMs = 25_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition().catch(() => false))) {
    if (performance.now() > deadline) throw new Error(`not so within ${timeoutMs} ms: ${condition.toString()}`);
    await sleep(50);
  }
}
