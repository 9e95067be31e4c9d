import type { Bench } from './bench.ts';
import type { BenchRedis } from './redis.ts';
import type { Subject } from './subjects.ts';
import { targetAt, untilAt, type Target } from './target.ts';

export type NodeTarget = Omit<Target, 'frameBytes'>;

/** Nodes on one database, and on one Redis where that is wanted, in their default settings. */
export interface Nodes {
  readonly database: { readonly url: string };
  readonly redis: BenchRedis | undefined;
  /** One more, ready, with all that the others have. Without the profiler where its end is sudden. */
  start(name: string, options?: { readonly mayProfile?: boolean }): Promise<NodeTarget>;
}

export async function prepareNodes(bench: Bench, subject: Subject, withRedis: boolean): Promise<Nodes> {
  const database = await bench.database();
  const redis = withRedis ? await bench.redis() : undefined;
  let first: NodeTarget | undefined;
  return {
    database,
    redis,
    start: async (name, { mayProfile = true } = {}) => {
      const settings = { NODE_NAME: name, ...(redis !== undefined && { REDIS_URL: redis.url }) };
      const server = await bench.signalbox(database, mayProfile && bench.options.profile, settings);
      const target = targetAt(server, subject);
      if (first === undefined) await subject.prepare(server.port);
      else await untilAt(target, (await first.head()).revision);
      first ??= target;
      return target;
    },
  };
}
