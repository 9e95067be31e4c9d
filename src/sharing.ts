import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Bus } from './bus/port.ts';
import { alone, joinCluster, type Cluster } from './cluster/cluster.ts';
import { LeaseStanding } from './cluster/lease-standing.ts';
import { ViewDigest } from './cluster/view-digest.ts';
import type { Config } from './config.ts';
import type { InstanceCommand } from './domain/command.ts';
import { haveLeasesResumed } from './domain/membership.ts';
import type { Hub } from './feed/hub.ts';
import type { ReadLimit } from './feed/history.ts';
import type { Tail } from './feed/tail.ts';
import { LeaseKeeper, PULSE_MS } from './health/lease-keeper.ts';
import { TICK_MS } from './health/moment.ts';
import { Monitor } from './health/monitor.ts';
import type { Monitoring } from './health/monitoring.ts';
import type { Prober } from './health/probe.ts';
import type { Leases } from './leases/port.ts';
import type { Metrics } from './metrics.ts';
import type { Verdict } from './registry/commit-loop.ts';
import type { NodeRow, Store } from './store/port.ts';

export interface SharingDeps {
  readonly config: Config;
  readonly me: Pick<NodeRow, 'id' | 'name' | 'version'>;
  readonly store: Pick<Store, 'nodes' | 'load'>;
  readonly tail: Tail;
  readonly hub: Hub;
  readonly bus: Pick<Bus, 'state'>;
  /** Where nodes share their leases; `undefined` on a database that no other node can reach. */
  readonly leases: Leases | undefined;
  readonly registry: { execute(command: InstanceCommand): Promise<Verdict> };
  readonly prober: Prober;
  /** What the feed begins with after the view was loaded anew. */
  readonly warmUp: ReadLimit;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

interface Job {
  readonly pauseMs: number;
  readonly run: () => Promise<void> | void;
}

/** What this node shares with the others on its database: who they are, the leases, and the health checks. */
export interface Sharing {
  readonly cluster: Cluster;
  readonly monitor: Monitor;
  /** What takes renewals. */
  readonly monitoring: Monitoring;
  /** What other nodes compare their views with; `undefined` where there are none. */
  readonly digest: ViewDigest | undefined;
  /** What the death of a node may add to the time until the death of an instance is told (INS1), in milliseconds. */
  readonly takeoverMs: number;
  readonly jobs: readonly Job[];
  /** It is no longer ready, and its share goes to the others. */
  drain(): Promise<void>;
  /** The others hear that it is gone; where the database is away they find out by themselves. */
  leave(): Promise<void>;
}

/** For a node that takes over, to make up for the checks that were due meanwhile. */
const CATCH_UP_MS = 1500;
const SWEEP_PAUSE_MS = 3_600_000;
/** What was not renewed for so long is of nobody who is there: no lease is longer. */
const FORGOTTEN_MS = 2 * 24 * 3_600_000;
/** For checks that are under way when the node stops; most take milliseconds. */
const LAST_CHECKS_MS = 3000;
/** Renewals that come within this time are stored together. */
const GATHER_MS = 2;

/** Puts together what nodes share. */
export function composeSharing(deps: SharingDeps): Sharing {
  const { config, me, tail, hub, bus, leases, registry, prober, metrics, log, now } = deps;
  const standing = new LeaseStanding(() => ({
    isAway: keeper?.isAway === true,
    hasKept: keeper?.hasKept === true,
    isHeard: cluster.isHeard,
    othersHave: cluster.othersHaveLeases,
  }));
  const digest = new ViewDigest(() => ({ items: tail.view.all(), revision: tail.head.revision }));
  const cluster = composeCluster(deps, digest, {
    onClaims: () => monitor.claimsChanged(),
    takesPart: () => config.healthChecks === 'on' && standing.isOfUse,
    leases: () => (leases === undefined ? 'none' : standing.said),
    instances: () => monitor.tracked,
  });
  const monitor: Monitor = new Monitor({
    registry,
    view: () => tail.view,
    claims: cluster.claims,
    ...(leases !== undefined && { leases }),
    prober,
    limits: {
      enabled: config.healthChecks === 'on',
      concurrency: config.checkConcurrency,
      guard: {
        min: config.evictionGuardMin,
        share: config.evictionGuardShare / 100,
        windowMs: config.evictionGuardWindow,
        holdMs: config.evictionGuardHold,
      },
      nodeTimeoutMs: config.nodeTimeout,
    },
    metrics: metrics.health,
    log,
    now,
    clock: Date.now,
    random: Math.random,
  });
  const keeper =
    leases &&
    new LeaseKeeper({
      leases,
      monitor,
      view: () => tail.view,
      mayKeep: () => cluster.mayKeepRenewals,
      // Nodes of the first release keep leases and tell nobody: beside them nobody here would look at a renewal. Who takes part
      // finds it as soon as it is a member, and who is the last to go leaves it to be found.
      isAnybodysWork: () => config.healthChecks === 'on' || cluster.size.members > 0,
      soon: (run) => void setTimeout(run, GATHER_MS),
      metrics: metrics.leases,
      now,
    });
  const say = (): void => {
    // The others have to know at once: nobody's lease may run out while this node keeps renewals to itself.
    cluster.announce().catch((error: unknown) => log.debug({ err: error }, 'the other nodes could not be told'));
  };
  leases?.listen({
    onAway: (error) => {
      log.warn({ err: error }, 'the leases cannot be reached: nobody’s lease runs out');
      cluster.conditions.set('leases-away', true);
      keeper?.leasesAway();
      monitor.leasesAway();
      say();
    },
    onBack: () => {
      log.info('the leases can be reached again: every one has its full length, unless others had it meanwhile');
      standing.reached();
      cluster.conditions.set('leases-away', false);
      keeper?.leasesBack();
      monitor.leasesBack();
      say();
    },
    onLost: (reason) => {
      log.warn({ reason }, 'what was known of the leases is lost: every one has its full length again');
      monitor.leasesLost();
    },
  });
  leases?.read(['reached']).then(
    () => standing.reached(),
    () => undefined,
  );
  const beats = outspoken(log);
  return {
    cluster,
    monitor,
    monitoring: keeper ?? monitor,
    digest: leases && digest,
    takeoverMs: leases === undefined ? 0 : config.nodeTimeout + config.nodeHeartbeat + CATCH_UP_MS,
    jobs: [
      {
        pauseMs: TICK_MS,
        run: () => {
          cluster.conditions.set('bus-away', bus.state === 'away');
          cluster.tick();
          monitor.tick();
        },
      },
      ...(leases === undefined || keeper === undefined
        ? []
        : [
            { pauseMs: config.nodeHeartbeat, run: beat },
            { pauseMs: PULSE_MS, run: () => keeper.pulse() },
            { pauseMs: SWEEP_PAUSE_MS, run: () => leases.sweep(FORGOTTEN_MS).catch(() => undefined) },
          ]),
    ],
    drain: async () => {
      // Where the database is away the others find out by themselves.
      await Promise.race([cluster.drain().catch(() => undefined), sleep(config.nodeTimeout)]);
      // Checks that are under way may fail, which the next owner has to know of.
      if (leases !== undefined) await lastChecks();
      monitor.stop();
      prober.close();
    },
    leave: () =>
      cluster.leave().catch((error: unknown) => log.debug({ err: error }, 'the other nodes could not be told')),
  };

  async function beat(): Promise<void> {
    const wasHeard = cluster.isHeard;
    await cluster.beat().then(beats.worked, beats.failed);
    // The leases may be back with the database, and with the next heartbeat it would give up its share for want of them.
    if (!wasHeard && cluster.isHeard) keeper?.ask();
  }

  async function lastChecks(): Promise<void> {
    const until = now() + LAST_CHECKS_MS;
    while (monitor.checksInFlight > 0 && now() < until) await sleep(TICK_MS);
    // What they found is noted with the next tick.
    await sleep(2 * TICK_MS);
  }

  function composeCluster(
    { store }: SharingDeps,
    view: ViewDigest,
    own: {
      onClaims: () => void;
      takesPart: () => boolean;
      leases: () => 'here' | 'away' | 'none';
      instances: () => number;
    },
  ): Cluster {
    const base = {
      me,
      state: tail,
      levels: () => ({ watchers: hub.connections, subscriptions: hub.subscriptions, instances: own.instances() }),
      now,
      clock: Date.now,
    };
    if (leases === undefined) return alone(base);
    const joined: Cluster = joinCluster({
      ...base,
      store,
      timeoutMs: config.nodeTimeout,
      takesPart: own.takesPart,
      leases: own.leases,
      leaseStore: leaseStoreOf(config),
      selfCheck: {
        digest: view,
        catchUp: () => tail.catchUp(),
        fence: () => {
          joined.conditions.set('reloading', true);
          tail.suspend();
          hub.fence();
        },
        mend: async (truth) => {
          await tail.replace(truth);
          // Without it, those who come read the log.
          await hub.start(deps.warmUp).catch(() => undefined);
          hub.unfence();
          joined.conditions.set('reloading', false);
        },
        metrics: metrics.selfCheck,
      },
      onClaims: own.onClaims,
      onMembershipChange: (is, was) => {
        metrics.membershipChanges.inc();
        if (!haveLeasesResumed(is, was)) return;
        metrics.leasesExtended.inc({ sake: was.withoutLeases.includes(me.id) ? 'this' : 'another' });
      },
      log,
    });
    return joined;
  }
}

/** Not the address: nodes may reach one Redis by different ways, as through a proxy beside each. */
const leaseStoreOf = ({ redisUrl, redisPrefix }: Config): string =>
  redisUrl === undefined ? 'database' : `redis ${redisPrefix}`;

/** Says once that heartbeats fail, and once that they are heard again. */
function outspoken(log: Pick<Logger, 'info' | 'warn'>): { worked: () => void; failed: (error: unknown) => void } {
  let isOut = false;
  return {
    worked: () => {
      if (isOut) log.info('the other nodes hear of this one again');
      isOut = false;
    },
    failed: (error) => {
      if (!isOut) log.warn({ err: error }, 'the other nodes cannot be told that this one lives');
      isOut = true;
    },
  };
}
