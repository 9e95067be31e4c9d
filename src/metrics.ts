import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { AuditWriterDeps } from './audit/writer.ts';
import type { Cluster } from './cluster/cluster.ts';
import { MODES, type Mode } from './cluster/conditions.ts';
import type { SelfCheckDeps } from './cluster/self-check.ts';
import type { Hub, HubMetrics } from './feed/hub.ts';
import type { News, Tail } from './feed/tail.ts';
import type { LeaseMetrics, MonitorMetrics } from './health/metrics.ts';
import type { Monitor } from './health/monitor.ts';
import type { CommitLoop, CommitLoopDeps } from './registry/commit-loop.ts';

/** What the rooms below the edge count, and where `/metrics` reads it. */
export interface Metrics {
  readonly registry: Registry;
  readonly hub: HubMetrics;
  readonly commit: CommitLoopDeps['metrics'];
  readonly audit: AuditWriterDeps['metrics'];
  readonly health: MonitorMetrics;
  readonly leases: LeaseMetrics;
  readonly storeErrors: { inc(): void };
  readonly commitFailures: { inc(): void };
  readonly selfCheck: SelfCheckDeps['metrics'];
  readonly membershipChanges: { inc(): void };
  readonly leasesExtended: { inc(labels: { sake: 'this' | 'another' }): void };
  /** What became of the announcements of other nodes. */
  readonly news: (kind: News) => void;
  /** A request was answered 429. */
  readonly turnedAway: (rateClass: string, why: string) => void;
  /** Reads what is a level rather than a count from the parts themselves, at the time of asking. */
  watch(parts: {
    readonly tail: Tail;
    readonly hub: Hub;
    readonly loop: CommitLoop;
    readonly monitor: Monitor;
    readonly cluster: Cluster;
  }): void;
}

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/** A series that begins with its first event is no growth to Prometheus. */
function from0<L extends string>(of: Counter<L>, label: L, values: readonly string[]): Counter<L> {
  for (const value of values) of.inc({ [label]: value } as Record<L, string>, 0);
  return of;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  // Among them the delay of the event loop.
  collectDefaultMetrics({ register: registry });
  const counter = <L extends string>(name: string, help: string, labelNames: L[] = []): Counter<L> =>
    new Counter({ name: `signalbox_${name}`, help, labelNames, registers });
  const revisions = counter('revisions_total', 'Revisions committed by this node');
  const commands = counter('commands_total', 'Commands decided by this node, refused and unchanged ones included');
  const auditEntries = counter('audit_entries_total', 'Audit entries that this node has written', ['category']);
  const auditDropped = counter(
    'audit_dropped_total',
    'Audit entries that were lost: the database was away for too long',
  );
  const news = counter('bus_messages_total', 'Announcements of other nodes, by what became of them', ['kind']);
  const fenced = counter(
    'fenced_commits_total',
    'Decisions about instances that were not committed, since another node owned them by then',
  );
  from0(news, 'kind', ['applied', 'behind', 'gap', 'unreadable']);
  const turnedAway = counter(
    'requests_turned_away_total',
    'Requests and frames beyond what the caller may ask, or while the node was late',
    ['class', 'why'],
  );
  const batchSize = new Histogram({
    name: 'signalbox_commit_batch_size',
    help: 'Revisions that shared one transaction',
    buckets: SIZES,
    registers,
  });
  const commitSeconds = new Histogram({
    name: 'signalbox_commit_duration_seconds',
    help: 'Seconds from the first decision of a batch until it was committed and folded',
    buckets: SECONDS,
    registers,
  });
  const gauge = (name: string, help: string, value: () => number): Gauge =>
    new Gauge({
      name: `signalbox_${name}`,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  const levels = (name: string, help: string, label: string, values: () => Readonly<Record<string, number>>): Gauge =>
    new Gauge({
      name: `signalbox_${name}`,
      help,
      labelNames: [label],
      registers,
      collect() {
        for (const [is, value] of Object.entries(values())) this.set({ [label]: is }, value);
      },
    });
  return {
    registry,
    hub: {
      frames: counter('watch_frames_total', 'Change frames written to live subscriptions'),
      fellBehind: counter('watch_fell_behind_total', 'Times a subscription was too slow for the live feed'),
      cutOffs: counter('watch_cut_offs_total', 'Sockets closed because they did not take what waited for them'),
      mismatches: counter(
        'watch_digest_mismatches_total',
        'Times a client disagreed with the digest of its subscription',
      ),
      badFrames: counter('watch_bad_frames_total', 'Client frames that the protocol does not know'),
      resets: from0(counter('watch_resets_total', 'Subscriptions that had to start over', ['reason']), 'reason', [
        'epoch',
        'future',
        'trimmed',
        'resync',
        'unavailable',
        'access',
        'fenced',
      ]),
      resumes: from0(
        counter('watch_resumed_total', 'Subscriptions that came with a position, by what they go on from', ['from']),
        'from',
        ['memory', 'log', 'snapshot'],
      ),
      logReads: counter('log_reads_total', 'Reads of the log in the database for those who resume, poll or read it'),
      flushDelay: new Histogram({
        name: 'signalbox_watch_lag_seconds',
        help: 'Seconds from the oldest fold of a flush until it was written to every live subscription',
        buckets: SECONDS,
        registers,
      }),
    },
    commit: {
      fenced: (count) => fenced.inc(count),
      batch(decided, committed, seconds, audited) {
        commands.inc(decided);
        if (committed === 0) return;
        revisions.inc(committed);
        batchSize.observe(committed);
        commitSeconds.observe(seconds);
        if (audited > 0) auditEntries.inc({ category: 'change' }, audited);
      },
    },
    audit: {
      written: ({ category }) => auditEntries.inc({ category }),
      dropped: (count) => auditDropped.inc(count),
    },
    health: {
      checks: counter('checks_total', 'Health checks that have said something, by what they said', ['status']),
      lateness: new Histogram({
        name: 'signalbox_check_lateness_seconds',
        help: 'Seconds from the time a health check was due until it started',
        buckets: SECONDS,
        registers,
      }),
      expired: counter('leases_expired_total', 'Leases that ran out'),
      transitions: counter('status_changes_total', 'Statuses of instances that checks changed, by the new one', [
        'status',
      ]),
    },
    leases: {
      renewals: from0(
        counter('lease_renewals_total', 'Renewals of leases that nodes share, by what became of them', ['result']),
        'result',
        ['stored', 'memory', 'refused'],
      ),
      storing: new Histogram({
        name: 'signalbox_lease_store_seconds',
        help: 'Seconds that storing a batch of renewals took',
        buckets: SECONDS,
        registers,
      }),
    },
    commitFailures: counter(
      'commit_failures_total',
      'Transactions that the database did not take, or that nobody knows the outcome of',
    ),
    storeErrors: counter('store_errors_total', 'Failed looks at the log because the database was away'),
    selfCheck: {
      compared: from0(
        counter('self_check_total', 'Digests of views compared with those of other nodes, by what came out', [
          'result',
        ]),
        'result',
        ['same', 'differs', 'unknown'],
      ),
      reloads: counter(
        'self_check_reloads_total',
        'Times the view was not what the database holds and was loaded anew',
      ),
    },
    news: (kind) => news.inc({ kind }),
    membershipChanges: counter(
      'membership_changes_total',
      'Changes of who shares the leases and checks, as heard by this node',
    ),
    leasesExtended: from0(
      counter(
        'leases_extended_total',
        'Times that every lease had its full length again, by whether this node or another one had been without the leases',
        ['sake'],
      ),
      'sake',
      ['this', 'another'],
    ),
    turnedAway: (rateClass, why) => turnedAway.inc({ class: rateClass, why }),
    watch({ tail, hub, loop, monitor, cluster }) {
      gauge('revision', 'The revision of the view', () => tail.head.revision);
      gauge('log_trimmed_revision', 'The log holds every revision above this one', () => tail.head.trimmed);
      gauge('resources', 'Resources in the view', () => tail.view.size);
      gauge('watch_sockets', 'Open watch sockets', () => hub.connections);
      gauge('watch_subscriptions', 'Subscriptions on them', () => hub.subscriptions);
      gauge('watch_topics', 'Different selections among them', () => hub.topics);
      gauge('recent_changes_bytes', 'Recent changes kept in memory', () => hub.ringBytes);
      gauge('instances_monitored', 'Instances whose leases this node keeps or that it checks', () => monitor.tracked);
      gauge('instances_guarded', 'Instances that have failed and are kept by the eviction guard', () => monitor.held);
      gauge('checks_in_flight', 'Health checks under way', () => monitor.checksInFlight);
      gauge('checks_waiting', 'Health checks that are due and wait for their turn', () => monitor.checksWaiting);
      gauge('membership_term', 'Grows with every change of who shares the leases and checks', () => cluster.size.term);
      levels(
        'nodes',
        'Nodes on the database: heard of lately, and with a share of the leases and checks',
        'state',
        () => ({
          live: cluster.size.live,
          member: cluster.size.members,
        }),
      );
      levels('degraded', 'Whether the node is degraded, by how (docs/operations.md)', 'mode', () =>
        Object.fromEntries((Object.keys(MODES) as Mode[]).map((mode) => [mode, cluster.conditions.has(mode) ? 1 : 0])),
      );
      gauge('commands_waiting', 'Commands that wait for their commit', () => loop.pending);
    },
  };
}
