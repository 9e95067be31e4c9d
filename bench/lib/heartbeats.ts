import type { Store } from '../../src/store/port.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import type { Bench } from './bench.ts';
import { CpuMeter } from './cpu.ts';
import { median } from './stats.ts';

export interface HeartbeatCost {
  readonly ms: number;
  /** Microseconds of PostgreSQL's CPU for one. */
  readonly databaseUs: number;
  /** And of the node's. */
  readonly nodeUs: number;
}

/** What a node says of itself, as src/cluster says it. */
const STATE = {
  takesPart: true,
  leases: 'here',
  view: { epoch: '6f1f3c1e-5f5c-4d3e-9a53-0f6a3f4f8a51', revision: 123_456, digest: '45dcaf2e3c087d8a' },
  ready: true,
  draining: false,
  degraded: [],
  epoch: '6f1f3c1e-5f5c-4d3e-9a53-0f6a3f4f8a51',
  revision: 123_456,
  watchers: 1000,
  subscriptions: 2000,
  instances: 20_000,
};

/** Of nodes on one database, by turns and one after the other, from this process. */
export async function heartbeatCost(bench: Bench, nodes: number, beats: number): Promise<HeartbeatCost> {
  const store = await openPostgres(await bench.database());
  try {
    const ids = Array.from({ length: nodes }, (_, n) => `00000000-0000-4000-8000-00000000000${n}`);
    await beatAll(store, ids, 10 * nodes);
    const meter = new CpuMeter(bench.options.cores);
    const own = process.cpuUsage();
    const times = await beatAll(store, ids, beats);
    const { user, system } = process.cpuUsage(own);
    const { database, seconds } = meter.stop();
    return { ms: median(times), databaseUs: (database * seconds * 1e6) / beats, nodeUs: (user + system) / beats };
  } finally {
    await store.close();
  }
}

async function beatAll({ nodes }: Pick<Store, 'nodes'>, ids: readonly string[], beats: number): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < beats; n++) {
    const id = ids[n % ids.length] ?? '';
    const started = performance.now();
    await nodes.beat({ id, name: `node-${id.at(-1)}`, version: '0.1.0', state: STATE });
    times.push(performance.now() - started);
  }
  return times;
}
