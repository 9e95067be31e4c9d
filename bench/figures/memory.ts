import type { Bench } from '../lib/bench.ts';
import type { Figure, Outcome } from '../lib/figure.ts';
import { residentBytes } from '../lib/resident.ts';
import { median } from '../lib/stats.ts';
import { signalboxTarget, wsTarget, type Target } from '../lib/target.ts';

export const memory: Figure = {
  name: 'memory',
  title: 'memory per idle watcher, one connection and one subscription each',
  async measure(bench: Bench): Promise<Outcome> {
    const [few, many] = bench.quick ? [500, 3000] : [1000, 10_000];
    const { floorsOnly } = bench.options;
    const floors: number[] = [];
    const values: number[] = [];
    for (let round = 0; round < bench.rounds; round++) {
      floors.push(await perWatcher(bench, () => wsTarget(bench, 700, true), few, many));
      if (!floorsOnly) values.push(await perWatcher(bench, () => signalboxTarget(bench, true), few, many));
    }
    return {
      rows: [
        {
          what: 'resident memory',
          unit: 'KiB',
          floor: median(floors),
          floorName: 'bare ws',
          ...(floorsOnly ? {} : { value: median(values) }),
          goal: { atMost: 12 },
          reference: 'bare ws 6.6; etcd 56; Consul 52',
        },
      ],
      notes: [
        `Growth of the resident set from ${few.toLocaleString('en')} to ${many.toLocaleString('en')} watchers, in a fresh process each round, ` +
          'after garbage collections asked for through the inspector on both sides.',
        `bare ws ${list(floors)} KiB${floorsOnly ? '' : `, Signalbox ${list(values)} KiB`}.`,
      ],
    };
  },
};

const list = (values: readonly number[]): string => values.map((value) => value.toFixed(1)).join(', ');

async function perWatcher(bench: Bench, start: () => Promise<Target>, few: number, many: number): Promise<number> {
  const target = await start();
  const crowds = [target.crowd(few, { wave: 250 }), target.crowd(many - few, { wave: 250 })] as const;
  await crowds[0].open();
  const before = await residentBytes(target.server);
  await crowds[1].open(120_000);
  const after = await residentBytes(target.server);
  await Promise.all(crowds.map((crowd) => crowd.cut()));
  await bench.endFigure();
  return (after - before) / (many - few) / 1024;
}
