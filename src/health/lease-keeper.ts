import type { View } from '../domain/view.ts';
import type { Leases } from '../leases/port.ts';
import { instanceIn } from './instances-in.ts';
import type { GuardReport, InstanceReport, Monitoring, SignsOfLife } from './monitoring.ts';
import { Renewals, type RenewalsDeps } from './renewals.ts';
import { leaseKey } from './tracked.ts';

export interface LeaseKeeperDeps extends Pick<RenewalsDeps, 'mayKeep' | 'soon' | 'metrics' | 'now'> {
  /** Whether any node lets leases run out by what is kept here; without it, one does. */
  readonly isAnybodysWork?: () => boolean;
  readonly leases: Pick<Leases, 'renew' | 'read'>;
  /** The health checks of this node, which hear of renewals at once. */
  readonly monitor: { renew(id: string, generation: number): boolean } & Pick<
    Monitoring,
    'attach' | 'detach' | 'report' | 'guards'
  >;
  readonly view: () => View;
}

/** How often to call `pulse`. */
export const PULSE_MS = 200;
/** While the leases are away, they are asked so often whether they are back. */
const TRY_MS = 1000;

interface Attached {
  readonly connection: SignsOfLife;
  readonly key: string;
  /** When what was written last was heard. */
  writtenAt: number;
}

/**
 * Takes renewals at any node, whichever has the instance: they are kept where all nodes find them, and answered when they are
 * there. Instances on a socket are renewed with what is heard on it.
 */
export class LeaseKeeper implements Monitoring {
  readonly isShared = true;
  readonly #deps: LeaseKeeperDeps;
  readonly #renewals: Renewals;
  /** By instance. */
  readonly #attached = new Map<string, Attached>();
  #triedAt = Number.NEGATIVE_INFINITY;

  constructor(deps: LeaseKeeperDeps) {
    this.#deps = deps;
    this.#renewals = new Renewals(deps);
  }

  get enabled(): boolean {
    return this.#deps.isAnybodysWork?.() ?? true;
  }

  /** The leases cannot be reached. */
  get isAway(): boolean {
    return this.#renewals.isAway;
  }

  /** Something was acknowledged that is not there, or not yet. The others are to be told. */
  get hasKept(): boolean {
    return !this.#renewals.isSettled;
  }

  /** Rejects with `RegistryUnavailable` when it can neither be stored nor kept; then nobody may know of it. */
  renew(id: string, generation?: number): boolean | Promise<boolean> {
    const item = instanceIn(this.#deps.view(), id, generation);
    if (item === undefined) return false;
    const { monitor, now } = this.#deps;
    monitor.renew(id, item.value.generation);
    if (item.value.check.type !== 'ttl') return true;
    return new Promise((resolve, reject) => {
      this.#renewals.put(leaseKey(id, item.value.generation), now(), (error) => {
        if (error === undefined) resolve(true);
        else reject(error);
      });
    });
  }

  attach(id: string, connection: SignsOfLife): void {
    this.#deps.monitor.attach(id, connection);
    const item = instanceIn(this.#deps.view(), id);
    if (item?.value.check.type !== 'ttl') return;
    const key = leaseKey(id, item.value.generation);
    this.#attached.set(id, { connection, key, writtenAt: Number.NEGATIVE_INFINITY });
  }

  detach(id: string, connection: SignsOfLife): void {
    this.#deps.monitor.detach(id, connection);
    const attached = this.#attached.get(id);
    if (attached?.connection !== connection) return;
    this.#attached.delete(id);
    this.#write(id, attached);
  }

  /** Renews what was heard on its socket since; to be called every `PULSE_MS`. */
  pulse(): void {
    for (const [id, attached] of this.#attached) this.#write(id, attached);
    this.#renewals.retry();
    if (this.#deps.now() - this.#triedAt >= TRY_MS) this.ask();
  }

  /** Asks the leases, if they are away, whether they are back. */
  ask(): void {
    if (!this.isAway) return;
    this.#triedAt = this.#deps.now();
    // Whoever answers anything is back, and says so.
    this.#deps.leases.read(['back']).catch(() => undefined);
  }

  report(id: string): InstanceReport | undefined {
    return this.#deps.monitor.report(id);
  }

  guards(): readonly GuardReport[] {
    return this.#deps.monitor.guards();
  }

  leasesAway(): void {
    this.#renewals.away();
  }

  leasesBack(): void {
    this.#renewals.back();
  }

  #write(id: string, attached: Attached): void {
    const { heardAt } = attached.connection;
    if (heardAt <= attached.writtenAt) return;
    attached.writtenAt = heardAt;
    const item = instanceIn(this.#deps.view(), id);
    if (item === undefined || leaseKey(id, item.value.generation) !== attached.key) return;
    this.#renewals.put(attached.key, heardAt, (error) => {
      // One that took long is there all the same.
      if (error !== undefined && this.#renewals.isAway) attached.writtenAt = Number.NEGATIVE_INFINITY;
    });
  }
}
