/**
 * The benchmarks: `npm run bench`, or `npm run bench -- --only NAME,... --quick --floors`.
 *
 *   --only    only these figures
 *   --quick   shorter, and one round instead of three
 *   --floors  only what the machine can do without Signalbox
 *   --patience SECONDS   how long to wait before each round while other processes use the cores (60)
 *
 * A whole run writes `bench/RESULTS.md`; any other only prints.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { FIGURES } from './figures/all.ts';
import { Bench } from './lib/bench.ts';
import { pinSelf } from './lib/cores.ts';
import { judge, type Figure, type Outcome } from './lib/figure.ts';
import { describeMachine } from './lib/machine.ts';
import { sectionText, type Section } from './lib/report.ts';
import { topFunctions, type TopFunction } from './lib/top-functions.ts';

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean' },
    floors: { type: 'boolean' },
    patience: { type: 'string', default: '60' },
  },
});
const wanted = flags.only?.split(',');
const figures = FIGURES.filter(({ name }) => wanted === undefined || wanted.includes(name));
if (figures.length < (wanted?.length ?? 1)) {
  throw new Error(`there are ${FIGURES.map(({ name }) => name).join(', ')}`);
}
const whole = wanted === undefined && flags.quick !== true && flags.floors !== true;

const cores = pinSelf();
const patienceMs = Number(flags.patience) * 1000;
const FIGURE_MS = Math.max(20 * 60_000, 30 * patienceMs);
const options = { cores, patienceMs, quick: flags.quick ?? false, floorsOnly: flags.floors ?? false, profile: false };
const bench = new Bench(options);
process.once('SIGINT', () => void bench.end().then(() => process.exit(130)));
process.once('SIGTERM', () => void bench.end().then(() => process.exit(143)));

const command = ['npm run bench', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' ');
const header = [
  '# Benchmarks',
  '',
  `\`${command}\`, ${new Date().toISOString().slice(0, 10)}`,
  '',
  ...describeMachine().map((line) => `- ${line}`),
  `- ${cores.description}`,
  `- each figure is the median of ${bench.rounds} rounds that no other process disturbed (or a note says so); floors and Signalbox by turns, in the same run, with the same client`,
  '',
  'The last column tells what the issue measured on another machine: compare ratios, not times.',
  '',
].join('\n');
console.log(header);

const texts: string[] = [];
const failed: string[] = [];
for (const figure of figures) {
  try {
    const text = sectionText(await section(figure));
    texts.push(text);
    console.log(text);
  } catch (error) {
    failed.push(figure.name);
    console.error(`${figure.name} failed:`, error);
    await bench.endFigure();
  }
}
await bench.end();
if (whole && failed.length === 0)
  writeFileSync(join(import.meta.dirname, 'RESULTS.md'), `${header}\n${texts.join('\n')}`);
if (failed.length > 0) console.error(`failed: ${failed.join(', ')}${whole ? '; RESULTS.md is left as it was' : ''}`);
process.exit(failed.length > 0 ? 1 : 0);

async function section(figure: Figure): Promise<Section> {
  console.log(`(${figure.name} ...)`);
  const outcome = await bounded(figure, bench);
  await bench.endFigure();
  const missed = outcome.rows.some((row) => judge(row)?.met === false);
  const top = missed && !options.quick ? await profiled(figure) : [];
  return { title: figure.title, outcome, top };
}

/** The same figure once more, shorter, with the profiler. */
async function profiled(figure: Figure): Promise<TopFunction[]> {
  const profiling = new Bench({ ...options, quick: true, profile: true });
  try {
    await bounded(figure, profiling);
  } finally {
    await profiling.end();
  }
  return topFunctions(profiling.profiles).slice(0, 12);
}

function bounded(figure: Figure, on: Bench): Promise<Outcome> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`${figure.name} took more than ${FIGURE_MS / 60_000} minutes`)),
      FIGURE_MS,
    );
  });
  return Promise.race([figure.measure(on), late]).finally(() => clearTimeout(timer));
}
