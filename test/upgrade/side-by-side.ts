import { createDatabase } from '../support/postgres.ts';
import { openRedis } from '../support/redis.ts';
import { freePort } from '../support/free-port.ts';
import { type Signalbox } from '../support/signalbox.ts';
import { startNode } from '../acceptance/nodes.ts';
import { PROGRAM } from './previous.ts';

type Env = Readonly<Record<string, string>>;
export type Release = 'old' | 'new';

/** A node of the release before this one, or of this one. */
export const startNodeOf = (release: Release, env: Env, port?: number): Promise<Signalbox> =>
  startNode(env, { ...(release === 'old' && { program: PROGRAM }), ...(port !== undefined && { port }) });

/** One database and one Redis, on which nodes of both releases can stand. */
export interface Ground {
  readonly env: Env;
  drop(): Promise<void>;
}

export async function makeGround(): Promise<Ground> {
  const [database, redis] = await Promise.all([createDatabase(), openRedis()]);
  return {
    env: { DATABASE_URL: database.url, REDIS_URL: redis.url },
    drop: async () => {
      await redis.destroy();
      await database.drop();
    },
  };
}

/** An address at which there is a node, now of one release and now of the other. */
export class Place {
  readonly url: string;
  readonly #port: number;
  readonly #env: Env;
  #node: Signalbox | undefined;

  private constructor(port: number, env: Env) {
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.#env = env;
  }

  static async at(env: Env): Promise<Place> {
    return new Place(await freePort(), env);
  }

  /** The node that is there ends in order, and then the next one starts. */
  async put(release: Release, env: Env = {}): Promise<void> {
    await this.clear();
    this.#node = await startNodeOf(release, { ...this.#env, ...env }, this.#port);
  }

  async clear(): Promise<void> {
    const node = this.#node;
    this.#node = undefined;
    if (node === undefined) return;
    const code = await node.stop();
    if (code !== 0) throw new Error(`a node ended with ${code}:\n${node.output().slice(-2000)}`);
  }
}
