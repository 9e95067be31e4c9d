import type { Bench } from '../lib/bench.ts';
import { sharesOf } from '../lib/cpu.ts';
import type { Figure, Outcome, Row } from '../lib/figure.ts';
import { percent } from '../lib/format.ts';
import { prepareNodes, type NodeTarget } from '../lib/nodes.ts';
import { EVERY_MS, spread, WATCHERS, type Spread } from '../lib/spread.ts';
import { medians } from '../lib/stats.ts';
import { DEPLOYMENTS } from '../lib/subjects.ts';

const CHANGES = 100;
const TIMES = 2;

export const nodes: Figure = {
  name: 'nodes',
  title: `a change written at one node, seen by ${WATCHERS.toLocaleString('en')} watchers there and at another node (latency: several nodes on two cores are no throughput test)`,
  async measure(bench: Bench): Promise<Outcome> {
    if (bench.options.floorsOnly) return { rows: [], notes: [] };
    const notes = [
      `Both nodes, PostgreSQL and Redis share one core. A change each ${EVERY_MS} ms at the first node; the watchers are all at one node at a time, by turns. ` +
        'From write sent to seen by each, as in the fan-out; each watcher saw each change once.',
    ];
    const rows = await rowsOf(bench, 'with Redis', notes);
    await bench.endFigure();
    return { rows: [...rows, ...(await rowsOf(bench, 'without Redis', notes))], notes };
  },
};

async function rowsOf(bench: Bench, bus: 'with Redis' | 'without Redis', notes: string[]): Promise<Row[]> {
  const shared = await prepareNodes(bench, DEPLOYMENTS, bus === 'with Redis');
  const [a, b] = [await shared.start('a'), await shared.start('b')];
  const ways = { same: a, other: b };
  for (const watch of [a, b]) await spread({ watch, write: a }, 20);
  const results: Record<keyof typeof ways, Spread[]> = { same: [], other: [] };
  for (let round = 0; round < bench.rounds; round++) {
    // Whoever comes second is not always the same.
    for (const way of round % 2 === 0 ? (['same', 'other'] as const) : (['other', 'same'] as const)) {
      const { result, shares } = await bench.undisturbed(notes, () => once(bench, a, b, ways[way]));
      results[way].push(result);
      notes.push(
        `${bus}, ${way} node: p50 ${result.p50.toFixed(1)} ms, p99 ${result.p99.toFixed(1)} ms; ` +
          `the node that is written to took ${percent(shares.a)}, the other ${percent(shares.b)} of a core.`,
      );
    }
  }
  const [same, other] = [medians(results.same), medians(results.other)];
  const row = (key: keyof Spread, what: string): Row => ({
    what: `${bus}: ${what}`,
    unit: 'ms',
    floor: same[key],
    floorName: 'same node',
    value: other[key],
  });
  const goal = { atMostFloors: TIMES };
  return [
    { ...row('p50', 'p50'), ...(bus === 'with Redis' && { goal }) },
    row('p99', 'p99'),
    row('last', 'the last watcher, median'),
    row('afterAnswer', 'from the answer to the write until half of the watchers have it, median'),
  ];
}

async function once(bench: Bench, a: NodeTarget, b: NodeTarget, watch: NodeTarget) {
  const shares = sharesOf({ a: a.server.child.pid, b: b.server.child.pid });
  const { result } = await bench.measure(watch.server, () => spread({ watch, write: a }, bench.quick ? 40 : CHANGES));
  return { result, shares: shares() };
}
