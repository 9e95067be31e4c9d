import { observe } from '../domain/instances/health.ts';
import type { ActiveCheck } from '../domain/instances/check.ts';
import type { Item } from '../domain/item.ts';
import type { FoldedEntry, TailListener } from '../feed/tail.ts';
import { Absence } from './absence.ts';
import { ClaimsWatch, type Gap } from './claims-watch.ts';
import { Custody } from './custody.ts';
import { Decider } from './decider.ts';
import { DueQueue } from './due-queue.ts';
import { Groups, type Group } from './groups.ts';
import { Heritage } from './heritage.ts';
import { instancesIn, isIn } from './instances-in.ts';
import { TICK_MS, type Moment } from './moment.ts';
import type { MonitorDeps } from './monitor-deps.ts';
import type { GuardReport, InstanceReport, Monitoring, SignsOfLife } from './monitoring.ts';
import { nextLook, type Lookouts } from './next-look.ts';
import { Outbox } from './outbox.ts';
import type { Clocks, Poll, Probe } from './poll.ts';
import { Poller } from './poller.ts';
import type { Finding } from './probe.ts';
import { reportOf } from './report.ts';
import { Retry, RETRY_MS } from './retry.ts';
import { Roster } from './roster.ts';
import { Spread } from './spread.ts';
import type { Tracked } from './tracked.ts';
import { stillFails } from './wish.ts';

const ABSENT_MS = 1000 + TICK_MS;
/** Larger crowds are dealt with over several ticks, so that the process does not stand still for them. */
const MAX_PER_TICK = 20_000;

/**
 * Keeps the leases and runs the checks of all instances that are this node's, and has the registry write what they come to. What
 * is known here is how long ago something was heard and what was found; what holds is in the view alone.
 */
export class Monitor implements Monitoring, TailListener {
  readonly #deps: MonitorDeps;
  readonly #queue = new DueQueue<Tracked>();
  readonly #roster: Roster;
  readonly #groups: Groups;
  readonly #poller: Poller;
  readonly #outbox: Outbox;
  readonly #decider: Decider;
  readonly #watch: ClaimsWatch;
  readonly #lookouts: Lookouts;
  readonly #heritage: Heritage | undefined;
  readonly #custody: Custody;
  readonly #retry: Retry;
  readonly #spread = new Spread();
  readonly #absence: Absence;
  #isRunning = false;
  #areLeasesAway = false;
  #grantedAt = 0;
  #lastTick = 0;

  constructor(deps: MonitorDeps) {
    const { registry, view, claims, leases, prober, limits, metrics, log, now, clock, random } = deps;
    this.#deps = deps;
    this.#retry = new Retry(log);
    this.#absence = new Absence(claims);
    this.#groups = new Groups({ limits: limits.guard, claims, view, clock, log });
    this.#watch = new ClaimsWatch({ claims, timeoutMs: limits.nodeTimeoutMs ?? 0 });
    this.#roster = new Roster({
      groups: this.#groups,
      prober,
      metrics,
      clock,
      clocks: () => this.#clocks(),
      random,
      onNews: (tracked, time) => {
        this.#custody.follow(tracked);
        this.#wake(tracked, time);
      },
      onGone: (tracked) => {
        if (tracked.taken) this.#heritage?.forget(tracked);
        this.#custody.letGo(tracked);
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
    if (leases !== undefined) {
      this.#heritage = new Heritage({
        leases,
        moment: () => this.#moment(now(), this.#lastTick),
        now,
        onNews: (tracked) => this.#wake(tracked, now()),
      });
    }
    this.#lookouts = { poller: this.#poller, claims, ask: (tracked) => this.#heritage?.ask(tracked) };
    this.#custody = new Custody({
      claims,
      watch: this.#watch,
      poller: this.#poller,
      clocks: () => this.#clocks(),
      onFresh: (tracked) => this.#spreadCheck(tracked, now()),
      onTaken: (tracked) => this.#wake(tracked, now()),
      onLetGo: (tracked) => {
        this.#queue.remove(tracked);
        this.#decider.forget(tracked);
      },
    });
    this.#outbox = new Outbox({
      registry,
      fence: () => claims.fence,
      clock,
      stillFails: (tracked) => stillFails(tracked, this.#moment(now(), this.#lastTick)),
      onAnswer: (tracked, before) => this.#answered(tracked, before),
      onWorked: () => this.#retry.worked(),
      onFailed: (error) => this.#retry.failed(error, now()),
    });
    this.#decider = new Decider({
      groups: this.#groups,
      outbox: this.#outbox,
      retry: this.#retry,
      wake: (tracked, at) => this.#wake(tracked, at),
    });
  }

  get enabled(): boolean {
    return this.#deps.limits.enabled;
  }

  /** Instances whose leases this node keeps or that it checks. */
  get tracked(): number {
    return this.#custody.size;
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
    // What others may have heard is asked for; what they have not is taken to have been heard then.
    this.#grantedAt = this.#heritage === undefined ? now : Number.NEGATIVE_INFINITY;
    const isAlone = this.#deps.claims.fence === undefined;
    const { gap } = this.#watch.look(now);
    for (const item of instancesIn(this.#deps.view())) {
      const tracked = this.#roster.add(item, now);
      if (this.#heritage !== undefined) tracked.lease?.assumeNothing(now);
      this.#custody.follow(tracked, isAlone ? undefined : gap);
      if (isAlone) this.#spreadCheck(tracked, now);
    }
    if (!isAlone) this.#groups.recall(this.#roster.all(), now);
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
    this.#lookAtClaims(now);
    if (now - readUntil > ABSENT_MS) {
      const stood = `this process stood still for ${Math.round(now - readUntil)} ms`;
      this.#deps.log.warn(`${stood}; every lease is extended by its full length, unless others had them meanwhile`);
      this.#startOver(now);
      this.#comesBack('process', now);
    }
    const moment = this.#moment(now, readUntil);
    for (let left = MAX_PER_TICK; left > 0; left--) {
      const tracked = this.#queue.take(now);
      if (tracked === undefined) break;
      this.#examine(tracked, moment);
    }
    if (this.#deps.claims.stands) this.#decider.decideFailures(moment);
    this.#outbox.flush();
    this.#heritage?.flush();
  }

  renew(id: string, generation?: number): boolean {
    const tracked = this.#roster.get(id);
    if (!this.#isRunning || tracked === undefined) return !this.#isRunning && isIn(this.#deps.view(), id, generation);
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
    return tracked?.taken === true ? reportOf(tracked, this.#moment(now, now)) : undefined;
  }

  guards(): readonly GuardReport[] {
    return this.#groups.reports(this.#deps.now());
  }

  /** The database is away: nothing expires and nothing is decided; checks go on. */
  storeAway(): void {
    this.#decider.storeAway();
  }

  /**
   * The database answers; to be called whenever it has. After it was away every lease has its full length from now on (INS3), unless
   * others had this node's share meanwhile, and so the database; what was found meanwhile is decided.
   */
  storeBack(): void {
    if (this.#decider.isStoreAway) {
      const now = this.#deps.now();
      this.#retry.worked();
      this.#comesBack('store', now);
      this.#decider.storeBack(now);
    }
    this.#absence.storeAnswers(this.#deps.now());
  }

  /** What this node may do is another than before, or may be: it joins, leaves, is heard again, or others do. */
  claimsChanged(): void {
    if (!this.#isRunning) return;
    const now = this.#deps.now();
    const { gap, resumes } = this.#watch.look(now);
    this.#retry.claimsChanged();
    if (resumes) {
      this.#deps.log.info('leases run out again, after they did not everywhere; every one has its full length');
      this.#grant(now);
    }
    this.#claim('all', gap, now);
  }

  /** The leases that nodes share cannot be reached: none runs out. */
  leasesAway(): void {
    if (!this.#areLeasesAway) this.#absence.leasesAway();
    this.#areLeasesAway = true;
  }

  /** They can be reached again: every lease has its full length from now on (INS3), unless others had this node's share meanwhile. */
  leasesBack(): void {
    this.#areLeasesAway = false;
    this.#comesBack('leases', this.#deps.now());
  }

  /** What they knew is lost, or cannot be relied on: every lease has its full length from now on (INS3). */
  leasesLost(): void {
    this.#grant(this.#deps.now());
    for (const tracked of this.#roster.all()) this.#heritage?.remind(tracked);
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
    this.#roster.reconcile(instancesIn(this.#deps.view()), now);
    this.#startOver(now);
    this.#grant(now);
    this.#takeOverGuards(now);
  }

  #clocks(): Clocks {
    return { now: this.#deps.now(), sharedNow: this.#deps.claims.sharedNow };
  }

  #moment(now: number, readUntil: number): Moment {
    const { sharedNow, awakeSince, leasesRun, leasesRunSince = awakeSince } = this.#deps.claims;
    const ofAll = now - (sharedNow - Math.max(awakeSince, leasesRunSince));
    const grantedAt = Math.max(this.#grantedAt, this.#absence.grantedAt, ofAll);
    const stopped = this.#areLeasesAway || !leasesRun;
    return { now, readUntil, grantedAt, leases: this.#heritage === undefined ? 'own' : stopped ? 'stopped' : 'shared' };
  }

  /** Time alone may have changed what is whose. */
  #lookAtClaims(now: number): void {
    if (this.#absence.look()) for (const tracked of this.#roster.all()) if (tracked.lease) this.#wake(tracked, now);
    if (this.#watch.isPast) this.claimsChanged();
    else if (this.#groups.isTurning) this.#claim('turning', this.#watch.look(now).gap, now);
    this.#watch.touch();
  }

  #claim(which: 'all' | 'turning', gap: Gap, now: number): void {
    const { gained, lost } = this.#groups.claim(which);
    if (gained.size > 0 || lost) for (const tracked of this.#roster.all()) this.#custody.follow(tracked, gap);
    if (gained.size > 0) this.#takeOverGuards(now, (group) => gained.has(group));
  }

  /** Looks at it no later than at that time. */
  #wake(tracked: Tracked, at: number): void {
    if (!tracked.gone && tracked.taken && (tracked.slot < 0 || at < tracked.dueAt)) this.#queue.set(tracked, at);
  }

  #examine(tracked: Tracked, moment: Moment): void {
    const lookAt = Math.min(nextLook(tracked, moment, this.#lookouts), this.#decider.decide(tracked, moment));
    this.#queue.set(tracked, Math.max(lookAt, moment.now + 1));
  }

  #checked(tracked: Tracked, poll: Poll, probe: Probe, finding: Finding | undefined): void {
    const { clock, metrics } = this.#deps;
    const clocks = this.#clocks();
    const time = clocks.now;
    const slot = probe.slot ?? clocks.sharedNow - (time - probe.startedAt);
    if (probe.discarded) {
      if (finding?.status === 'critical') this.#heritage?.leave(tracked, probe, slot);
    } else if (finding !== undefined) {
      metrics.checks.inc({ status: finding.status });
      tracked.remember({ at: clock(), ...finding, durationMs: Math.round(time - probe.startedAt) });
      poll.health = observe(poll.health, finding.status, tracked.status, tracked.item.value.check as ActiveCheck);
      poll.hasProof = finding.status !== 'critical' && probe.canProve;
      this.#heritage?.checked(tracked, poll, slot);
    }
    if (!probe.discarded) poll.scheduleNext(clocks);
    this.#wake(tracked, time);
  }

  #answered(tracked: Tracked, before: Item<'instance'>): void {
    const now = this.#deps.now();
    this.#wake(tracked, tracked.item === before ? Math.max(this.#retry.at, now + RETRY_MS) : now);
  }

  /** What was found before, or is being found, may have been found by a process that was itself not there. */
  #startOver(now: number): void {
    this.#poller.clear();
    for (const tracked of this.#roster.all()) {
      const { poll } = tracked;
      if (poll === undefined) continue;
      const isDue = poll.probe !== undefined || poll.checkAt <= now;
      poll.startOver();
      if (isDue && tracked.taken) this.#spreadCheck(tracked, now);
      this.#wake(tracked, now);
    }
  }

  #comesBack(from: 'process' | 'store' | 'leases', now: number): void {
    if (this.#absence.isOver(from, now)) this.#wakeFailing(now);
  }

  #grant(now: number): void {
    this.#grantedAt = now;
    this.#wakeFailing(now);
  }

  /** Their leases may have been extended. */
  #wakeFailing(now: number): void {
    for (const tracked of this.#groups.allFailing()) this.#wake(tracked, now);
  }

  /** Its turn comes within its pace, at a time of its own: many are not checked all at once. */
  #spreadCheck(tracked: Tracked, now: number): void {
    const { poll } = tracked;
    if (poll?.health.decided === true) poll.resume(this.#clocks());
    else if (poll !== undefined) poll.checkAt = now + this.#spread.within(poll.pace);
    this.#queue.set(tracked, now);
  }

  #takeOverGuards(now: number, isMeant?: (group: Group) => boolean): void {
    this.#groups.takeOver(this.#roster.all(), now, now + this.#deps.limits.guard.windowMs, isMeant);
  }
}
