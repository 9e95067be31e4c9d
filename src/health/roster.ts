import { isPenalised, penalise } from '../domain/instances/flapping.ts';
import type { Item } from '../domain/item.ts';
import { NO_REGION } from '../domain/names.ts';
import type { Folded } from '../domain/view.ts';
import type { Groups } from './groups.ts';
import type { MonitorMetrics } from './metrics.ts';
import type { Clocks } from './poll.ts';
import { GonePenalties } from './penalties.ts';
import type { Prober } from './probe.ts';
import { targetOf, Tracked } from './tracked.ts';

export interface RosterDeps {
  readonly groups: Groups;
  readonly prober: Pick<Prober, 'forget'>;
  readonly metrics: Pick<MonitorMetrics, 'transitions' | 'expired'>;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly clocks: () => Clocks;
  readonly random: () => number;
  /** It has to be looked at by that time. */
  readonly onNews: (tracked: Tracked, time: number) => void;
  readonly onGone: (tracked: Tracked) => void;
}

/** A new instance's first check comes within this time. */
const SOON_MS = 1000;

/** Everyone who is in the view. Those whose group is another node's are followed too, so that they can come here at any time. */
export class Roster {
  readonly #deps: RosterDeps;
  readonly #tracked = new Map<string, Tracked>();
  readonly #penalties = new GonePenalties();

  constructor(deps: RosterDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#tracked.size;
  }

  get(id: string): Tracked | undefined {
    return this.#tracked.get(id);
  }

  all(): Iterable<Tracked> {
    return this.#tracked.values();
  }

  /** Takes in what the view has just taken in. */
  follow({ change, before }: Folded, now: number): void {
    const item = change.op === 'put' ? change.item : before;
    if (item?.kind === 'override' && item.value.instance === undefined) {
      this.#deps.groups.look(item.value.service, item.value.region ?? NO_REGION);
    }
    if (item?.kind !== 'instance') return;
    if (change.op === 'put') return this.#put(item, now);
    const tracked = this.#tracked.get(item.id);
    if (tracked !== undefined) this.#remove(tracked, now);
  }

  /** Makes it what the view has, which is another one. */
  reconcile(items: Iterable<Item<'instance'>>, now: number): void {
    const gone = new Set(this.#tracked.keys());
    for (const item of items) {
      gone.delete(item.id);
      this.#put(item, now);
    }
    for (const id of gone) this.#remove(this.#tracked.get(id) as Tracked, now);
  }

  /** Takes an instance in. A new generation is another instance, of which nothing is known (INS6). */
  add(item: Item<'instance'>, now: number): Tracked {
    const group = this.#deps.groups.of(item.value);
    const tracked = new Tracked(item, group, now);
    // Only a check changes the status of a registration without registering anew.
    const decided = item.value.statusSince !== item.value.createTime;
    this.#beginCheck(tracked, now, decided);
    tracked.begunAt = Number.NEGATIVE_INFINITY;
    tracked.flapping = this.#penalties.take(item.id);
    this.#tracked.set(item.id, tracked);
    group.count(tracked, 1);
    if (tracked.status !== 'critical') group.guard.back(item.id);
    return tracked;
  }

  #put(item: Item<'instance'>, now: number): void {
    const tracked = this.#tracked.get(item.id);
    if (tracked?.item.value.generation === item.value.generation) {
      if (this.#update(tracked, item, now)) this.#deps.onNews(tracked, now);
      return;
    }
    if (tracked !== undefined) this.#remove(tracked, now);
    const added = this.add(item, now);
    added.begunAt = now;
    this.#deps.onNews(added, now);
  }

  #remove(tracked: Tracked, now: number): void {
    const { item, group } = tracked;
    this.#deps.onGone(tracked);
    this.#tracked.delete(item.id);
    this.#penalties.keep(item.id, tracked.flapping, now);
    tracked.gone = true;
    tracked.leaving?.returned(tracked);
    group.failing.delete(tracked);
    group.count(tracked, -1);
    this.#deps.groups.look(group.service, group.region);
    if (tracked.poll !== undefined) this.#deps.prober.forget(targetOf(item.value));
  }

  /** Takes in what the view says now about an instance of the same generation. True: it has to be looked at. */
  #update(tracked: Tracked, item: Item<'instance'>, now: number): boolean {
    const before = tracked.item.value;
    const { value } = item;
    const isSameCheck = value.check === before.check || JSON.stringify(value.check) === JSON.stringify(before.check);
    const group = this.#deps.groups.of(value);
    // Failing, it keeps its turn, whatever else is changed about it.
    if (group !== tracked.group || value.status === 'critical') tracked.group.failing.delete(tracked);
    tracked.group.count(tracked, -1);
    tracked.item = item;
    tracked.group = group;
    group.count(tracked, 1);
    if (!isSameCheck) {
      if (tracked.poll !== undefined) this.#deps.prober.forget(targetOf(before));
      this.#beginCheck(tracked, now, false);
    }
    if (value.status !== before.status) this.#changed(tracked, before.status, isSameCheck, now);
    const isDisplaced = value.displacedBy !== undefined && value.displacedBy !== before.displacedBy;
    if (isDisplaced) {
      tracked.displacedAt = now;
      tracked.poll?.displaced();
    }
    return !isSameCheck || isDisplaced || value.status !== before.status || value.region !== before.region;
  }

  #changed(tracked: Tracked, before: Item<'instance'>['value']['status'], isSameCheck: boolean, now: number): void {
    const { status, statusReason } = tracked.item.value;
    const { metrics, clock } = this.#deps;
    if (status !== 'critical') tracked.group.guard.back(tracked.item.id);
    tracked.criticalSince = now;
    // With another check, it is the registration that set the status.
    if (!isSameCheck) return;
    if (tracked.taken) metrics.transitions.inc({ status });
    if (isPenalised(before, status)) tracked.flapping = penalise(tracked.flapping, now);
    if (status === 'critical') {
      tracked.leaving?.returned(tracked);
      tracked.group.guard.lost(tracked.item.id, now);
    }
    tracked.poll?.settle(this.#deps.clocks());
    if (tracked.lease === undefined) return;
    if (status === 'critical' && tracked.taken) metrics.expired.inc();
    // Unless it is what we asked for, its registration is the sign of life, perhaps on another node.
    if (status !== 'critical' && before === 'critical' && tracked.asked !== status) tracked.lease.grantedAt = now;
    tracked.remember({ at: clock(), status, reason: statusReason, durationMs: 0 });
  }

  #beginCheck(tracked: Tracked, now: number, decided: boolean): void {
    tracked.beginCheck(now, decided);
    tracked.begunAt = now;
    const { poll } = tracked;
    if (decided) poll?.resume(this.#deps.clocks());
    else if (poll !== undefined) poll.checkAt = now + this.#deps.random() * Math.min(poll.interval, SOON_MS);
  }
}
