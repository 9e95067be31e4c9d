/**
 * Real processes: Signalbox, three services that call each other, load, and somebody who drains, stops, adds, restarts and kills them.
 * What it shows is in examples/demo/README.md; `--help` lists the options. Exits with 1 when a graceful change failed calls.
 */
import { HELP, readOptions, type DemoOptions } from './demo/options.ts';
import { runDemo } from './demo/run.ts';
import { screenFor } from './demo/screen.ts';

function read(): DemoOptions {
  try {
    const options = readOptions(process.argv.slice(2));
    if (options !== undefined) return options;
    console.log(HELP);
    process.exit(0);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`);
    process.exit(2);
  }
}

const options = read();
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
const code = await runDemo(options, screenFor(options, process.stdout), stop.signal).catch((error: unknown) => {
  console.error(error);
  return 1;
});
// What was being done when it was interrupted may still wait for something that will not come.
process.exit(code);
