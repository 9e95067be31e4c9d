import type { Leases } from '../leases/port.ts';
import type { Tracked } from './tracked.ts';

export interface ReminderDeps {
  readonly leases: Pick<Leases, 'renew'>;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** Of one call. */
const MAX_KEYS = 1000;

/**
 * Tells the leases again what they have forgotten and this node, which has the instance, knows: when it was last heard. Without it, the
 * process that has the instance next would find nothing, and its death would be told later (INS1). Once per tick, one call at a
 * time; what could not be told stays to be told.
 */
export class Reminder {
  readonly #deps: ReminderDeps;
  readonly #wanted = new Set<Tracked>();
  #isTelling = false;

  constructor(deps: ReminderDeps) {
    this.#deps = deps;
  }

  want(tracked: Tracked): void {
    if (isOurs(tracked)) this.#wanted.add(tracked);
  }

  flush(): void {
    if (this.#wanted.size > 0 && !this.#isTelling) void this.#tell();
  }

  async #tell(): Promise<void> {
    const { leases, now } = this.#deps;
    const told: Tracked[] = [];
    for (const tracked of this.#wanted) {
      if (told.length === MAX_KEYS) break;
      this.#wanted.delete(tracked);
      if (isOurs(tracked)) told.push(tracked);
    }
    this.#isTelling = true;
    try {
      const at = now();
      await leases.renew(told.map((tracked) => ({ key: tracked.key, age: at - signOf(tracked) })));
    } catch {
      // The leases say themselves that they are away.
      for (const tracked of told) this.#wanted.add(tracked);
    }
    this.#isTelling = false;
  }
}

const isOurs = (tracked: Tracked): boolean =>
  !tracked.gone && tracked.taken && signOf(tracked) !== Number.NEGATIVE_INFINITY;

/** Its last sign of life that is known here. The registration of one that begins critical is none. */
function signOf({ lease, status }: Tracked): number {
  if (lease === undefined) return Number.NEGATIVE_INFINITY;
  return status === 'critical' ? lease.heardAt : Math.max(lease.heardAt, lease.grantedAt);
}
