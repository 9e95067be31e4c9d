import { relative } from 'node:path';
import Sequencer from '@jest/test-sequencer';

/**
 * About how many seconds these take. Who begins with them has both workers busy until the end; a machine that has no cache of earlier
 * runs would go by the size of the files.
 */
const SECONDS = {
  'cluster/faults.cluster.test.ts': 133,
  'acceptance/lifecycle.acceptance.test.ts': 80,
  'acceptance/hostile.acceptance.test.ts': 75,
  'acceptance/watch.acceptance.test.ts': 70,
  'acceptance/instances-standstill.acceptance.test.ts': 65,
  'cluster/mass-eviction.cluster.test.ts': 50,
  'acceptance/cli.acceptance.test.ts': 50,
  'cluster/known-failures.cluster.test.ts': 45,
  'acceptance/instances-nodes.acceptance.test.ts': 45,
  'acceptance/durability.acceptance.test.ts': 45,
  'store/embedded-process.unit.test.ts': 45,
  'upgrade/rolling.acceptance.test.ts': 40,
  'acceptance/outages.acceptance.test.ts': 40,
  'acceptance/instances-restart.acceptance.test.ts': 40,
  'acceptance/races.acceptance.test.ts': 35,
  'acceptance/examples.acceptance.test.ts': 35,
  'acceptance/instances-spread.acceptance.test.ts': 35,
  'acceptance/instances-flapping.acceptance.test.ts': 34,
  'leases/redis-sentinel.pg.test.ts': 29,
  'acceptance/instances-detection.acceptance.test.ts': 28,
};

/** The longest first, then as Jest has them. */
export default class LongestFirst extends Sequencer {
  sort(tests) {
    const secondsOf = ({ path, context }) => SECONDS[relative(`${context.config.rootDir}/test`, path)] ?? 0;
    return super.sort(tests).toSorted((a, b) => secondsOf(b) - secondsOf(a));
  }
}
