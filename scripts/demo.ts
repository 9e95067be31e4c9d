/**
 * Real processes: Signalbox, three services that call each other, load, and somebody who drains, stops, adds, restarts and kills them.
 * What it shows is in examples/demo/README.md; `--help` lists the options. Exits with 1 when a graceful change failed calls.
 */
import { HELP, readOptions } from './demo/options.ts';
import { runDemo } from './demo/run.ts';
import { screenFor } from './demo/screen.ts';

const options = readOptions(process.argv.slice(2));
if (options === 'help') console.log(HELP);
else if (typeof options === 'string') {
  console.error(options);
  process.exitCode = 2;
} else {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
  process.exitCode = await runDemo(options, screenFor(options, process.stdout), stop.signal);
}
