import type { Logger } from 'pino';
import { EvictionGuard, type GuardLimits } from '../domain/instances/eviction-guard.ts';
import { regionOf } from '../domain/instances/build.ts';
import type { AdvisoryBody } from '../domain/instances/edits.ts';
import type { HealthStatus } from '../domain/instances/check.ts';
import type { Instance } from '../domain/instances/instance.ts';
import { byKind } from '../domain/indexes.ts';
import { NO_REGION, regionOverrideName } from '../domain/names.ts';
import type { View } from '../domain/view.ts';
import { groupKey, type Claims } from './claims.ts';
import { guardAdvisory, guardAdvisoryId, isGuardAdvisory, placeOf } from './guard-advisory.ts';
import type { GuardReport } from './monitoring.ts';
import type { Outbox } from './outbox.ts';
import type { Tracked } from './tracked.ts';

/** What people are to be told: that the guard holds or, without a body, that it does no longer. */
export interface Advice {
  readonly body: AdvisoryBody | undefined;
  readonly notBefore: number;
}

/** The instances of a service in a region, and their guard. */
export class Group {
  readonly service: string;
  readonly region: string;
  readonly key: string;
  readonly guard: EvictionGuard;
  /** Whether its instances are looked at here. */
  ours = false;
  up = 0;
  critical = 0;
  /** Instances for which a command is under way that makes them critical. */
  pending = 0;
  /** Instances that have failed and are not critical, in the order in which they failed. */
  readonly failing = new Set<Tracked>();
  /** What is still to be told. */
  advice: Advice | undefined;
  isAdvising = false;

  constructor(service: string, region: string, limits: GuardLimits) {
    this.service = service;
    this.region = region;
    this.key = groupKey(service, region);
    this.guard = new EvictionGuard(limits);
  }

  get advisoryId(): string {
    return guardAdvisoryId(this.service, this.region);
  }

  get isEmpty(): boolean {
    return this.up + this.critical === 0 && this.advice === undefined && !this.isAdvising;
  }

  /** One more, or one less, of this status. */
  count(tracked: Tracked, by: 1 | -1): void {
    if (tracked.status === 'critical') this.critical += by;
    else this.up += by;
  }

  leaves(tracked: Tracked): void {
    this.failing.delete(tracked);
    tracked.leaving = this;
    this.pending += 1;
  }

  /** It is another node's from here on, whose guard begins with what the view says. */
  handOver(): void {
    this.failing.clear();
    this.advice = undefined;
    this.guard.standDown();
  }

  /** It has left, or no command about it is under way any more. */
  returned(tracked: Tracked): void {
    tracked.leaving = undefined;
    this.pending -= 1;
  }
}

export interface GroupsDeps {
  readonly limits: GuardLimits;
  readonly claims: Claims;
  readonly view: () => View;
  /** Milliseconds since 1970, for texts. */
  readonly clock: () => number;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

/** Decides who becomes critical of those that have failed (INS4), and tells people when that is not everyone. */
export class Groups {
  readonly #deps: GroupsDeps;
  readonly #groups = new Map<string, Group>();
  /** Those that time changes, or in which somebody is failing. */
  readonly #active = new Set<Group>();
  /** Those that come or go at a time that is known already. Nothing is decided about them until then. */
  readonly #turning = new Set<Group>();

  constructor(deps: GroupsDeps) {
    this.#deps = deps;
  }

  /** Instances that have failed and are kept. */
  get held(): number {
    let held = 0;
    for (const { guard, failing, ours } of this.#active) if (ours && guard.until !== undefined) held += failing.size;
    return held;
  }

  get isTurning(): boolean {
    return this.#turning.size > 0;
  }

  /** Looks at what is whose now: all groups, or those alone that are about to come or go. Returns those that have come. */
  claim(which: 'all' | 'turning'): { readonly gained: ReadonlySet<Group>; readonly lost: boolean } {
    const gained = new Set<Group>();
    let lost = false;
    for (const group of which === 'all' ? this.#groups.values() : this.#turning) {
      const was = group.ours;
      this.#claim(group);
      if (was === group.ours) continue;
      if (group.ours) gained.add(group);
      else {
        lost = true;
        group.handOver();
      }
    }
    return { gained, lost };
  }

  /**
   * Whether anything may be decided about the group. Not when it is about to go: a decision that is under way at that moment would
   * stand beside those of its next owner, under the same term.
   */
  mayDecide(group: Group): boolean {
    return group.ours && !this.#turning.has(group) && this.#deps.claims.owns(group.key);
  }

  of(instance: Instance): Group {
    return this.#get(instance.service, regionOf(instance));
  }

  failing(tracked: Tracked): void {
    tracked.group.failing.add(tracked);
    this.#active.add(tracked.group);
  }

  /** Looks at a group that became empty, or whose override was changed. */
  look(service: string, region: string): void {
    const group = this.#groups.get(groupKey(service, region));
    if (group !== undefined) this.#active.add(group);
  }

  /** Everyone who is failing, for whom a lease may have been extended. */
  *allFailing(): Iterable<Tracked> {
    for (const { failing } of this.#active) yield* failing;
  }

  /**
   * Takes over from the guards of the process, or the node, that had these groups before. Where one held, whoever is critical
   * counts as lost just now, so that a restart in the middle of a mass failure does not let go as many again. Its advisory ends
   * at `graceEndsAt`, unless the guard trips again until then. `came`: those that come from another node, which was there.
   */
  takeOver(tracked: Iterable<Tracked>, now: number, graceEndsAt: number, came?: (group: Group) => boolean): void {
    const { clock, limits } = this.#deps;
    const held = new Set<Group>();
    for (const item of this.#deps.view().bucket(byKind('advisory'))) {
      if (item.kind !== 'advisory' || !isGuardAdvisory(item.value)) continue;
      const group = this.#get(item.value.service, item.value.region ?? NO_REGION);
      if (group.guard.until !== undefined || !(came?.(group) ?? group.ours)) continue;
      group.advice ??= { body: undefined, notBefore: graceEndsAt };
      const left = Date.parse(item.value.until ?? '') - clock();
      // However often it changes hands, a hold ends when it was to end. One that is long over had nobody to end it.
      if (came !== undefined && left > -limits.windowMs) group.guard.inherit(now + Math.min(left, limits.holdMs), now);
      held.add(group);
      this.#active.add(group);
    }
    if (held.size === 0) return;
    for (const { item, status, group } of tracked)
      if (status === 'critical' && held.has(group)) group.guard.lost(item.id, now);
  }

  /** Who became critical within the window before this process began, by the clocks on the wall. */
  recall(tracked: Iterable<Tracked>, now: number): void {
    const { clock, limits } = this.#deps;
    const ages = new Map<Tracked, number>();
    for (const each of tracked) {
      if (each.status !== 'critical') continue;
      const age = Math.max(0, clock() - Date.parse(each.item.value.statusSince));
      if (age < limits.windowMs) ages.set(each, age);
    }
    const oldestFirst = [...ages].toSorted(([, a], [, b]) => b - a);
    for (const [{ item, group }, age] of oldestFirst) group.guard.lost(item.id, now - age);
  }

  /** Called once per tick. `stillFails` looks again at one that is about to go. */
  decide(
    now: number,
    outbox: Outbox,
    stillFails: (tracked: Tracked) => boolean,
    reasonOf: (tracked: Tracked, status: HealthStatus) => string,
  ): void {
    for (const group of this.#active) {
      const { guard, failing } = group;
      if (!group.ours) {
        this.#rest(group);
        continue;
      }
      if (!this.mayDecide(group)) continue;
      const heldUntil = guard.until;
      const off = this.#isOff(group);
      // Of those that are held nobody goes, so nobody need be looked at.
      if (heldUntil === undefined || now >= heldUntil || off) {
        for (const tracked of failing) if (!stillFails(tracked)) failing.delete(tracked);
      }
      const numbers = { failing: failing.size, pending: group.pending, up: group.up, critical: group.critical };
      const admitted = guard.admit({ ...numbers, off }, now);
      let left = admitted;
      for (const tracked of failing) {
        if (left-- <= 0) break;
        outbox.status(tracked, 'critical', reasonOf(tracked, 'critical'), false);
        group.leaves(tracked);
      }
      if (guard.until !== heldUntil) this.#advise(group, numbers.failing, admitted, now);
      if (group.advice !== undefined && !group.isAdvising && now >= group.advice.notBefore)
        outbox.advise(group, group.advice);
      if (guard.atRest && failing.size === 0 && group.advice === undefined) this.#rest(group);
    }
  }

  reports(now: number): GuardReport[] {
    const reports: GuardReport[] = [];
    for (const { guard, service, region, failing, ours } of this.#active) {
      if (!ours || guard.until === undefined) continue;
      const until = new Date(this.#deps.clock() + guard.until - now).toISOString();
      reports.push({ service, region, held: failing.size, until });
    }
    return reports;
  }

  #get(service: string, region: string): Group {
    const key = groupKey(service, region);
    let group = this.#groups.get(key);
    if (group === undefined) {
      this.#groups.set(key, (group = new Group(service, region, this.#deps.limits)));
      this.#claim(group);
    }
    return group;
  }

  #claim(group: Group): void {
    const { claims } = this.#deps;
    const { stands } = claims;
    group.ours = stands && claims.ownsSlot(group.key, claims.sharedNow);
    if (stands && claims.ownsSlot(group.key, Number.POSITIVE_INFINITY) !== group.ours) this.#turning.add(group);
    else this.#turning.delete(group);
  }

  /** Nothing but news changes anything about it. */
  #rest(group: Group): void {
    this.#active.delete(group);
    if (!group.isEmpty) return;
    this.#groups.delete(group.key);
    this.#turning.delete(group);
  }

  #isOff({ service, region }: Group): boolean {
    const override = this.#deps.view().get(regionOverrideName(service, region));
    return override?.kind === 'override' && override.value.evictionGuard === false;
  }

  #advise(group: Group, failing: number, admitted: number, now: number): void {
    const { guard, up } = group;
    if (guard.until === undefined) {
      group.advice = { body: undefined, notBefore: now };
      this.#deps.log.info(`the eviction guard of ${group.service} ${placeOf(group.region)} no longer holds`);
      return;
    }
    const lost = guard.lostWithinWindow(now);
    const facts = {
      service: group.service,
      region: group.region,
      failed: lost + group.pending + (failing - admitted),
      of: up + lost,
      held: failing - admitted,
      windowMs: this.#deps.limits.windowMs,
      until: new Date(this.#deps.clock() + guard.until - now).toISOString(),
    };
    const body = guardAdvisory(facts);
    group.advice = { body, notBefore: now };
    this.#deps.log.warn(body.message);
  }
}
