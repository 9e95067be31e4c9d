/**
 * Three nodes under faults, all workers at work, and all validators: the schedules of a few seeds. `npm run soak` is the same
 * for as long as one likes.
 */
import { expect, test } from '@jest/globals';
import { linesOf } from './report.ts';
import { run } from './run.ts';
import { QUIET_MS, RUN_MS, SEEDS } from './seeds.ts';

test.each(SEEDS)(
  'REV1 REV2 REV3 PUSH1 PUSH2 PUSH3 PUSH4 PUSH5 PUSH6 PUSH8 COV2 INS1 INS3 INS4 hold under faults: seed %i',
  async (seed) => {
    const schedule: string[] = [];
    const report = await run({
      seed,
      forMs: RUN_MS,
      nodes: 3,
      subscribers: 64,
      quietMs: QUIET_MS,
      onProgress: (line) => schedule.push(line),
    });
    const said = [...schedule, ...linesOf(report)].join('\n');
    if (report.violations.length > 0)
      throw new Error(`${said}\nagain: npm run soak -- --minutes 1 --seed ${seed} --nodes 3`);
    // It was not vacuous.
    expect(report.faults.length).toBeGreaterThan(2);
    expect(report.writes.acknowledged).toBeGreaterThan(100);
    expect(report.writes.heldAgainstLog).toBeGreaterThan(100);
    expect(report.writes.refused).toBeGreaterThan(10);
    expect(report.crowd.events).toBeGreaterThan(1000);
    expect(report.deaths).toBeGreaterThan(5);
    expect(report.renewals.acknowledged).toBeGreaterThan(100);
    expect(report.pongs).toBeGreaterThan(100);
  },
  150_000,
);
