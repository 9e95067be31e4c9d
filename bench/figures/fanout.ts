import type { Bench } from '../lib/bench.ts';
import type { Figure, Outcome, Row } from '../lib/figure.ts';
import { percent } from '../lib/format.ts';
import { EVERY_MS, spread, WATCHERS } from '../lib/spread.ts';
import { medians } from '../lib/stats.ts';
import { DEPLOYMENTS, INSTANCES, type Subject } from '../lib/subjects.ts';
import { watchTargets } from '../lib/target.ts';

const CHANGES = 100;

const title = (what: string): string =>
  `${WATCHERS.toLocaleString('en')} watchers of ${what}, a change each ${EVERY_MS} ms: from write sent to seen by each`;

export const fanout: Figure = {
  name: 'fanout',
  title: title('one service'),
  measure: (bench) => measure(bench, DEPLOYMENTS),
};

export const instanceFanout: Figure = {
  name: 'instance-fanout',
  title: title('the passing instances of one service'),
  measure: (bench) => measure(bench, INSTANCES),
};

async function measure(bench: Bench, subject: Subject): Promise<Outcome> {
  const targets = await watchTargets(bench, subject);
  const results = new Map(targets.map(({ name }) => [name, [] as { p50: number; p99: number }[]]));
  const notes: string[] = [`Frames of ${targets[0]?.frameBytes} bytes.`];
  for (const target of targets) await spread({ watch: target, write: target }, 20);
  for (let round = 0; round < bench.rounds; round++) {
    for (const target of targets) {
      const { result, cpu } = await bench.undisturbed(notes, () =>
        bench.measure(target.server, () => spread({ watch: target, write: target }, bench.quick ? 40 : CHANGES)),
      );
      results.get(target.name)?.push(result);
      notes.push(
        `${target.name}: p50 ${result.p50.toFixed(1)} ms, p99 ${result.p99.toFixed(1)} ms, all seen once; ` +
          `server ${percent(cpu.server)} and database ${percent(cpu.database)} of their core, client ${percent(cpu.client)} of its own.`,
      );
    }
  }
  const floor = medians(results.get('floor') ?? []);
  const values = results.get('signalbox');
  const value = values === undefined ? undefined : medians(values);
  const row = (key: 'p50' | 'p99', reference: string): Row => ({
    what: key,
    unit: 'ms',
    floor: floor[key],
    floorName: 'bare ws, write in memory',
    ...(value === undefined ? {} : { value: value[key] }),
    goal: { atMostFloors: 1.3 },
    reference,
  });
  const rows = [row('p50', 'bare ws 4.5; etcd 16; Consul 564'), row('p99', 'bare ws 14.7; etcd 61; Consul 1,511')];
  return { rows, notes };
}
