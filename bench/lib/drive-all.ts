import { connectAll, type LoadResult } from './http-load.ts';
import { Samples } from './stats.ts';

export interface CountedLoad {
  readonly port: number;
  readonly connections: number;
  readonly count: number;
  /** The n-th request of all. */
  readonly next: (n: number) => Buffer;
}

/** So many requests, however long they take; each caller sends the next one when its last one is answered. */
export async function driveAll({ port, connections, count, next }: CountedLoad): Promise<LoadResult> {
  const callers = await connectAll(port, connections);
  const samples = new Samples();
  let taken = 0;
  const started = performance.now();
  try {
    await Promise.all(
      callers.map(async (caller) => {
        while (taken < count) {
          const request = next(taken++);
          const sent = performance.now();
          const status = await caller.request(request);
          samples.push(performance.now() - sent);
          if (status >= 300) throw new Error(`answered ${status}:\n${caller.failure}`);
        }
      }),
    );
    const seconds = (performance.now() - started) / 1000;
    return { count, perSecond: count / seconds, p50: samples.percentile(0.5), p99: samples.percentile(0.99) };
  } finally {
    for (const caller of callers) caller.close();
  }
}
