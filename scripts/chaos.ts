/**
 * Services that call each other while Signalbox is away, and one of them dies: npm run chaos -- --minutes 10 [--every 100]
 * [--signal SIGKILL]. `--every`: milliseconds between two calls of each process. Exits with 1 when a promise was broken.
 */
import { parseArgs } from 'node:util';
import { runAbsence } from '../test/chaos/absence.ts';
import { violationsOf } from '../test/chaos/judge.ts';
import { linesOf } from '../test/chaos/report.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    every: { type: 'string', default: '100' },
    signal: { type: 'string', default: 'SIGTERM' },
  },
});
const awayMs = Number(values.minutes) * 60_000;
const began = performance.now();
const record = await runAbsence({
  signal: values.signal === 'SIGKILL' ? 'SIGKILL' : 'SIGTERM',
  awayMs,
  everyMs: Number(values.every),
  ttl: '15s',
  lookMs: Math.min(30_000, awayMs / 10),
  onProgress: (line) => console.log(`${((performance.now() - began) / 1000).toFixed(1).padStart(7)} s  ${line}`),
});
for (const line of linesOf(record)) console.log(line);
process.exit(violationsOf(record).length === 0 ? 0 : 1);
