import { describe, expect, test } from '@jest/globals';
import type { Caller, InstanceCommand } from '../../src/domain/command.ts';
import { milliseconds } from '../../src/domain/duration.ts';
import { byKind } from '../../src/domain/indexes.ts';
import { regionOf } from '../../src/domain/instances/build.ts';
import { detectionBoundMs, JITTER, TELLING_MS, type Check } from '../../src/domain/instances/check.ts';
import { decideInstances } from '../../src/domain/instances/decide-instances.ts';
import type { InstanceEdit } from '../../src/domain/instances/edits.ts';
import { MAX_HOLD_MS } from '../../src/domain/instances/flapping.ts';
import type { Instance, Registration } from '../../src/domain/instances/instance.ts';
import type { Item } from '../../src/domain/item.ts';
import { instanceName, regionOverrideName } from '../../src/domain/names.ts';
import { View } from '../../src/domain/view.ts';
import { aloneClaims } from '../../src/health/claims.ts';
import { TICK_MS } from '../../src/health/moment.ts';
import { Monitor } from '../../src/health/monitor.ts';
import type { Finding, Target } from '../../src/health/probe.ts';
import type { Verdict } from '../../src/registry/commit-loop.ts';
import { RegistryUnavailable } from '../../src/registry/errors.ts';
import { histories } from '../support/histories.ts';
import { Random } from '../support/random.ts';

const GUARD = { min: 4, share: 0.5, windowMs: 5000, holdMs: 8000 };
/** A commit takes up to so many ticks. */
const SLOW_TICKS = 4;
/** Ticks come up to so much late without this being an absence. */
const LATE_MS = 900;
const ABSENT_MS = 1100;
const RETRY_MS = 1000;
const OPERATOR: Caller = { kind: 'administrator', subject: 'operator' };

const common = { deregisterAfter: '20s' };
const ttl = (length: string, extra: object = {}): Check =>
  ({ type: 'ttl', ttl: length, initialStatus: 'passing', ...common, ...extra }) as Check;
const active = (type: string, extra: object = {}): Check =>
  ({
    type,
    ...(type === 'http' && { path: '/health', method: 'GET', headers: {}, tls: false, tlsVerify: true }),
    interval: '2s',
    timeout: '500ms',
    unhealthyAfter: 2,
    healthyAfter: 1,
    initialStatus: 'critical',
    ...common,
    ...extra,
  }) as Check;

const CHECKS: readonly Check[] = [
  ttl('3s'),
  ttl('1s'),
  ttl('3s', { deregisterAfter: '1s' }),
  ttl('2s', { initialStatus: 'critical' }),
  active('http'),
  active('http', { path: '/{serviceId}', healthyAfter: 3 }),
  active('http', { path: '/{serviceId}', interval: '500ms', timeout: '500ms', unhealthyAfter: 1 }),
  active('tcp', { initialStatus: 'passing', unhealthyAfter: 3, healthyAfter: 2 }),
  active('tcp', { deregisterAfter: '1s', interval: '5s' }),
];

interface Waiting {
  readonly command: InstanceCommand;
  ticks: number;
  readonly fate: 'committed' | 'lost' | 'unknown';
  readonly resolve: (verdict: Verdict) => void;
  readonly reject: (error: unknown) => void;
}

/** Somebody who may or may not run at an address. */
class Actor {
  readonly id: string;
  readonly base: Omit<Registration, 'check' | 'region'>;
  region: string | undefined;
  check: Check;
  isAlive = false;
  /** What it answers to checks while it is alive. */
  answer: 'passing' | 'warning' | 'critical' = 'passing';
  nextRenewal = 0;
  connection: { heardAt: number } | undefined;
  /** The generation that it is attached to. */
  attached: number | undefined;
  /** When the last sign of life reached Signalbox. */
  heardAt = -Infinity;
  /** When it was last written what it says about itself. */
  registeredAt = 0;
  /** When the guard was last seen to hold it. */
  heldAt = -Infinity;
  /** When it was last seen to be held down for flapping. */
  heldDownAt = -Infinity;
  /** Since when its check has had the same to say, and what. */
  sameSince = 0;

  constructor(n: number, random: Random) {
    this.id = n.toString(16).padStart(24, '0');
    this.base = {
      service: n < 9 ? 'a.example' : 'b.example',
      environment: `e${n}`,
      protocol: 'http',
      // Some have to share theirs.
      address: `10.0.0.${n % 9}`,
      port: 80,
      weight: 1,
      tags: {},
      metadata: {},
    };
    this.check = random.pick(CHECKS);
    this.region = random.pick(['eu-west', 'eu-west', 'eu-west', 'us-east', undefined]);
  }

  get registration(): Registration {
    const { base, region, check } = this;
    return { ...base, ...(region !== undefined && { region }), check };
  }

  get isHealthy(): boolean {
    return this.isAlive && (this.check.type === 'ttl' || this.answer !== 'critical');
  }
}

const ACTORS = 14;

class Simulation {
  readonly random: Random;
  readonly view = new View();
  readonly actors: Actor[];
  readonly overrides = new Map<string, string>();
  monitor!: Monitor;
  now = 1000;
  wall = Date.UTC(2025, 0, 1);
  revision = 0;
  /** Signalbox, or its database, was last away until then. */
  disturbedAt = 0;
  /** When leases were last extended. */
  grantedAt = 0;
  store: 'here' | 'failing' | 'away' = 'here';
  slow = false;
  statusRevisions = new Map<string, { since: number; count: number }>();
  stats = { revisions: 0, expired: 0, trips: 0, held: 0, letGo: 0, removed: 0, flapHolds: 0, displaced: 0, proven: 0 };
  #waiting: Waiting[] = [];
  #inFlight = new Set<string>();
  /** Those of them that are about to become critical. */
  #leaving = new Set<string>();
  #probes: { at: number; target: Target; resolve: (finding: Finding) => void }[] = [];
  #lost = new Map<string, Map<string, number>>();
  #trips = new Map<string, number>();
  #spentUntil = new Map<string, number>();
  #displacedAt = new Map<string, number>();
  #lastTick = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
    this.actors = Array.from({ length: ACTORS }, (_, n) => new Actor(n, this.random));
    this.restart();
  }

  restart(): void {
    this.monitor?.stop();
    const { random } = this;
    this.monitor = new Monitor({
      registry: { execute: (command) => this.execute(command) },
      view: () => this.view,
      claims: aloneClaims(() => this.now),
      prober: {
        probe: (target) => this.#probe(target),
        forget: () => undefined,
      },
      limits: { enabled: true, concurrency: 100, guard: GUARD },
      metrics: {
        checks: { inc: () => undefined },
        lateness: { observe: () => undefined },
        expired: { inc: () => void this.stats.expired++ },
        transitions: { inc: () => undefined },
      },
      log: { info: () => undefined, warn: () => undefined, error: (fault: unknown) => void (this.#fault ??= fault) },
      now: () => this.now,
      clock: () => this.wall,
      random: () => random.next(),
    });
    this.monitor.start();
    if (this.store === 'away') this.store = 'here';
    this.grantedAt = this.disturbedAt = this.now;
    this.#lastTick = this.now;
    this.statusRevisions.clear();
    this.#inFlight.clear();
    this.#leaving.clear();
    // The new process has been told nothing about who went, except where a guard held.
    for (const [key, lost] of this.#lost) {
      const [service = '', region = ''] = key.split(' ');
      const held = this.view.get(`advisories/eviction-guard.${service}.${region}`) !== undefined;
      lost.clear();
      this.#trips.delete(key);
      this.#spentUntil.delete(key);
      if (!held) continue;
      for (const item of this.instances()) {
        if (keyOf(item.value) === key && item.value.status === 'critical') lost.set(item.id, this.now);
      }
    }
    for (const actor of this.actors) actor.connection = undefined;
  }

  #fault: unknown;

  *instances(): Iterable<Item<'instance'>> {
    for (const item of this.view.bucket(byKind('instance'))) if (item.kind === 'instance') yield item;
  }

  instance(actor: Actor): Instance | undefined {
    const item = this.view.get(instanceName(actor.id));
    return item?.kind === 'instance' ? item.value : undefined;
  }

  execute(command: InstanceCommand): Promise<Verdict> {
    try {
      if (command.caller.kind === 'signalbox') this.#askedBySignalbox(command);
    } catch (error) {
      // To the monitor it would be a command that failed.
      this.#fault ??= error;
    }
    const { random } = this;
    const rejects = this.store !== 'here' && random.chance(0.9);
    const fate = rejects ? (random.chance(0.3) ? 'unknown' : 'lost') : 'committed';
    const ticks = this.slow ? random.below(SLOW_TICKS) : 0;
    return new Promise((resolve, reject) => this.#waiting.push({ command, ticks, fate, resolve, reject }));
  }

  #askedBySignalbox(command: InstanceCommand): void {
    if (this.store === 'away') throw new Error('INS3: something was decided while the database was away');
    for (const edit of command.instances) if (edit.op === 'advise') this.#advised(edit);
    for (const edit of command.instances) {
      if (edit.op !== 'status' && edit.op !== 'deregister') continue;
      if (this.#inFlight.has(edit.id)) throw new Error(`two commands about ${edit.id} at once`);
      this.#inFlight.add(edit.id);
      const item = this.view.get(instanceName(edit.id));
      if (item?.kind !== 'instance' || item.value.generation !== edit.generation) {
        throw new Error(`decided about generation ${edit.generation} of ${edit.id}, which is not the view's`);
      }
      if (edit.op === 'status' && edit.status === 'critical') this.#givenUp(item);
      const { check } = item.value;
      if (check.type !== 'ttl' || (edit.op === 'status' && edit.status !== 'critical')) continue;
      const heardAt = this.actors.find(({ id }) => id === edit.id)?.heardAt ?? 0;
      const deadline = Math.max(heardAt, this.grantedAt) + milliseconds(check.ttl);
      if (this.now < deadline) throw new Error(`INS3: ${edit.id} is given up ${deadline - this.now} ms early`);
    }
  }

  /** One pass of the commit loop. */
  #commit(): boolean {
    const due = this.#waiting.filter((each) => each.ticks-- <= 0);
    this.#waiting = this.#waiting.filter((each) => !due.includes(each));
    for (const { command, fate, resolve, reject } of due) {
      const isOurs = command.caller.kind === 'signalbox';
      if (isOurs) for (const edit of command.instances) if ('id' in edit) this.#answeredTo(edit.id);
      const verdict = fate === 'lost' ? undefined : this.#fold(command);
      if (fate === 'committed' && verdict !== undefined) resolve(verdict);
      else reject(new RegistryUnavailable(fate === 'lost' ? 'store-unavailable' : 'outcome-unknown', 2));
    }
    return due.length > 0;
  }

  /** What is told first about a guard is right away; the end of it is told with whoever it lets go. */
  #advised({ id, advisory }: Extract<InstanceEdit, { op: 'advise' }>): void {
    const [service = '', region = ''] = id.replace('eviction-guard.', '').split(/\.(?=[^.]*$)/);
    const key = `${service} ${region}`;
    const until = this.#trips.get(key);
    if (advisory?.until !== undefined) {
      if (until === undefined) this.#trips.set(key, Date.parse(advisory.until) - this.wall + this.now);
      return;
    }
    this.#trips.delete(key);
    if (until === undefined || this.now < until) return;
    this.stats.letGo++;
    this.#spentUntil.set(key, this.now + GUARD.windowMs + RETRY_MS);
  }

  #answeredTo(id: string): void {
    this.#inFlight.delete(id);
    this.#leaving.delete(id);
  }

  #fold(command: InstanceCommand): Verdict {
    const revision = this.revision + 1;
    const decision = decideInstances(this.view, command, revision);
    if (!decision.ok || decision.changes.length === 0) return { ...decision, revision: this.revision } as Verdict;
    this.revision = revision;
    this.stats.revisions++;
    const entry = { revision, at: command.at, author: command.caller.subject, changes: decision.changes };
    const folded = this.view.fold(decision.changes);
    const by = command.caller.kind === 'signalbox' ? command.instances : undefined;
    for (const { change, before: old } of folded) {
      const item = change.op === 'put' ? change.item : undefined;
      const was = old?.kind === 'instance' ? old : undefined;
      if ((item ?? was)?.kind === 'instance') this.#saw(was, item as Item<'instance'> | undefined, by);
      if (item?.kind === 'advisory') this.stats.trips++;
    }
    this.monitor.onAdvance([{ entry, folded }]);
    return { ...decision, revision };
  }

  /** What one change of an instance has to satisfy. */
  #saw(
    was: Item<'instance'> | undefined,
    is: Item<'instance'> | undefined,
    by: readonly InstanceEdit[] | undefined,
  ): void {
    const actor = this.actors.find(({ id }) => id === (is ?? was)?.id) as Actor;
    const lost = this.#lostOf(keyOf((is ?? was)?.value as Instance));
    if (is?.value.displacedBy !== was?.value.displacedBy) {
      if (is?.value.displacedBy !== undefined) {
        this.stats.displaced++;
        this.#displacedAt.set(actor.id, this.now);
      } else if (is !== undefined && by !== undefined) {
        this.stats.proven++;
        // INS6: nobody but the instance itself can have shown that.
        const check = is.value.check;
        if (check.type === 'ttl') expect(actor.heardAt).toBeGreaterThan(this.#displacedAt.get(actor.id) ?? 0);
        else expect(check).toMatchObject({ path: '/{serviceId}' });
      }
    }
    if (by === undefined) {
      if (is?.value.generation !== was?.value.generation) actor.heardAt = -Infinity;
      const isNews = is?.value.generation !== was?.value.generation || is?.value.status !== was?.value.status;
      if (isNews || is?.value.check !== was?.value.check) actor.registeredAt = this.now;
      if (is !== undefined && is.value.status !== 'critical') lost.delete(is.id);
      return;
    }
    if (is === undefined) {
      this.stats.removed++;
      if (was?.value.status !== 'critical') throw new Error(`${actor.id} was removed though it was not critical`);
      return;
    }
    if (is.value.status === was?.value.status) return;
    const revisions = this.statusRevisions.get(actor.id) ?? { since: this.now, count: 0 };
    revisions.count++;
    this.statusRevisions.set(actor.id, revisions);
    if (revisions.count > 2 * (6 + (this.now - revisions.since) / 35_000)) throw new Error('INS2: too many revisions');
    if (is.value.status !== 'critical') {
      lost.delete(is.id);
      return;
    }
  }

  /** INS4: no more of a group are given up within the window than its share, unless its guard has let go. */
  #givenUp({ id, value }: Item<'instance'>): void {
    const key = keyOf(value);
    const [service = '', region = ''] = key.split(' ');
    const lost = this.#lostOf(key);
    for (const [each, at] of lost) if (this.now - at >= GUARD.windowMs) lost.delete(each);
    this.#leaving.add(id);
    const all = new Set(lost.keys());
    let up = 0;
    for (const other of this.instances()) {
      if (keyOf(other.value) !== key || other.value.status === 'critical') continue;
      up++;
      if (this.#leaving.has(other.id)) all.add(other.id);
    }
    const baseline = up + lost.size;
    const override = this.view.get(regionOverrideName(service, region));
    const isOff = override?.kind === 'override' && override.value.evictionGuard === false;
    const hasLetGo = this.now < (this.#spentUntil.get(key) ?? 0) || this.now >= (this.#trips.get(key) ?? Infinity);
    // Once it has let go, whoever fails before the group has recovered goes, too.
    if (isOff || hasLetGo) this.#spentUntil.set(key, this.now + GUARD.windowMs + RETRY_MS);
    else if (baseline >= GUARD.min && all.size > Math.floor(baseline * GUARD.share)) {
      throw new Error(`INS4: ${all.size} of ${baseline} of ${key} are given up`);
    }
  }

  #lostOf(key: string): Map<string, number> {
    let lost = this.#lost.get(key);
    if (lost === undefined) this.#lost.set(key, (lost = new Map()));
    return lost;
  }

  #probe(target: Target): Promise<Finding> {
    return new Promise((resolve) => {
      const { random } = this;
      const finding = this.#look(target);
      const took =
        finding === undefined ? milliseconds(target.check.timeout) : random.below(milliseconds(target.check.timeout));
      const status = finding ?? 'critical';
      this.#probes.push({
        at: this.now + took,
        target,
        resolve: () => resolve({ status, reason: `It is ${status}.` }),
      });
    });
  }

  #look({ address, service, check }: Target): Finding['status'] | undefined {
    const there = this.actors.find((actor) => actor.isAlive && actor.base.address === address);
    if (there === undefined) return undefined;
    if (check.type === 'tcp') return 'passing';
    const asked = check.type === 'http' && check.path.includes('{serviceId}');
    if (asked && there.base.service !== service) return 'critical';
    return there.answer;
  }

  /** Delivers what is due, lets promises run, ticks. */
  async advance(ms: number): Promise<void> {
    const end = this.now + ms;
    while (this.now < end) {
      const pause = Math.min(
        end - this.now,
        TICK_MS + (this.random.chance(0.02) ? this.random.below(LATE_MS) : this.random.below(20)),
      );
      // A process that is held up ticks before it reads what came meanwhile.
      const isLate = pause > 1.5 * TICK_MS && this.random.chance(0.8);
      this.now += pause;
      this.wall += pause;
      if (isLate) this.#tick();
      this.#renewals();
      const settled = this.#settleProbes();
      if (this.#commit() || settled) for (let i = 0; i < 4; i++) await Promise.resolve();
      if (!isLate) this.#tick();
      this.#verify();
    }
  }

  #tick(): void {
    if (this.now - this.#lastTick > ABSENT_MS) this.grantedAt = this.disturbedAt = this.now;
    this.#lastTick = this.now;
    this.monitor.tick();
    if (this.#fault !== undefined) throw this.#fault as Error;
  }

  #settleProbes(): boolean {
    const due = this.#probes.filter(({ at }) => at <= this.now);
    if (due.length > 0) this.#probes = this.#probes.filter(({ at }) => at > this.now);
    for (const { resolve } of due) resolve({ status: 'passing', reason: '' });
    return due.length > 0;
  }

  #renewals(): void {
    for (const actor of this.actors) {
      const { check } = actor;
      if (check.type !== 'ttl' || !actor.isAlive || this.now < actor.nextRenewal) continue;
      actor.nextRenewal = this.now + milliseconds(check.ttl) / 3;
      const generation = this.instance(actor)?.generation;
      if (actor.connection !== undefined) {
        actor.connection.heardAt = this.now;
        if (actor.attached === generation) actor.heardAt = this.now;
        // It has not been answered that it is registered, and so it tries again.
        else this.register(actor);
        continue;
      }
      const isThere = this.monitor.renew(actor.id, this.random.chance(0.5) ? generation : undefined);
      if (isThere !== (generation !== undefined)) throw new Error(`renewing ${actor.id} was answered with ${isThere}`);
      if (isThere) actor.heardAt = this.now;
      else this.register(actor);
    }
  }

  register(actor: Actor): void {
    const { id, registration } = actor;
    const command = { caller: OPERATOR, at: this.wall, instances: [{ op: 'register', id, registration }] } as const;
    this.execute(command).then(
      () => {
        if (!this.monitor.renew(id)) return;
        actor.heardAt = this.now;
        if (actor.connection !== undefined) this.#attach(actor, actor.connection);
      },
      () => undefined,
    );
  }

  /** Mostly nobody else stays at its address. */
  start(actor: Actor, isAlone = this.random.chance(0.6)): void {
    if (isAlone)
      for (const other of this.actors)
        if (other !== actor && other.base.address === actor.base.address) this.kill(other);
    if (!actor.isAlive) actor.sameSince = this.now;
    actor.isAlive = true;
    actor.nextRenewal = this.now;
    this.register(actor);
  }

  kill(actor: Actor): void {
    if (actor.isAlive) actor.sameSince = this.now;
    actor.isAlive = false;
  }

  command(...instances: InstanceEdit[]): void {
    this.execute({ caller: OPERATOR, at: this.wall, instances }).catch(() => undefined);
  }

  async step(): Promise<void> {
    const { random } = this;
    const actor = random.pick(this.actors);
    const roll = random.below(100);
    if (roll < 22) this.start(actor);
    else if (roll < 32) this.kill(actor);
    else if (roll < 38) {
      // A mass failure, and often a recovery.
      const { service } = actor.base;
      const some = this.actors.filter((each) => each.base.service === service && each.region === actor.region);
      const dies = random.chance(0.6);
      for (const each of some)
        if (dies) this.kill(each);
        else if (random.chance(0.8)) this.start(each);
    } else if (roll < 46) this.#answers(actor, random.pick(['passing', 'passing', 'warning', 'critical']));
    else if (roll < 50) await this.#wave(actor);
    else if (roll < 55) {
      if (random.chance(0.5)) this.kill(actor);
      this.command({ op: 'deregister', id: actor.id });
    } else if (roll < 62) this.#attachOrDetach(actor);
    else if (roll < 66) this.#changeRegistration(actor);
    else if (roll < 74) this.#override(actor);
    else if (roll < 77) this.wall += random.pick([-3_600_000, 3_600_000]);
    else if (roll < 80) this.restart();
    else if (roll < 84) this.pause(random.below(20_000));
    else if (roll < 86) this.slow = !this.slow;
    else if (roll < 90) this.storeIs(random.pick(['here', 'failing', 'away']));
    else if (roll < 93) this.#reload();
    await this.advance(random.chance(0.1) ? random.below(15_000) : random.below(3000));
  }

  /** Nothing is done for a while, and then everything at once. */
  pause(ms: number): void {
    this.now += ms;
    this.wall += ms;
    if (this.random.chance(0.5)) this.#tick();
    // Between two ticks whatever has come in is read.
    this.#renewals();
  }

  storeIs(state: Simulation['store']): void {
    if (state === this.store) return;
    if (this.store === 'away') {
      this.monitor.storeBack();
      this.grantedAt = this.now;
    }
    this.store = state;
    if (state === 'away') this.monitor.storeAway();
    this.disturbedAt = this.now;
  }

  #reload(): void {
    this.monitor.onReload();
    this.grantedAt = this.disturbedAt = this.now;
  }

  #answers(actor: Actor, answer: Actor['answer']): void {
    if ((actor.answer === 'critical') !== (answer === 'critical')) actor.sameSince = this.now;
    actor.answer = answer;
  }

  /** INS2: answers that change as fast as they can. */
  async #wave(actor: Actor): Promise<void> {
    const [one, other] = this.random.pick([['passing', 'critical'] as const, ['passing', 'warning'] as const]);
    const period = this.random.pick([700, 2500, 5000, 12_000]);
    this.start(actor);
    for (let i = 0; i < 8; i++) {
      this.#answers(actor, i % 2 === 0 ? other : one);
      if (actor.check.type === 'ttl' && other === 'critical')
        if (i % 2 === 0) this.kill(actor);
        else this.start(actor);
      await this.advance(period);
    }
  }

  #attachOrDetach(actor: Actor): void {
    if (actor.connection !== undefined) {
      this.monitor.detach(actor.id, actor.connection);
      actor.connection = undefined;
    }
    if (this.random.chance(0.3) || !actor.isAlive || this.instance(actor)?.check !== actor.check) return;
    actor.connection = { heardAt: this.now };
    actor.heardAt = this.now;
    this.#attach(actor, actor.connection);
  }

  #attach(actor: Actor, connection: { heardAt: number }): void {
    connection.heardAt = this.now;
    actor.attached = this.instance(actor)?.generation;
    this.monitor.attach(actor.id, connection);
  }

  /** Registers with another check, or in another region. */
  #changeRegistration(actor: Actor): void {
    if (actor.connection !== undefined) this.monitor.detach(actor.id, actor.connection);
    actor.connection = undefined;
    this.command({ op: 'deregister', id: actor.id });
    this.#commitNow();
    if (this.random.chance(0.5)) actor.check = this.random.pick(CHECKS);
    else actor.region = this.random.pick(['eu-west', 'us-east', undefined]);
    this.start(actor);
    actor.sameSince = this.now;
    this.#commitNow();
  }

  #commitNow(): void {
    for (let i = 0; i <= SLOW_TICKS; i++) this.#commit();
  }

  #override(actor: Actor): void {
    const { random } = this;
    const mode = random.pick(['drain', 'maintenance', 'serving'] as const);
    if (random.chance(0.5)) {
      if (this.instance(actor) === undefined || this.store !== 'here') return;
      const override = random.chance(0.3) ? undefined : { mode, reason: 'sim' };
      this.command({ op: 'override', target: { instance: actor.id }, override });
      this.#commitNow();
      // A command before it may have taken the instance away, and then there is nothing to set it for.
      const isSet = override !== undefined && this.view.get(`instances/${actor.id}/override`) !== undefined;
      if (isSet) this.overrides.set(actor.id, mode);
      else this.overrides.delete(actor.id);
      return;
    }
    const region = actor.region ?? '-';
    const override = random.chance(0.5) ? undefined : { evictionGuard: random.chance(0.4), reason: 'sim' };
    this.command({ op: 'override', target: { service: actor.base.service, region }, override });
    this.#commitNow();
  }

  /** What holds at every moment. */
  #verify(): void {
    for (const actor of this.actors) {
      const instance = this.instance(actor);
      const mode = this.overrides.get(actor.id);
      if (mode !== undefined && this.store === 'here') {
        const override = this.view.get(`instances/${actor.id}/override`);
        const isKept = override?.kind === 'override' && override.value.mode === mode;
        if (!isKept || (instance ?? { mode }).mode !== mode) throw new Error(`INS5: ${actor.id} lost its mode ${mode}`);
      }
      if (instance === undefined || this.store !== 'here') continue;
      if (instance.status !== 'critical') this.#mustBeFoundDead(actor, instance);
      else this.#mustBeFoundAlive(actor);
    }
  }

  /** INS1. */
  #mustBeFoundDead(actor: Actor, { check }: Instance): void {
    if (check !== actor.check) return;
    const isDead = check.type === 'ttl' ? true : !this.#passes(actor);
    if (!isDead) return;
    const since = check.type === 'ttl' ? Math.max(actor.heardAt, actor.registeredAt) : this.#sameSince(actor);
    // A tick may be late, and after an absence checks are spread anew.
    const slack = LATE_MS + TICK_MS + (this.slow ? SLOW_TICKS * 1020 : 0);
    const again = check.type === 'ttl' ? 0 : milliseconds(check.interval) * (1 + JITTER);
    const bound = detectionBoundMs(check) + slack;
    const due = Math.max(since, this.disturbedAt === 0 ? since : this.disturbedAt + again) + bound;
    const report = this.monitor.report(actor.id);
    if (report?.guardedFor !== undefined) {
      this.stats.held++;
      actor.heldAt = this.now;
    }
    // It may have been let go just now.
    if (this.now <= due || (this.now <= due + GUARD.holdMs && this.now - actor.heldAt <= TELLING_MS + slack)) return;
    throw new Error(
      `INS1: ${actor.id} (${check.type}) has been dead since ${since}, and at ${this.now} is still not critical: ` +
        JSON.stringify({ report, disturbed: this.disturbedAt, bound }),
    );
  }

  /** It is passing again in time, unless it is held down. */
  #mustBeFoundAlive(actor: Actor): void {
    const { check } = actor;
    const instance = this.instance(actor);
    if (instance?.check !== check) return;
    const isAlive = check.type === 'ttl' ? actor.isAlive && actor.connection === undefined : this.#passes(actor);
    if (!isAlive) return;
    const rounds =
      check.type === 'ttl'
        ? 0
        : check.healthyAfter * milliseconds(check.interval) * (1 + JITTER) + milliseconds(check.timeout);
    const period = check.type === 'ttl' ? milliseconds(check.ttl) / 3 : milliseconds(check.interval) * (1 + JITTER);
    const since = Math.max(this.#sameSince(actor), this.disturbedAt, actor.registeredAt);
    const due = since + rounds + period + 2 * TELLING_MS + LATE_MS + (this.slow ? SLOW_TICKS * 1020 : 0);
    const report = this.monitor.report(actor.id);
    if (report?.flapping?.heldFor !== undefined) {
      this.stats.flapHolds++;
      actor.heldDownAt = this.now;
    }
    // It may have been let up just now.
    const slack = TELLING_MS + LATE_MS + (this.slow ? SLOW_TICKS * 1020 : 0);
    if (this.now <= due || (this.now <= due + MAX_HOLD_MS && this.now - actor.heldDownAt <= slack)) return;
    throw new Error(
      `${actor.id} (${check.type}) has been alive since ${since}, and at ${this.now} is still critical: ` +
        JSON.stringify({ report, disturbed: this.disturbedAt }),
    );
  }

  /** Whether its check passes; somebody else may be at its address. */
  #passes(actor: Actor): boolean {
    const { base, check } = actor;
    if (check.type === 'ttl') return actor.isAlive;
    const status = this.#look({ service: base.service, address: base.address, port: base.port, check });
    return status !== undefined && status !== 'critical';
  }

  #sameSince(actor: Actor): number {
    let since = actor.sameSince;
    for (const other of this.actors)
      if (other.base.address === actor.base.address) since = Math.max(since, other.sameSince);
    return since;
  }

  /** In the end all are alive, and everything comes to rest. */
  async settle(): Promise<void> {
    this.storeIs('here');
    this.slow = false;
    const half = this.actors.filter((actor) => Number.parseInt(actor.id, 16) < 9);
    for (const actor of half) {
      this.#answers(actor, 'passing');
      this.start(actor, true);
    }
    await this.advance(10_000);
    // The last failure from before may have been what removed it.
    for (const actor of half) if (this.instance(actor) === undefined) this.start(actor, true);
    await this.advance(MAX_HOLD_MS / 2);
    for (const actor of half) {
      const instance = this.instance(actor);
      expect([actor.id, instance?.status]).toEqual([actor.id, 'passing']);
      if (actor.check.type === 'ttl') expect(instance?.displacedBy).toBeUndefined();
    }
    // INS4: it never sticks.
    expect([...this.view.bucket(byKind('advisory'))]).toEqual([]);
    expect(this.monitor.guards()).toEqual([]);
    expect(this.monitor.held).toBe(0);
    const { revision } = this;
    // REV3: nothing changes, so there is no revision, however often leases are renewed and checks pass.
    await this.advance(5000);
    expect(this.revision).toBe(revision);
  }
}

const keyOf = (value: { service: string; region?: string }): string => `${value.service} ${regionOf(value)}`;

async function run(seed: number, steps: number): Promise<Simulation> {
  const sim = new Simulation(seed);
  if (sim.random.chance(0.8)) for (const actor of sim.actors.slice(0, 9)) sim.start(actor);
  await sim.advance(2000);
  for (let i = 0; i < steps; i++) await sim.step();
  // It takes longer than the steps.
  if (seed % 10 === 0) await sim.settle();
  return sim;
}

const HISTORIES = histories(1000, 100);

describe('health checks under random histories', () => {
  test(
    'INS1 INS2 INS3 INS4 INS5 INS6 REV3 hold',
    async () => {
      const totals: Record<string, number> = {};
      await HISTORIES.play(async (seed) => {
        const { stats } = await run(seed, Number(process.env['SIM_STEPS'] ?? 12));
        for (const [name, count] of Object.entries(stats)) totals[name] = (totals[name] ?? 0) + count;
      });
      if (process.env['SIM_STATS'] !== undefined) process.stdout.write(`${JSON.stringify(totals)}\n`);
      // The histories have to be worth something.
      if (HISTORIES.seeds.length >= 50) for (const count of Object.values(totals)) expect(count).toBeGreaterThan(0);
    },
    HISTORIES.timeoutMs,
  );
});
