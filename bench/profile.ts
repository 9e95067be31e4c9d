/**
 * Where the server spends its time: `npx tsx bench/profile.ts FIGURE [--long] [--rows N] [--patience SECONDS]`, after `npm run build`.
 *
 * Runs a figure, shortened, with V8's profiler on Signalbox's process while it is measured (through the inspector, so
 * that start and preparation are left out), prints the functions with the largest self time and those of Signalbox with
 * the largest total time, and leaves the profiles in the temporary directory for the browser's developer tools.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { FIGURES } from './figures/all.ts';
import { Bench } from './lib/bench.ts';
import { pinSelf } from './lib/cores.ts';
import { percent } from './lib/format.ts';
import { sectionText } from './lib/report.ts';
import { topFunctions, type TopFunction } from './lib/top-functions.ts';

const { positionals, values: flags } = parseArgs({
  allowPositionals: true,
  options: {
    rows: { type: 'string', default: '25' },
    long: { type: 'boolean', default: false },
    patience: { type: 'string', default: '60' },
  },
});
const figure = FIGURES.find(({ name }) => name === positionals[0]);
if (figure === undefined) throw new Error(`which figure? ${FIGURES.map(({ name }) => name).join(', ')}`);

const bench = new Bench({
  cores: pinSelf(),
  quick: !flags.long,
  patienceMs: Number(flags.patience) * 1000,
  profile: true,
  floorsOnly: false,
});
process.once('SIGINT', () => void bench.end().then(() => process.exit(130)));
try {
  const outcome = await figure.measure(bench);
  console.log(sectionText({ title: `${figure.title} (with the profiler, which costs time)`, outcome }));
} finally {
  await bench.end();
}

const dir = mkdtempSync(join(tmpdir(), 'signalbox-profile-'));
bench.profiles.forEach((profile, n) =>
  writeFileSync(join(dir, `${figure.name}-${n}.cpuprofile`), JSON.stringify(profile)),
);
const functions = topFunctions(bench.profiles);
const rows = Number(flags.rows);
print('self time', functions.slice(0, rows));
const own = functions.filter(({ where }) => where.startsWith('dist/'));
print('total time, Signalbox alone', own.sort((a, b) => b.total - a.total).slice(0, rows));
console.log(`profiles: ${dir}`);
process.exit();

function print(heading: string, top: readonly TopFunction[]): void {
  console.log(`\n${heading}\n   self  total`);
  for (const { name, where, self, total } of top) {
    console.log(`${percent(self).padStart(7)}${percent(total).padStart(7)}  ${name}  ${where}`);
  }
}
