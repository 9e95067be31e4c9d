/**
 * Many nodes under faults, for as long as you like: npm run soak -- --minutes 30 [--seed N] [--nodes 3] [--watchers 1000]
 * [--kinds kill,pause] [--logs DIRECTORY]. Every watcher is held against the log, on all nodes by turns. A seed repeats the schedule of faults. Exits with 1 when a promise was broken.
 */
import { mkdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { FaultKind } from '../test/cluster/faults.ts';
import { linesOf } from '../test/cluster/report.ts';
import { run } from '../test/cluster/run.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
    nodes: { type: 'string', default: '3' },
    watchers: { type: 'string', default: '1000' },
    kinds: { type: 'string' },
    logs: { type: 'string' },
  },
});
const { minutes, seed, nodes, watchers, kinds, logs } = values;
if (logs !== undefined) mkdirSync(logs, { recursive: true });
const again = `npm run soak -- --minutes ${minutes} --seed ${seed} --nodes ${nodes} --watchers ${watchers}${kinds === undefined ? '' : ` --kinds ${kinds}`}`;
console.log(`again: ${again}`);
const began = performance.now();
// Moments in what is found are milliseconds from here; the logs of nodes have milliseconds since 1970.
console.log(`from: ${performance.timeOrigin.toFixed(0)}`);
const report = await run({
  seed: Number(seed),
  forMs: Number(minutes) * 60_000,
  nodes: Number(nodes),
  subscribers: Number(watchers),
  quietMs: 3000,
  ...(kinds !== undefined && { kinds: kinds.split(',') as FaultKind[] }),
  logs,
  onProgress: (line) => console.log(`${((performance.now() - began) / 1000).toFixed(1).padStart(7)} s  ${line}`),
});
for (const line of linesOf(report)) console.log(line);
console.log(`again: ${again}`);
process.exit(report.violations.length === 0 ? 0 : 1);
