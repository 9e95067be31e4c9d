import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench, Database } from '../lib/bench.ts';
import { apply, head } from '../lib/catalog.ts';
import type { Figure, Outcome, Row } from '../lib/figure.ts';
import { medians } from '../lib/stats.ts';

const MANIFEST = join(import.meta.dirname, '../../examples/aws/manifest.ndjson');
const MIB = 1024 * 1024;

interface Round {
  readonly cold: number;
  readonly again: number;
  readonly apply: number;
  readonly loaded: number;
  readonly restMiB: number;
  readonly appliedMiB: number;
  readonly peakMiB: number;
}

export const start: Figure = {
  name: 'start',
  title: 'start, and the AWS catalog (one POST /v1/apply, one revision)',
  async measure(bench: Bench): Promise<Outcome> {
    if (bench.options.floorsOnly) return { rows: [], notes: [] };
    const ndjson = readFileSync(MANIFEST, 'utf8');
    const notes: string[] = [];
    const documents = ndjson.trim().split('\n').length;
    const embedded: Round[] = [];
    const postgres: Round[] = [];
    for (let round = 0; round < bench.rounds; round++) {
      embedded.push(await bench.undisturbed(notes, () => once(bench, bench.directory(), ndjson)));
      postgres.push(await bench.undisturbed(notes, async () => once(bench, await bench.database(), ndjson)));
      await bench.endFigure();
    }
    return {
      rows: [...rowsOf('embedded', medians(embedded)), ...rowsOf('PostgreSQL', medians(postgres))],
      notes: [
        ...notes,
        `${documents.toLocaleString('en')} documents, ${Math.round(Buffer.byteLength(ndjson) / 1024)} KiB. From the start of the process to the first 200 of /readyz; ` +
          'the embedded database runs in the same process, on the same core.',
      ],
    };
  },
};

function rowsOf(name: string, round: Record<keyof Round, number>): Row[] {
  return [
    {
      what: `${name}: start to ready, empty${name === 'embedded' ? ', with the creation of the database' : ' database'}`,
      unit: 'ms',
      value: round.cold,
    },
    { what: `${name}: start to ready, again`, unit: 'ms', value: round.again },
    { what: `${name}: AWS apply`, unit: 'ms', value: round.apply, goal: { atMost: 3000 } },
    {
      what: `${name}: start to ready with the AWS catalog, more than an empty one`,
      unit: 'ms',
      value: round.loaded - round.again,
      goal: { atMost: 2000 },
    },
    { what: `${name}: resident memory, empty`, unit: 'MiB', value: round.restMiB },
    { what: `${name}: resident memory, a second after the AWS apply`, unit: 'MiB', value: round.appliedMiB },
    { what: `${name}: most resident memory until then`, unit: 'MiB', value: round.peakMiB },
  ];
}

async function once(bench: Bench, database: Database, ndjson: string): Promise<Round> {
  const cold = await bench.signalbox(database, false);
  await cold.stop();
  const again = await bench.signalbox(database);
  await sleep(500);
  const rest = again.child.memory();
  const before = await head(again.port);
  const { result: applyMs } = await bench.measure(again, async () => {
    const started = performance.now();
    await apply(again.port, ndjson);
    return performance.now() - started;
  });
  const made = (await head(again.port)).revision - before.revision;
  if (made !== 1) throw new Error(`the apply made ${made} revisions`);
  await sleep(1000);
  const applied = again.child.memory();
  await again.stop();
  const loaded = await bench.signalbox(database, false);
  await loaded.stop();
  return {
    cold: cold.readyMs,
    again: again.readyMs,
    apply: applyMs,
    loaded: loaded.readyMs,
    restMiB: rest.rss / MIB,
    appliedMiB: applied.rss / MIB,
    peakMiB: applied.peak / MIB,
  };
}
