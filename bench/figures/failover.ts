import { setTimeout as sleep } from 'node:timers/promises';
import { TRIES_OF_LONG, type Bench } from '../lib/bench.ts';
import type { Figure, Outcome } from '../lib/figure.ts';
import { percent } from '../lib/format.ts';
import { HttpConnection } from '../lib/http-load.ts';
import { growthOf, readMetrics } from '../lib/metrics.ts';
import { prepareNodes, type NodeTarget, type Nodes } from '../lib/nodes.ts';
import { ReturningCrowd, type Returner } from '../lib/returning-crowd.ts';
import { median, Samples } from '../lib/stats.ts';
import { DEPLOYMENTS } from '../lib/subjects.ts';
import { tableScans } from '../lib/table-scans.ts';

const WATCHERS = 2000;
const WRITE_EACH_MS = 200;
/** Of writes before the node is killed. */
const BEFORE_MS = 2000;
const MOST_MS = 3000;
const MOST_READS = 0.01;
const LOG_READS = 'signalbox_log_reads_total';

interface Failover {
  /** From the kill until the last watcher holds a write that was sent after it. */
  readonly ms: number;
  readonly median: number;
  /** Reads of the log and of the resources, for each watcher. */
  readonly reads: number;
}

let sequence = 0;

export const failover: Figure = {
  name: 'failover',
  title: `a node killed with ${WATCHERS.toLocaleString('en')} watchers on it: until all have, at another node, a write that was made after the kill`,
  async measure(bench: Bench): Promise<Outcome> {
    if (bench.options.floorsOnly) return { rows: [], notes: [] };
    const notes = [
      `Default settings, with Redis; both nodes, PostgreSQL and Redis share one core. A write each ${WRITE_EACH_MS} ms at the node that stays. The watchers learn of the end by their connection; ` +
        'each waits as openapi/PUSH.md says, comes to the other node and goes on from its position. None was told anything twice, missed a revision, or had to start over.',
      'Database reads are those that PostgreSQL has begun of the tables change_log and resource (pg_stat_user_tables) from before the watchers lost their node until all had come back, ' +
        'less the one of resource that each write makes; what the nodes read of the log anyway, as when it is trimmed each minute, is among them.',
    ];
    const nodes = await prepareNodes(bench, DEPLOYMENTS, true);
    const stays = await nodes.start('stays');
    const rounds: Failover[] = [];
    for (let round = 0; round < bench.rounds; round++) {
      rounds.push(await bench.undisturbed(notes, () => once(bench, nodes, stays, notes), TRIES_OF_LONG));
    }
    return {
      rows: [
        { what: 'all caught up', unit: 'ms', value: median(rounds.map(({ ms }) => ms)), goal: { atMost: MOST_MS } },
        { what: 'half of them', unit: 'ms', value: median(rounds.map((round) => round.median)) },
        {
          what: 'database reads for each watcher that resumed',
          unit: 'reads',
          value: median(rounds.map(({ reads }) => reads)),
          goal: { atMost: MOST_READS },
        },
      ],
      notes,
    };
  },
};

async function once(bench: Bench, nodes: Nodes, stays: NodeTarget, notes: string[]): Promise<Failover> {
  const dies = await nodes.start('dies', { mayProfile: false });
  const crowd = new ReturningCrowd({
    port: dies.server.port,
    otherPort: stays.server.port,
    count: WATCHERS,
    select: DEPLOYMENTS.select,
  });
  try {
    await crowd.open();
    const within = crowd.resumeWithin;
    const base = (await stays.head()).revision;
    const before = { scans: await tableScans(nodes.database.url), metrics: await readMetrics(stays.server.port) };
    const { result, cpu } = await bench.measure(stays.server, () => killed(crowd, dies, stays, base));
    const { times, writes } = result;
    const after = { scans: await tableScans(nodes.database.url), metrics: await readMetrics(stays.server.port) };
    await allSawAll(crowd, base, writes, stays);
    const scans =
      after.scans.log - before.scans.log + Math.max(0, after.scans.resources - before.scans.resources - writes);
    const counted = growthOf(LOG_READS, before.metrics, after.metrics);
    notes.push(
      `Caught up: half after ${times.percentile(0.5).toFixed(0)} ms, 99 % after ${times.percentile(0.99).toFixed(0)} ms, all after ${times.percentile(1).toFixed(0)} ms; ` +
        `welcome.resumeWithin ${within === undefined ? 'was not said, so the first pause was up to 250 ms' : `was ${within[0]} to ${within[1]} ms`}; ${crowd.attempts.toLocaleString('en')} connections for ${WATCHERS.toLocaleString('en')} watchers; ` +
        `${scans} reads at PostgreSQL, ${counted} by ${LOG_READS} of the other node; that node took ${percent(cpu.server)} of its core from ${BEFORE_MS / 1000} s before the kill on, the client ${percent(cpu.client)} of its own.`,
    );
    return { ms: times.percentile(1), median: times.percentile(0.5), reads: scans / WATCHERS };
  } finally {
    await crowd.close();
  }
}

/** Until each watcher holds the first write that was sent after the kill. */
async function killed(crowd: ReturningCrowd, dies: NodeTarget, stays: NodeTarget, base: number) {
  const connection = await HttpConnection.connect(stays.server.port);
  let writes = 0;
  let enough = false;
  const writing = (async (): Promise<void> => {
    while (!enough) {
      writes += 1;
      const status = await connection.request(stays.write(0, (sequence += 1)));
      if (status >= 300) throw new Error(`a write was answered ${status}: ${connection.failure}`);
      await sleep(WRITE_EACH_MS);
    }
  })();
  const times = new Samples();
  try {
    await Promise.race([writing, sleep(BEFORE_MS)]);
    const caughtUp = crowd.within(60_000, 'the change', () => {
      const behind = new Set<Returner>(crowd.all);
      const wanted = base + writes + 1;
      const killedAt = performance.now();
      crowd.onReached = (watcher, revision): void => {
        if (revision < wanted || !behind.delete(watcher)) return;
        times.push(performance.now() - killedAt);
        if (behind.size === 0) crowd.done();
      };
      void dies.server.child.kill();
    });
    await Promise.race([writing, caughtUp]);
    enough = true;
    await writing;
    return { times, writes };
  } finally {
    enough = true;
    connection.close();
  }
}

/** Each watcher has come to the last write, by each of them once. */
async function allSawAll(crowd: ReturningCrowd, base: number, writes: number, stays: NodeTarget): Promise<void> {
  const { revision } = await stays.head();
  if (revision !== base + writes) throw new Error(`${writes} writes made ${revision - base} revisions`);
  const wrong = crowd.all.filter((watcher) => watcher.revision !== revision || watcher.changes !== writes).length;
  if (wrong > 0) throw new Error(`${wrong} watchers did not see each of ${writes} changes once`);
}
