import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench, Server } from './bench.ts';
import { head } from './catalog.ts';
import type { BenchRedis } from './redis.ts';
import type { Subject } from './subjects.ts';
import { targetAt, type Target } from './target.ts';

const CATCH_UP_MS = 20_000;

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
  let first: Server | undefined;
  return {
    database,
    redis,
    start: async (name, { mayProfile = true } = {}) => {
      const settings = { NODE_NAME: name, ...(redis !== undefined && { REDIS_URL: redis.url }) };
      const server = await bench.signalbox(database, mayProfile && bench.options.profile, settings);
      if (first === undefined) await subject.prepare(server.port);
      else await untilAt(server.port, (await head(first.port)).revision);
      first ??= server;
      return targetAt(server, subject);
    },
  };
}

async function untilAt(port: number, revision: number): Promise<void> {
  const deadline = performance.now() + CATCH_UP_MS;
  while ((await head(port)).revision < revision) {
    if (performance.now() > deadline) throw new Error(`a node did not come to revision ${revision}`);
    await sleep(50);
  }
}
