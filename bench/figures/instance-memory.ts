import { TRIES_OF_LONG, type Bench, type Database } from '../lib/bench.ts';
import type { Figure, Outcome, Row } from '../lib/figure.ts';
import { registerMany } from '../lib/instances.ts';
import { residentBytes } from '../lib/resident.ts';
import { median } from '../lib/stats.ts';

const MIB = 1024 * 1024;
const SOME = 10_000;

export const instanceMemory: Figure = {
  name: 'instance-memory',
  title: 'memory of registered instances, and starting with them, on PostgreSQL',
  async measure(bench: Bench): Promise<Outcome> {
    if (bench.options.floorsOnly) return { rows: [], notes: [] };
    const many = bench.quick ? 30_000 : 100_000;
    const growths: number[] = [];
    for (let round = 1; round < bench.rounds; round++) {
      growths.push((await grown(bench, await bench.database(), [SOME])).growths[0] ?? NaN);
      await bench.endFigure();
    }
    const database = await bench.database();
    const last = await grown(bench, database, [SOME, many]);
    const [atSome = NaN, atMany = NaN] = last.growths;
    growths.push(atSome);
    const notes = [
      'Growth of the resident set of a fresh process that had nothing, after garbage collections asked for through the inspector on both sides; ' +
        `each instance is ${last.bytes.toFixed(0)} bytes of JSON. The process was at ${(last.empty / MIB).toFixed(0)} MiB before, and grew by ${list(growths)} MiB.`,
    ];
    const starts = await startsOn(bench, database, notes);
    const label = (count: number): string => count.toLocaleString('en');
    const rows: Row[] = [
      {
        what: `${label(SOME)} instances above empty`,
        unit: 'MiB',
        value: median(growths),
        goal: { atMost: 40 },
        reference: 'etcd 23; Consul 163',
      },
      { what: `${label(many)} instances above empty`, unit: 'MiB', value: atMany },
      { what: 'an instance among them', unit: 'KiB', value: ((atMany - atSome) * 1024) / (many - SOME) },
      { what: `start to ready with ${label(many)}`, unit: 's', value: median(starts.map(({ seconds }) => seconds)) },
      { what: 'resident memory then', unit: 'MiB', value: median(starts.map(({ mib }) => mib)) },
    ];
    return { rows, notes };
  },
};

const list = (values: readonly number[]): string => values.map((value) => value.toFixed(1)).join(', ');

/** MiB above empty with each of these numbers of instances. */
async function grown(bench: Bench, database: Database, counts: readonly number[]) {
  const server = await bench.signalbox(database, true);
  const empty = await residentBytes(server);
  const growths: number[] = [];
  let registered = 0;
  for (const count of counts) {
    await registerMany(server.port, registered, count - registered);
    registered = count;
    growths.push(((await residentBytes(server)) - empty) / MIB);
  }
  const response = await fetch(`http://127.0.0.1:${server.port}/v1/instances?pageSize=100`);
  const bytes = (await response.arrayBuffer()).byteLength / 100;
  await server.stop();
  return { empty, growths, bytes };
}

/** On the database that is full now, again and again. */
async function startsOn(
  bench: Bench,
  database: Database,
  notes: string[],
): Promise<{ seconds: number; mib: number }[]> {
  const starts: { seconds: number; mib: number }[] = [];
  for (let round = 0; round < bench.rounds; round++) {
    const once = async () => {
      const server = await bench.signalbox(database, true);
      const mib = (await residentBytes(server)) / MIB;
      await server.stop();
      return { seconds: server.readyMs / 1000, mib };
    };
    starts.push(await bench.undisturbed(notes, once, TRIES_OF_LONG));
  }
  return starts;
}
