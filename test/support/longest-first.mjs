import { relative } from 'node:path';
import Sequencer from '@jest/test-sequencer';

/**
 * About how many seconds these take. Who begins with them has both workers busy until the end; a machine that has no cache of earlier
 * runs would go by the size of the files.
 */
const SECONDS = {
  'cluster/faults.cluster.test.ts': 135,
  'acceptance/lifecycle.acceptance.test.ts': 91,
  'acceptance/hostile-http.acceptance.test.ts': 45,
  'acceptance/silent-readers.acceptance.test.ts': 40,
  'acceptance/instances-standstill.acceptance.test.ts': 62,
  'acceptance/demo.acceptance.test.ts': 60,
  'acceptance/instances-nodes.acceptance.test.ts': 59,
  'acceptance/watch-restarts.acceptance.test.ts': 30,
  'acceptance/watch-positions.acceptance.test.ts': 30,
  'chaos/absence.acceptance.test.ts': 49,
  'cluster/mass-eviction.cluster.test.ts': 48,
  'acceptance/instances-restart.acceptance.test.ts': 43,
  'acceptance/cli.acceptance.test.ts': 40,
  'acceptance/outages.acceptance.test.ts': 35,
  'acceptance/instances-spread.acceptance.test.ts': 35,
  'sdk/registration/registration.acceptance.test.ts': 34,
  'acceptance/instances-flapping.acceptance.test.ts': 34,
  'sdk/browser.browser.test.ts': 34,
  'upgrade/rolling.acceptance.test.ts': 33,
  'store/embedded-process.unit.test.ts': 32,
  'acceptance/instances-sockets.acceptance.test.ts': 32,
  'acceptance/examples.acceptance.test.ts': 31,
  'acceptance/instances-detection.acceptance.test.ts': 29,
  'leases/redis-sentinel.pg.test.ts': 29,
  'upgrade/client.acceptance.test.ts': 29,
  'acceptance/races.acceptance.test.ts': 28,
  'acceptance/durability.acceptance.test.ts': 27,
  'upgrade/instances.acceptance.test.ts': 24,
  'bus/redis.pg.test.ts': 22,
  'acceptance/instances-guard.acceptance.test.ts': 22,
  'bus/redis-sentinel.pg.test.ts': 22,
  'sdk/balance.acceptance.test.ts': 21,
  'cluster/known-failures.cluster.test.ts': 20,
  'store/embedded.unit.test.ts': 20,
  'upgrade/beside.acceptance.test.ts': 19,
  'sdk/links.unit.test.ts': 18,
  'upgrade/contract.pg.test.ts': 18,
  'health/nodes-simulation.unit.test.ts': 17,
  'acceptance/instances-revisions.acceptance.test.ts': 17,
  'acceptance/instances-overrides.acceptance.test.ts': 16,
  'acceptance/tracing.acceptance.test.ts': 16,
  'acceptance/instances-targets.acceptance.test.ts': 15,
  'leases/redis.pg.test.ts': 15,
};

/** The longest first, then as Jest has them. */
export default class LongestFirst extends Sequencer {
  sort(tests) {
    const secondsOf = ({ path, context }) => SECONDS[relative(`${context.config.rootDir}/test`, path)] ?? 0;
    return super.sort(tests).toSorted((a, b) => secondsOf(b) - secondsOf(a));
  }
}
