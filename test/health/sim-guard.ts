import { byKind } from '../../src/domain/indexes.ts';
import { regionOf } from '../../src/domain/instances/build.ts';
import type { View } from '../../src/domain/view.ts';
import { groupKey } from '../../src/health/claims.ts';

export const GUARD = { min: 4, share: 0.5, windowMs: 8000, holdMs: 15_000 };
/** Ticks, the way to the database and back, commits that are slow. */
export const LATE_MS = 1200;

interface Judged {
  readonly now: number;
  /** As the log has it. */
  readonly truth: View;
  readonly stats: { critical: number; trips: number };
  fault(error: unknown): void;
}

/** Whether all nodes together keep to what one guard would let go (INS4). */
export class GuardJudge {
  readonly #world: Judged;
  readonly #lost = new Map<string, Map<string, number>>();
  readonly #trips = new Map<string, number>();
  readonly #spentUntil = new Map<string, number>();

  constructor(world: Judged) {
    this.#world = world;
  }

  back(key: string, id: string): void {
    this.#lost.get(key)?.delete(id);
  }

  advised(id: string, until: string | undefined): void {
    const [service = '', region = ''] = id.replace('eviction-guard.', '').split(/\.(?=[^.]*$)/);
    const key = groupKey(service, region);
    const was = this.#trips.get(key);
    if (until !== undefined) {
      this.#world.stats.trips++;
      this.#trips.set(key, Date.parse(until) - Date.UTC(2025, 0, 1));
      return;
    }
    this.#trips.delete(key);
    if (was !== undefined && this.#world.now >= was)
      this.#spentUntil.set(key, this.#world.now + GUARD.windowMs + LATE_MS);
  }

  /** INS4: no more of a group than its share within the window, whoever decides, unless its guard has let go. */
  givenUp(key: string, id: string): void {
    this.#world.stats.critical++;
    const lost = this.#lost.get(key) ?? new Map<string, number>();
    this.#lost.set(key, lost);
    for (const [each, at] of lost) if (this.#world.now - at >= GUARD.windowMs - LATE_MS) lost.delete(each);
    let up = 0;
    for (const item of this.#world.truth.bucket(byKind('instance'))) {
      if (item.kind !== 'instance' || groupKey(item.value.service, regionOf(item.value)) !== key) continue;
      if (item.value.status !== 'critical' && !lost.has(item.id)) up++;
    }
    const baseline = up + lost.size;
    lost.set(id, this.#world.now);
    const isSpent =
      this.#world.now < (this.#spentUntil.get(key) ?? 0) || this.#world.now >= (this.#trips.get(key) ?? Infinity);
    if (isSpent) this.#spentUntil.set(key, this.#world.now + GUARD.windowMs + LATE_MS);
    else if (baseline >= GUARD.min && lost.size > Math.floor(baseline * GUARD.share)) {
      this.#world.fault(new Error(`INS4: ${lost.size} of ${baseline} of ${key} are given up`));
    }
  }
}
