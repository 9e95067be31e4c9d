export interface GuardLimits {
  /** Groups that had fewer instances in service are not guarded. */
  readonly min: number;
  /** The share of a group that may become critical within the window. */
  readonly share: number;
  readonly windowMs: number;
  /** How long the guard holds at most. */
  readonly holdMs: number;
}

/** What the guard has to know of its group, which is a service in a region. */
export interface Situation {
  /** Instances that have failed but are not critical, and for which no command is under way. */
  readonly failing: number;
  /** Instances for which a command is under way that makes them critical. */
  readonly pending: number;
  /** Instances that are not critical, failing and pending ones included. */
  readonly up: number;
  readonly critical: number;
  /** An operator has turned the guard off. */
  readonly off: boolean;
}

type Phase =
  | { readonly name: 'armed' }
  /** `failedAt`: when somebody was last failing. */
  | { readonly name: 'tripped'; readonly until: number; readonly failedAt: number }
  /** It has let go, and does not trip again before the group has recovered. */
  | { readonly name: 'spent'; readonly failedAt: number };

const ARMED: Phase = { name: 'armed' };

/**
 * Keeps a mass failure, which is more often one of the network or of Signalbox than of half a service at once, from
 * emptying a service in a region (INS4). When more than its share fails within the window, the guard trips: whoever else
 * fails keeps its status. It holds for `holdMs` at most and then lets everyone go who is failing still; it ends before
 * that when nobody was failing for a whole window. The same delay bounds the advisories of a group that fails and
 * recovers again and again to one in a window (INS2).
 *
 * It never sticks: its end is fixed when it trips, and after it has let go it trips again only once the group has
 * recovered, that is when none is critical, or when none failed for a whole window.
 */
export class EvictionGuard {
  readonly #limits: GuardLimits;
  /** Who became critical within the window and is so still, or is gone since; the oldest first. */
  readonly #lost = new Map<string, number>();
  #phase: Phase = ARMED;
  /** When the hold of the guard before this one ends, and how long that counts. */
  #inherited: { readonly until: number; readonly countsUntil: number } | undefined;

  constructor(limits: GuardLimits) {
    this.#limits = limits;
  }

  /** When it lets go; undefined when it does not hold. */
  get until(): number | undefined {
    return this.#phase.name === 'tripped' ? this.#phase.until : undefined;
  }

  /** Whether there is nothing that time alone changes. */
  get atRest(): boolean {
    return this.#phase.name === 'armed';
  }

  lostWithinWindow(now: number): number {
    for (const [id, at] of this.#lost) {
      if (now - at < this.#limits.windowMs) break;
      this.#lost.delete(id);
    }
    return this.#lost.size;
  }

  /** An instance has become critical. */
  lost(id: string, now: number): void {
    this.#lost.delete(id);
    this.#lost.set(id, now);
    this.lostWithinWindow(now);
  }

  /** An instance is up, again or anew. */
  back(id: string): void {
    this.#lost.delete(id);
  }

  /** Another guard has held until now, and would have let go then: whoever takes over does not hold for longer. */
  inherit(until: number, now: number): void {
    this.#inherited = { until, countsUntil: Math.max(until, now + this.#limits.windowMs) };
  }

  /** It holds no longer: another guard does its work. What has been lost is known to that one, too. */
  standDown(): void {
    this.#phase = ARMED;
  }

  /** How many of those that are failing may become critical now. */
  admit(situation: Situation, now: number): number {
    const { failing, pending, up, critical, off } = situation;
    const { min, share, windowMs, holdMs } = this.#limits;
    const phase = this.#phase;
    const isQuiet = phase.name !== 'armed' && now - phase.failedAt >= windowMs;
    if (phase.name === 'tripped' && !off && now < phase.until && up + critical > 0) {
      if (failing > 0) this.#phase = { ...phase, failedAt: now };
      else if (isQuiet) this.#phase = ARMED;
      return 0;
    }
    if (phase.name === 'tripped') this.#phase = ARMED;
    if (phase.name === 'spent' && (isQuiet || critical + pending + failing === 0)) this.#phase = ARMED;
    if (phase.name === 'tripped' || off || this.#phase.name === 'spent') {
      if (failing > 0) this.#phase = { name: 'spent', failedAt: now };
      return failing;
    }
    const lost = this.lostWithinWindow(now);
    const baseline = up + lost;
    if (baseline < min) return failing;
    // A share of 0.29 of 100 is 29, whatever floating point makes of it.
    const budget = Math.floor(baseline * share + 1e-9) - lost - pending;
    if (failing <= budget) return failing;
    const inherited = this.#inherited !== undefined && now <= this.#inherited.countsUntil ? this.#inherited : undefined;
    this.#inherited = undefined;
    if (inherited !== undefined && now >= inherited.until) {
      this.#phase = { name: 'spent', failedAt: now };
      return failing;
    }
    const until = Math.min(now + holdMs, inherited?.until ?? Number.POSITIVE_INFINITY);
    this.#phase = { name: 'tripped', until, failedAt: now };
    return Math.max(0, budget);
  }
}
