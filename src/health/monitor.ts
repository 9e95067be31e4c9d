import type { Logger } from 'pino';
import type { InstanceCommand } from '../domain/command.ts';
import { byKind } from '../domain/indexes.ts';
import type { GuardLimits } from '../domain/instances/eviction-guard.ts';
import { observe } from '../domain/instances/health.ts';
import type { ActiveCheck } from '../domain/instances/check.ts';
import type { Item } from '../domain/item.ts';
import { instanceName } from '../domain/names.ts';
import type { View } from '../domain/view.ts';
import type { FoldedEntry, TailListener } from '../feed/tail.ts';
import type { Verdict } from '../registry/commit-loop.ts';
import { DueQueue } from './due-queue.ts';
import { Groups } from './groups.ts';
import type { MonitorMetrics } from './metrics.ts';
import type { Moment } from './moment.ts';
import type { GuardReport, InstanceReport, Monitoring, SignsOfLife } from './monitoring.ts';
import { nextLook } from './next-look.ts';
import { Outbox } from './outbox.ts';
import type { Poll, Probe } from './poll.ts';
import { Poller } from './poller.ts';
import type { Finding, Prober } from './probe.ts';
import { reportOf } from './report.ts';
import { Roster } from './roster.ts';
import type { Tracked } from './tracked.ts';
import { reasonOf, wishOf } from './wish.ts';

export interface MonitorDeps {
  readonly registry: { execute(command: InstanceCommand): Promise<Verdict> };
  readonly view: () => View;
  readonly prober: Pick<Prober, 'probe' | 'forget'>;
  readonly limits: {
    readonly enabled: boolean;
    /** So many checks run at once at most. */
    readonly concurrency: number;
    readonly guard: GuardLimits;
  };
  readonly metrics: MonitorMetrics;
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>;
  /** Monotonic milliseconds, the same as of signs of life. */
  readonly now: () => number;
  /** Milliseconds since 1970, for texts only. */
  readonly clock: () => number;
  readonly random: () => number;
}

/** How long to pause between two calls of `tick`. */
export const TICK_MS = 100;
/** After a longer gap between two ticks this process was itself away (INS3). */
const ABSENT_MS = 1000 + TICK_MS;
/** What was not decided, or changed nothing, is tried again after this time. */
const RETRY_MS = 1000;
/** Larger crowds are dealt with over several ticks, so that the process does not stand still for them. */
const MAX_PER_TICK = 20_000;
/** Its multiples, without their whole part, lie evenly, however many there are. */
const GOLDEN_RATIO = 0.618_033_988_749_895;

/**
 * Keeps the leases and runs the checks of all instances, and has the registry write what they come to. What is known
 * here is how long ago something was heard and what was found; what holds is in the view alone.
 */
export class Monitor implements Monitoring, TailListener {
  readonly #deps: MonitorDeps;
  readonly #queue = new DueQueue<Tracked>();
  readonly #roster: Roster;
  readonly #groups: Groups;
  readonly #poller: Poller;
  readonly #outbox: Outbox;
  /** What waits for the database. */
  readonly #blocked = new Set<Tracked>();
  #isRunning = false;
  #isStoreAway = false;
  #grantedAt = 0;
  #lastTick = 0;
  #retryAt = -Infinity;
  #spread = 0;

  constructor(deps: MonitorDeps) {
    const { registry, view, prober, limits, metrics, log, now, clock, random } = deps;
    this.#deps = deps;
    this.#groups = new Groups({ limits: limits.guard, view, clock, log });
    this.#roster = new Roster({
      groups: this.#groups,
      prober,
      metrics,
      clock,
      random,
      onNews: (tracked, time) => this.#wake(tracked, time),
      onGone: (tracked) => {
        this.#queue.remove(tracked);
        this.#blocked.delete(tracked);
      },
    });
    this.#poller = new Poller({
      prober,
      concurrency: limits.concurrency,
      now,
      onStart: (late) => metrics.lateness.observe(late),
      onEnd: (tracked, poll, probe, finding) => this.#checked(tracked, poll, probe, finding),
      onError: (error) => log.error({ err: error }, 'a check could not be run'),
    });
    this.#outbox = new Outbox({
      registry,
      clock,
      onAnswer: (tracked, before) => this.#answered(tracked, before),
      onWorked: () => {
        this.#retryAt = -Infinity;
      },
      onFailed: (error) => {
        if (this.#retryAt === -Infinity)
          log.warn({ err: error }, 'what checks have found could not be written; it will be tried again');
        this.#retryAt = now() + RETRY_MS;
      },
    });
  }

  get enabled(): boolean {
    return this.#deps.limits.enabled;
  }

  get tracked(): number {
    return this.#roster.size;
  }

  /** Instances that have failed and are kept by the eviction guard. */
  get held(): number {
    return this.#groups.held;
  }

  get checksInFlight(): number {
    return this.#poller.inFlight;
  }

  get checksWaiting(): number {
    return this.#poller.waiting;
  }

  /** Begins with what the view has. It may have been away for long: nothing expires before its full time (INS3). */
  start(): void {
    if (!this.enabled || this.#isRunning) return;
    const now = this.#deps.now();
    this.#isRunning = true;
    this.#lastTick = now;
    this.#grantedAt = now;
    for (const item of this.#instances()) this.#spreadCheck(this.#roster.add(item, now), now);
    this.#takeOverGuards(now);
  }

  stop(): void {
    this.#isRunning = false;
  }

  /** Does what is due; to be called every `TICK_MS`. */
  tick(): void {
    if (!this.#isRunning) return;
    const now = this.#deps.now();
    const readUntil = this.#lastTick;
    this.#lastTick = now;
    if (now - readUntil > ABSENT_MS) this.#wasAbsent(now, now - readUntil);
    const moment = { now, readUntil, grantedAt: this.#grantedAt };
    for (let left = MAX_PER_TICK; left > 0; left--) {
      const tracked = this.#queue.take(now);
      if (tracked === undefined) break;
      this.#examine(tracked, moment);
    }
    if (!this.#isStoreAway && now >= this.#retryAt) {
      this.#groups.decide(now, this.#outbox, (tracked) => this.#stillFails(tracked, moment), reasonOf);
    }
    this.#outbox.flush();
  }

  renew(id: string, generation?: number): boolean {
    const tracked = this.#roster.get(id);
    if (!this.#isRunning || tracked === undefined) return !this.#isRunning && this.#isThere(id, generation);
    if (generation !== undefined && generation !== tracked.item.value.generation) return false;
    const now = this.#deps.now();
    tracked.lease?.renew(now);
    const { status, displacedBy } = tracked.item.value;
    const changesSomething = status !== 'passing' || displacedBy !== undefined || tracked.group.failing.has(tracked);
    if (tracked.lease !== undefined && changesSomething) this.#wake(tracked, now);
    return true;
  }

  attach(id: string, connection: SignsOfLife): void {
    const tracked = this.#roster.get(id);
    if (tracked?.lease === undefined) return;
    tracked.lease.attach(connection);
    this.#wake(tracked, this.#deps.now());
  }

  detach(id: string, connection: SignsOfLife): void {
    this.#roster.get(id)?.lease?.detach(connection);
  }

  report(id: string): InstanceReport | undefined {
    const tracked = this.#roster.get(id);
    const now = this.#deps.now();
    return tracked && reportOf(tracked, { now, readUntil: now, grantedAt: this.#grantedAt });
  }

  guards(): readonly GuardReport[] {
    return this.#groups.reports(this.#deps.now());
  }

  /** The database is away: nothing expires and nothing is decided; checks go on. */
  storeAway(): void {
    this.#isStoreAway = true;
  }

  /** The database is back: every lease has its full length from now on (INS3), and what was found meanwhile is decided. */
  storeBack(): void {
    if (!this.#isStoreAway) return;
    const now = this.#deps.now();
    this.#isStoreAway = false;
    this.#retryAt = -Infinity;
    this.#grant(now);
    for (const tracked of this.#blocked) this.#wake(tracked, now);
    this.#blocked.clear();
  }

  onAdvance(entries: readonly FoldedEntry[]): void {
    if (!this.#isRunning) return;
    const now = this.#deps.now();
    for (const { folded } of entries) for (const each of folded) this.#roster.follow(each, now);
  }

  /** The view is another one: this process missed what happened in between, as if it had been away. */
  onReload(): void {
    if (!this.#isRunning) return;
    const now = this.#deps.now();
    this.#roster.reconcile(this.#instances(), now);
    this.#startOver(now);
    this.#takeOverGuards(now);
  }

  *#instances(): Iterable<Item<'instance'>> {
    for (const item of this.#deps.view().bucket(byKind('instance'))) if (item.kind === 'instance') yield item;
  }

  #isThere(id: string, generation: number | undefined): boolean {
    const item = this.#deps.view().get(instanceName(id));
    return item?.kind === 'instance' && (generation === undefined || generation === item.value.generation);
  }

  /** Looks at it no later than at that time. */
  #wake(tracked: Tracked, at: number): void {
    if (!tracked.gone && (tracked.slot < 0 || at < tracked.dueAt)) this.#queue.set(tracked, at);
  }

  #examine(tracked: Tracked, moment: Moment): void {
    const lookAt = Math.min(nextLook(tracked, moment, this.#poller), this.#decide(tracked, moment));
    this.#queue.set(tracked, Math.max(lookAt, moment.now + 1));
  }

  /** Decides what should become of it; returns when to look again, if nothing happens. */
  #decide(tracked: Tracked, moment: Moment): number {
    if (tracked.inFlight) return Infinity;
    const wish = wishOf(tracked, moment);
    if (wish.is === 'failure') {
      this.#groups.failing(tracked);
      return Infinity;
    }
    tracked.group.failing.delete(tracked);
    // An instance that shows that it is there is not removed for having been critical, though it may be held down.
    const verdict = tracked.verdict(moment);
    if (verdict === 'passing' || verdict === 'warning') tracked.criticalSince = moment.now;
    if (wish.is === 'nothing') return wish.before;
    if (this.#isStoreAway) {
      this.#blocked.add(tracked);
      return Infinity;
    }
    if (moment.now < this.#retryAt) return this.#retryAt;
    if (wish.is === 'removal') this.#outbox.deregister(tracked);
    else this.#outbox.status(tracked, wish.status, reasonOf(tracked, wish.status), wish.proven);
    return Infinity;
  }

  #stillFails(tracked: Tracked, moment: Moment): boolean {
    if (!tracked.inFlight && wishOf(tracked, moment).is === 'failure') return true;
    this.#wake(tracked, moment.now);
    return false;
  }

  #checked(tracked: Tracked, poll: Poll, probe: Probe, finding: Finding | undefined): void {
    const { now, clock, random, metrics } = this.#deps;
    const time = now();
    if (finding !== undefined) {
      const { status, reason } = finding;
      metrics.checks.inc({ status });
      tracked.remember({ at: clock(), status, reason, durationMs: Math.round(time - probe.startedAt) });
      poll.health = observe(poll.health, status, tracked.status, tracked.item.value.check as ActiveCheck);
      poll.hasProof = status !== 'critical' && probe.canProve;
    }
    if (!probe.discarded) poll.scheduleNext(random());
    this.#wake(tracked, time);
  }

  #answered(tracked: Tracked, before: Item<'instance'>): void {
    const now = this.#deps.now();
    this.#wake(tracked, tracked.item === before ? Math.max(this.#retryAt, now + RETRY_MS) : now);
  }

  #wasAbsent(now: number, gap: number): void {
    this.#deps.log.warn(
      `this process stood still for ${Math.round(gap)} ms; every lease is extended by its full length`,
    );
    this.#startOver(now);
  }

  /** What was found before, or is being found, may have been found by a process that was itself not there. */
  #startOver(now: number): void {
    this.#poller.clear();
    for (const tracked of this.#roster.all()) {
      const { poll } = tracked;
      if (poll === undefined) continue;
      const isDue = poll.probe !== undefined || poll.checkAt <= now;
      poll.startOver();
      if (isDue) this.#spreadCheck(tracked, now);
      this.#wake(tracked, now);
    }
    this.#grant(now);
  }

  #grant(now: number): void {
    this.#grantedAt = now;
    for (const tracked of this.#groups.allFailing()) this.#wake(tracked, now);
  }

  /** Its turn comes within its pace, at a time of its own: many are not checked all at once. */
  #spreadCheck(tracked: Tracked, now: number): void {
    const { poll } = tracked;
    this.#spread = (this.#spread + GOLDEN_RATIO) % 1;
    if (poll !== undefined) poll.checkAt = now + this.#spread * poll.pace;
    this.#queue.set(tracked, now);
  }

  #takeOverGuards(now: number): void {
    this.#groups.takeOver(this.#roster.all(), now, now + this.#deps.limits.guard.windowMs);
  }
}
