import { Redis } from 'ioredis';
import { join } from 'node:path';
import pg from 'pg';
import { startPostgres, type PrivatePostgres } from '../support/postgres.ts';
import { Random } from '../support/random.ts';
import { startRedis, type PrivateRedis } from '../support/redis.ts';
import { temporaryDirectory } from '../support/signalbox.ts';
import { ClusterNode } from './cluster-node.ts';
import { READER_NAME } from './log-reader.ts';

export interface ClusterOptions {
  readonly nodes: number;
  readonly seed: number;
  readonly env?: Readonly<Record<string, string>>;
  /** A directory for what the nodes say. */
  readonly logs?: string | undefined;
}

/** Quick enough that a run of a minute sees everything several times. */
const QUICK = {
  TAIL_INTERVAL: '200ms',
  WATCH_HEARTBEAT: '500ms',
  // All callers are of this machine, and so are one to the limits.
  RATE_LIMIT_RESUME: 'off',
  RATE_LIMIT_RENEW: 'off',
  RATE_LIMIT_WRITE: 'off',
  RATE_LIMIT_READ: 'off',
  RATE_LIMIT_LIST: 'off',
};

/** Real nodes on one PostgreSQL and one Redis, each through links of its own. */
export class Cluster {
  readonly nodes: readonly ClusterNode[];
  readonly postgres: PrivatePostgres;
  readonly redis: PrivateRedis;
  readonly #remove: () => void;

  private constructor(
    nodes: readonly ClusterNode[],
    servers: { readonly postgres: PrivatePostgres; readonly redis: PrivateRedis },
    remove: () => void,
  ) {
    this.nodes = nodes;
    this.postgres = servers.postgres;
    this.redis = servers.redis;
    this.#remove = remove;
  }

  /** Servers and all nodes, ready. */
  static async start({ nodes: count, seed, env = {}, logs }: ClusterOptions): Promise<Cluster> {
    const directory = temporaryDirectory();
    const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
    const random = new Random(seed);
    const nodes = await Promise.all(
      Array.from({ length: count }, (_, i) =>
        ClusterNode.create({
          name: `node-${i}`,
          postgres: postgres.url,
          redis: redis.url,
          env: { ...QUICK, ...env },
          skewFile: join(directory.path, `skew-${i}`),
          random,
          logs,
        }),
      ),
    );
    const cluster = new Cluster(nodes, { postgres, redis }, () => directory.remove());
    try {
      for (const node of nodes) await node.start();
    } catch (error) {
      await cluster.destroy();
      throw error;
    }
    return cluster;
  }

  /** Ends connections of nodes to the database; answers how many. */
  async terminateBackends(where = 'true'): Promise<number> {
    const client = new pg.Client({ connectionString: this.postgres.url });
    client.on('error', () => {});
    await client.connect();
    try {
      const { rowCount } = await client.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
            AND application_name <> '${READER_NAME}' AND ${where}`,
      );
      return rowCount ?? 0;
    } finally {
      await client.end();
    }
  }

  /** Says something to Redis, past every link. */
  async askRedis(...command: [string, ...string[]]): Promise<unknown> {
    const client = new Redis(this.redis.url, { lazyConnect: true, retryStrategy: null });
    client.on('error', () => {});
    await client.connect();
    try {
      return await client.call(...command);
    } finally {
      client.disconnect();
    }
  }

  async destroy(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.destroy()));
    await Promise.all([this.postgres.destroy(), this.redis.destroy()]);
    this.#remove();
  }
}
