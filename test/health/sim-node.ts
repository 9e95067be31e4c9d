import { LeaseStanding } from '../../src/cluster/lease-standing.ts';
import type { Said } from '../../src/cluster/roll.ts';
import type { InstanceCommand } from '../../src/domain/command.ts';
import { NO_MEMBERSHIP, nextMembership, ownerOf, type Membership } from '../../src/domain/membership.ts';
import { decideInstances } from '../../src/domain/instances/decide-instances.ts';
import type { Entry } from '../../src/domain/item.ts';
import { View } from '../../src/domain/view.ts';
import type { Claims } from '../../src/health/claims.ts';
import { LeaseKeeper, PULSE_MS } from '../../src/health/lease-keeper.ts';
import { TICK_MS } from '../../src/health/moment.ts';
import { Monitor } from '../../src/health/monitor.ts';
import type { Finding, Target } from '../../src/health/probe.ts';
import type { Verdict } from '../../src/registry/commit-loop.ts';
import { RegistryUnavailable } from '../../src/registry/errors.ts';
import type { MemoryLeaseServer } from '../support/memory-leases.ts';
import type { Random } from '../support/random.ts';
import { NodeLeases } from './sim-leases.ts';

export const TIMEOUT_MS = 3000;
export const HEARTBEAT_MS = 500;
export const CLAIM_MS = 2000;
const TAIL_MS = 1000;
const LIMITS = { timeoutMs: TIMEOUT_MS, claimMs: CLAIM_MS };

export interface Row {
  heardAt: number;
  takesPart: boolean;
  leases: Said['leases'];
  /** Since when its heartbeats have been answered one after the other. */
  steadySince: number;
}

/** What nodes share: one database, one server of leases, and true time. */
export interface SharedWorld {
  readonly random: Random;
  /** True time, which is the database's. */
  now: number;
  readonly log: Entry[];
  membership: Membership;
  readonly rows: Map<string, Row>;
  readonly leases: MemoryLeaseServer;
  isDatabaseAway: boolean;
  readonly guard: { min: number; share: number; windowMs: number; holdMs: number };
  /** Resolves when so much time has passed. */
  wait(ms: number): Promise<void>;
  look(target: Target): Finding['status'] | undefined;
  onProbe(node: SimNode, target: Target): void;
  /** A command of the health checks is decided, and committed. */
  onDecided(node: SimNode, command: InstanceCommand): void;
  onCommitted(node: SimNode, command: InstanceCommand, entry: Entry): void;
  append(entry: Entry): void;
  fault(error: unknown): void;
  readonly stats: { kept: number; fenced: number };
}

/** A node: its clocks are its own, what it shares with others it shares through the database and the leases. */
export class SimNode implements Claims {
  readonly id: string;
  readonly world: SharedWorld;
  readonly view = new View();
  readonly monitor: Monitor;
  readonly keeper: LeaseKeeper;
  readonly leases: NodeLeases;
  membership = NO_MEMBERSHIP;
  pausedUntil = 0;
  isDead = false;
  /** It cannot reach the database. */
  isCut = false;
  takesPart = true;
  head = 0;
  readonly bornAt: number;
  /** What a test breaks on purpose. */
  readonly broken: ReadonlySet<string>;
  readonly #offset: number;
  #sharedError: number;
  #lastShared = Number.NEGATIVE_INFINITY;
  #heardAt = Number.NEGATIVE_INFINITY;
  /** Since when it was not cut off for as long as others would notice. */
  #steadySince = Number.NEGATIVE_INFINITY;
  #isBeating = false;
  #isReading = false;
  #nextBeat: number;
  #nextTick: number;
  #nextPulse = 0;
  #nextRead: number;
  /** When it stopped to act on its own account, by the clock that all share. */
  #stoppedAt = Number.POSITIVE_INFINITY;
  /** The term that it knew when it last said that it has leases. */
  #hadLeasesIn = -1;
  readonly #standing = new LeaseStanding(() => ({
    isAway: this.keeper.isAway,
    hasKept: this.keeper.hasKept,
    isHeard: this.#isHeard,
    othersHave: this.#othersHave,
  }));
  /** As of its last heartbeat. */
  #othersHave = false;
  #others: readonly (readonly [string, Row])[] = [];
  #answeredSince = Number.POSITIVE_INFINITY;

  constructor(id: string, world: SharedWorld, broken: ReadonlySet<string>) {
    const { random, now } = world;
    this.id = id;
    this.world = world;
    this.broken = broken;
    this.bornAt = now;
    this.#offset = random.below(100_000);
    this.#sharedError = random.below(9) - 4;
    this.#nextBeat = now + random.below(HEARTBEAT_MS);
    this.#nextTick = now + random.below(TICK_MS);
    this.#nextRead = now + random.below(TAIL_MS);
    this.catchUp();
    this.leases = new NodeLeases(this, world.leases.open(), {
      onAway: () => {
        this.monitor.leasesAway();
        this.keeper.leasesAway();
      },
      onBack: () => {
        this.#standing.reached();
        this.monitor.leasesBack();
        this.keeper.leasesBack();
      },
      onLost: () => this.monitor.leasesLost(),
    });
    const clock = (): number => Date.UTC(2025, 0, 1) + world.now;
    this.monitor = new Monitor({
      registry: { execute: (command) => this.execute(command) },
      view: () => this.view,
      claims: this,
      leases: this.leases,
      prober: { probe: (target) => this.#probe(target), forget: () => undefined },
      limits: { enabled: true, concurrency: 100, guard: world.guard, nodeTimeoutMs: TIMEOUT_MS },
      metrics: {
        checks: { inc: () => undefined },
        lateness: { observe: () => undefined },
        expired: { inc: () => undefined },
        transitions: { inc: () => undefined },
      },
      log: { info: () => undefined, warn: () => undefined, error: (error: unknown) => world.fault(error) },
      now: () => this.now,
      clock,
      random: () => random.next(),
    });
    this.keeper = new LeaseKeeper({
      leases: this.leases,
      monitor: this.monitor,
      view: () => this.view,
      mayKeep: () => {
        if (this.mayKeep) world.stats.kept++;
        return this.mayKeep;
      },
      soon: (run) => void this.sleep(5).then(run),
      now: () => this.now,
    });
    this.monitor.start();
    this.leases.read(['reached']).then(
      () => this.#standing.reached(),
      () => undefined,
    );
  }

  /** Its own monotonic clock. */
  get now(): number {
    return this.world.now + this.#offset;
  }

  get isRunning(): boolean {
    return !this.isDead && this.world.now >= this.pausedUntil;
  }

  get fence(): number {
    return this.broken.has('fence') ? this.world.membership.term : this.membership.term;
  }

  get stands(): boolean {
    const isHeard = this.#isHeard || this.broken.has('fence');
    return this.takesPart && isHeard && this.membership.members.includes(this.id);
  }

  get #isHeard(): boolean {
    return this.now - this.#heardAt < CLAIM_MS;
  }

  get sharedNow(): number {
    this.#lastShared = Math.max(this.#lastShared, this.world.now + this.#sharedError);
    return this.#lastShared;
  }

  get gapFrom(): number {
    return this.broken.has('gap') ? Number.POSITIVE_INFINITY : this.membership.gapFrom;
  }

  get undecidedFrom(): number | undefined {
    return this.membership.undecidedFrom;
  }

  get awakeSince(): number {
    return this.membership.awakeSince;
  }

  get leasesRun(): boolean {
    return this.membership.withoutLeases.length === 0;
  }

  get leasesRunSince(): number | undefined {
    return this.membership.leasesRunSince;
  }

  timesLost = 0;

  get heardAt(): number {
    return this.#heardAt;
  }

  wereOthersThere(from: number, until: number): boolean {
    const ahead = this.sharedNow - this.now;
    const isThere = ({ heardAt, steadySince }: Row): boolean =>
      steadySince <= from + ahead && heardAt >= until + ahead + TIMEOUT_MS / 3;
    return this.#others.some(([id, row]) => this.membership.members.includes(id) && isThere(row));
  }

  get mayKeep(): boolean {
    const { withoutLeases, term } = this.membership;
    return withoutLeases.includes(this.id) && this.#isHeard && term > this.#hadLeasesIn;
  }

  owns(group: string): boolean {
    return this.ownsSlot(group, this.sharedNow);
  }

  ownsSlot(group: string, at: number): boolean {
    // Whoever joins does not wait.
    const time = this.broken.has('handover') ? Number.POSITIVE_INFINITY : at;
    return this.stands && ownerOf(this.membership, group, time) === this.id;
  }

  /** The way to a server or back. */
  async travel(): Promise<void> {
    const { random } = this.world;
    await this.sleep(random.chance(0.1) ? random.below(120) : random.below(6));
  }

  /** Nothing goes on here while it is paused, and nothing ever after its death. */
  async sleep(ms: number): Promise<void> {
    await this.world.wait(ms);
    while (!this.isDead && !this.isRunning) await this.world.wait(this.pausedUntil - this.world.now);
    if (this.isDead) await new Promise(() => undefined);
  }

  /** One pass over whatever its timers are for. */
  step(): void {
    const { now, random } = this.world;
    if (!this.isRunning) return;
    if (now >= this.#nextTick) {
      this.#nextTick = now + TICK_MS + (random.chance(0.03) ? random.below(300) : random.below(15));
      this.monitor.tick();
    }
    if (now >= this.#nextPulse) {
      this.#nextPulse = now + PULSE_MS;
      this.keeper.pulse();
    }
    if (now >= this.#nextBeat && !this.#isBeating) {
      this.#nextBeat = now + HEARTBEAT_MS;
      void this.#beat();
    }
    if (now >= this.#nextRead && !this.#isReading) {
      this.#nextRead = now + TAIL_MS;
      void this.#read();
    }
    if (this.head < this.world.log.length && !this.isCut && !this.world.isDatabaseAway && random.chance(0.3)) {
      this.catchUp();
    }
  }

  catchUp(): void {
    for (; this.head < this.world.log.length; this.head++) {
      const entry = this.world.log[this.head] as Entry;
      const folded = this.view.fold(entry.changes);
      this.monitor?.onAdvance([{ entry, folded }]);
    }
  }

  /** It says that it goes, and goes on to answer for a while. */
  leave(): void {
    this.takesPart = false;
    this.#stoppedAt = this.sharedNow + 1;
    this.monitor.claimsChanged();
    this.#nextBeat = this.world.now;
  }

  kill(): void {
    this.isDead = true;
    this.monitor.stop();
  }

  async execute(command: InstanceCommand): Promise<Verdict> {
    const { world } = this;
    const isOurs = command.caller.kind === 'signalbox';
    if (isOurs) world.onDecided(this, command);
    await this.travel();
    if (world.random.chance(0.1)) await world.wait(world.random.below(400));
    await this.travel();
    if (this.isCut || world.isDatabaseAway) throw new RegistryUnavailable('store-unavailable', 2);
    this.catchUp();
    if (command.fence !== undefined && command.fence !== world.membership.term && !this.broken.has('fence')) {
      world.stats.fenced++;
      throw new RegistryUnavailable('fenced', 1);
    }
    const revision = world.log.length + 1;
    const decision = decideInstances(this.view, command, revision);
    if (!decision.ok || decision.changes.length === 0) return { ...decision, revision: revision - 1 } as Verdict;
    const entry = { revision, at: command.at, author: command.caller.subject, changes: decision.changes };
    if (isOurs) world.onCommitted(this, command, entry);
    world.append(entry);
    this.catchUp();
    await this.travel();
    return { ...decision, revision };
  }

  async #beat(): Promise<void> {
    const { world } = this;
    const { said, isOfUse } = this.#standing;
    const hasLeases = said !== 'away';
    const wasHeard = this.#isHeard;
    this.#isBeating = true;
    const asked = this.now;
    if (hasLeases) this.#hadLeasesIn = this.membership.term;
    if (asked - this.#heardAt > TIMEOUT_MS / 3) this.#answeredSince = this.sharedNow;
    const steadySince = this.#answeredSince;
    await this.travel();
    const isLost = this.isCut || world.isDatabaseAway;
    if (!isLost) {
      // What was due after it had stopped is for the others.
      const heardAt = Math.min(world.now, this.#stoppedAt);
      world.rows.set(this.id, { heardAt, takesPart: this.takesPart && isOfUse, leases: said, steadySince });
      const others = [...world.rows].filter(([id, row]) => id !== this.id && world.now - row.heardAt < TIMEOUT_MS);
      this.#others = others.map(([id, row]) => [id, { ...row }]);
      const othersHave = others.some(([, { leases }]) => leases === 'here');
      const found = world.membership;
      if (asked - this.#heardAt > CLAIM_MS && this.#heardAt > -Infinity) this.#steadySince = asked;
      this.#change(hasLeases, asked - this.#steadySince >= TIMEOUT_MS);
      const heard = world.membership;
      if (hasLeases) this.#hadLeasesIn = Math.max(this.#hadLeasesIn, found.term);
      await this.travel();
      this.#heardAt = asked;
      this.#othersHave = othersHave;
      if (!wasHeard && this.#isHeard) this.keeper.ask();
      if (heard.term > this.membership.term) {
        this.catchUp();
        if (this.membership.members.includes(this.id) && !found.members.includes(this.id)) this.timesLost++;
        this.membership = heard;
      }
      this.#sharedError = Math.max(-4, Math.min(4, this.#sharedError + world.random.below(3) - 1));
    }
    this.monitor.claimsChanged();
    this.#isBeating = false;
  }

  /** What tells whether the database is there, at times of its own: it may hear of a new membership before or after that. */
  async #read(): Promise<void> {
    const { world } = this;
    this.#isReading = true;
    await this.travel();
    const isLost = this.isCut || world.isDatabaseAway;
    // Some calls wait in vain for a while.
    if (isLost && world.random.chance(0.3)) await this.sleep(world.random.below(3000));
    if (isLost) this.monitor.storeAway();
    else {
      this.catchUp();
      this.monitor.storeBack();
    }
    this.#isReading = false;
  }

  /** Who was itself cut off leaves nobody out: the others may have been, too. */
  #change(hasLeases: boolean, mayJudge: boolean): void {
    const { world } = this;
    const { membership: is } = world;
    const candidates = [...world.rows].map(([id, { leases, ...row }]) => ({
      id,
      ...row,
      hasLeases: leases !== 'away',
      heardAt: !mayJudge && is.members.includes(id) ? world.now : row.heardAt,
    }));
    const next = nextMembership(is, candidates, world.now, LIMITS);
    // It is named already, from before it had them in between: only a new term says so for sure.
    const isDoubtful = !hasLeases && is.withoutLeases.includes(this.id) && is.term <= this.#hadLeasesIn;
    world.membership = next ?? (isDoubtful ? { ...is, term: is.term + 1 } : is);
  }

  async #probe(target: Target): Promise<Finding> {
    const { world } = this;
    world.onProbe(this, target);
    const found = world.look(target);
    const timeout = Number.parseFloat(target.check.timeout) * (target.check.timeout.endsWith('ms') ? 1 : 1000);
    await world.wait(found === undefined ? timeout : world.random.below(60));
    await this.travel();
    const status = found ?? 'critical';
    return { status, reason: `It is ${status}.` };
  }
}
