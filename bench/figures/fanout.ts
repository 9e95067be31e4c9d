import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from '../lib/bench.ts';
import { changesIn, type Watcher } from '../lib/crowd.ts';
import type { Figure, Outcome, Row } from '../lib/figure.ts';
import { percent } from '../lib/format.ts';
import { HttpConnection } from '../lib/http-load.ts';
import { medians, Samples } from '../lib/stats.ts';
import { DEPLOYMENTS, INSTANCES, type Subject } from '../lib/subjects.ts';
import { watchTargets, type Target } from '../lib/target.ts';

const WATCHERS = 1000;
const CHANGES = 100;
const EVERY_MS = 50;

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
  for (const target of targets) await spread(target, 20);
  for (let round = 0; round < bench.rounds; round++) {
    for (const target of targets) {
      const { result, cpu } = await bench.undisturbed(notes, () =>
        bench.measure(target.server, () => spread(target, bench.quick ? 40 : CHANGES)),
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

async function spread(target: Target, changes: number): Promise<{ p50: number; p99: number }> {
  const crowd = target.crowd(WATCHERS);
  await crowd.open();
  const writer = await HttpConnection.connect(target.server.port);
  const base = (await target.head()).revision;
  const sent = new Float64Array(changes);
  const samples = new Samples();
  const counts = new Map<Watcher, number>(crowd.watchers.map((watcher) => [watcher, 0]));
  try {
    await crowd.within(60_000, 'seen every change', (resolve) => {
      let left = WATCHERS;
      crowd.onChange = (watcher, revision, frame): void => {
        if (revision <= base) return;
        const now = performance.now();
        const last = Math.max(watcher.revision, base);
        for (let seen = last + 1; seen <= revision; seen++) samples.push(now - (sent[seen - base - 1] ?? NaN));
        counts.set(watcher, (counts.get(watcher) ?? 0) + changesIn(frame));
        if (revision === base + changes && --left === 0) resolve();
      };
      return write(target, writer, sent);
    });
  } finally {
    writer.close();
    await crowd.cut();
  }
  const wrong = [...counts.values()].filter((count) => count !== changes).length;
  if (wrong > 0) throw new Error(`${target.name}: ${wrong} watchers did not see each of ${changes} changes once`);
  return { p50: samples.percentile(0.5), p99: samples.percentile(0.99) };
}

let sequence = 0;

async function write(target: Target, writer: HttpConnection, sent: Float64Array): Promise<void> {
  const start = performance.now();
  for (let n = 0; n < sent.length; n++) {
    await sleep(Math.max(0, start + n * EVERY_MS - performance.now()));
    const request = target.write(0, ++sequence);
    sent[n] = performance.now();
    const status = await writer.request(request);
    if (status >= 300) throw new Error(`a write was answered ${status}: ${writer.failure}`);
  }
}
