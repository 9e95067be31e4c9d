import type { Bench, Server } from '../lib/bench.ts';
import { head } from '../lib/catalog.ts';
import { driveAll } from '../lib/drive-all.ts';
import type { Figure, Outcome } from '../lib/figure.ts';
import { percent } from '../lib/format.ts';
import { registerMany, registerRequest } from '../lib/instances.ts';
import { medians } from '../lib/stats.ts';
import { postgresFloor } from '../floors/postgres.ts';
import { ETCD_SHARE } from './writes.ts';

const CALLERS = 64;
const COUNT = 5000;
/** About as long as the figure of catalog writes takes to warm up. */
const WARM_UP = 3 * COUNT;

export const registrations: Figure = {
  name: 'registrations',
  title: `${COUNT.toLocaleString('en')} new instances with leases, ${CALLERS} callers, durable on PostgreSQL`,
  async measure(bench: Bench): Promise<Outcome> {
    const notes: string[] = [];
    const floor = await postgresFloor(bench, notes);
    const goal = {
      what: 'registrations',
      unit: 'per second' as const,
      floor: floor.many,
      floorName: 'PostgreSQL, 64 connections',
      goal: { atLeastFloors: ETCD_SHARE },
      reference: 'etcd 10,900 bare, 3,300 with a lease each; Consul 1,400',
    };
    if (bench.options.floorsOnly) return { rows: [goal], notes };

    const server = await bench.signalbox(await bench.database());
    let registered = WARM_UP;
    await registerMany(server.port, 0, registered);
    const rounds: { perSecond: number; p50: number; p99: number }[] = [];
    for (let round = 0; round < bench.rounds; round++) {
      const { result, cpu } = await bench.undisturbed(notes, () => {
        registered += COUNT;
        return once(bench, server, registered - COUNT);
      });
      rounds.push({ perSecond: result.perSecond, p50: result.p50, p99: result.p99 });
      const each = (share: number): string => ((share * cpu.seconds * 1e6) / COUNT).toFixed(0);
      notes.push(
        `${COUNT.toLocaleString('en')} registrations, each of another instance and a revision; of their core Signalbox took ${percent(cpu.server)} and PostgreSQL ${percent(cpu.database)}, ` +
          `so ${each(cpu.server)} and ${each(cpu.database)} µs each; the client took ${percent(cpu.client)} of its own.`,
      );
    }
    const { perSecond, p50, p99 } = medians(rounds);
    return {
      rows: [
        { ...goal, value: perSecond },
        { what: 'registrations, p50', unit: 'ms', value: p50 },
        { what: 'registrations, p99', unit: 'ms', value: p99 },
      ],
      notes,
    };
  },
};

async function once(bench: Bench, server: Server, first: number) {
  const before = await head(server.port);
  // Made beforehand: the identities are hashed on the server's side only.
  const requests = Array.from({ length: COUNT }, (_, n) => registerRequest(first + n));
  const load = { port: server.port, connections: CALLERS, count: COUNT, next: (n: number) => requests[n] ?? never(n) };
  const measured = await bench.measure(server, () => driveAll(load));
  const revisions = (await head(server.port)).revision - before.revision;
  if (revisions !== COUNT) throw new Error(`${COUNT} registrations made ${revisions} revisions`);
  return measured;
}

function never(n: number): never {
  throw new Error(`there is no request ${n}`);
}
