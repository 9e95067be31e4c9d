import type { Bench } from './bench.ts';
import { median } from './stats.ts';

/** What one of a batch costs that a step does. */
export function nanoseconds(bench: Bench, batch: number, step: () => void): number {
  const timesMs = bench.quick ? 100 : 400;
  const run = (ms: number): number => {
    const started = performance.now();
    let count = 0;
    while (performance.now() - started < ms) {
      for (let n = 0; n < 16; n++) step();
      count += 16;
    }
    return ((performance.now() - started) * 1e6) / count / batch;
  };
  run(timesMs);
  return median([run(timesMs), run(timesMs), run(timesMs)]);
}
