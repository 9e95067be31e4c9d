import { milliseconds } from '../domain/duration.ts';
import { provesIdentity, type HealthStatus } from '../domain/instances/check.ts';
import type { Flapping } from '../domain/instances/flapping.ts';
import type { Instance } from '../domain/instances/instance.ts';
import type { Item } from '../domain/item.ts';
import type { Due } from './due-queue.ts';
import type { Group } from './groups.ts';
import { Lease } from './lease.ts';
import type { Moment } from './moment.ts';
import { Poll } from './poll.ts';

/** One result, as it is remembered. */
export interface Result {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly status: HealthStatus;
  readonly reason: string;
  readonly durationMs: number;
}

const REMEMBERED = 5;

/** An instance whose check is kept here. There are many of these, so what few need is made when it is needed. */
export class Tracked implements Due {
  dueAt = 0;
  slot = -1;
  /** As it is in the view; put here as the view moves on. */
  item: Item<'instance'>;
  group: Group;
  lease: Lease | undefined;
  poll: Poll | undefined;
  deregisterAfter = 0;
  /** Since when it has been critical without a sign of life, as seen from here. */
  criticalSince: number;
  /** Since when somebody else has been at its address, as seen from here (INS6). */
  displacedAt: number;
  flapping: Flapping | undefined;
  /** The newest first. */
  results: Result[] | undefined;
  /** What the command about it asks for that is under way. */
  asked: HealthStatus | 'removal' | undefined;
  /** The group that it is about to leave for being critical. */
  leaving: Group | undefined;
  gone = false;
  /** It is looked at here: its group is this node's. */
  taken = false;
  /** When its registration with this check was seen; -Infinity: it was there before this process. */
  begunAt = Number.NEGATIVE_INFINITY;

  constructor(item: Item<'instance'>, group: Group, now: number) {
    this.item = item;
    this.group = group;
    this.criticalSince = now;
    this.displacedAt = now;
  }

  /** Begins its check anew; an active one is due now. */
  beginCheck(now: number, decided: boolean): void {
    const { check } = this.item.value;
    this.poll?.startOver();
    const kept = this.lease;
    this.lease = check.type === 'ttl' ? new Lease(check, now) : undefined;
    if (kept !== undefined) this.lease?.takeOver(kept);
    this.poll = check.type === 'ttl' ? undefined : new Poll(this.item.id, check, now, decided);
    this.deregisterAfter = milliseconds(check.deregisterAfter);
  }

  /** What is known about it where all nodes find it stands under this key: it is another one for each generation. */
  get key(): string {
    return leaseKey(this.item.id, this.item.value.generation);
  }

  get inFlight(): boolean {
    return this.asked !== undefined;
  }

  get status(): HealthStatus {
    return this.item.value.status;
  }

  /** What should hold by its check alone; undefined: whatever does. */
  verdict(moment: Moment): HealthStatus | undefined {
    return this.lease === undefined ? this.poll?.health.verdict : this.lease.verdict(moment);
  }

  /** Whether it has itself shown that it is there since somebody else has been at its address (INS6). */
  get isProven(): boolean {
    if (this.lease !== undefined) return this.lease.heardAt > this.displacedAt;
    return this.poll?.hasProof === true && provesIdentity(this.item.value.check);
  }

  /** Whether its check says, and not only its registration, that it is critical. */
  hasFailed(moment: Moment): boolean {
    if (this.lease !== undefined) return this.lease.verdict(moment) === 'critical';
    return (this.poll?.health.failures ?? 0) > 0;
  }

  /** When it is removed, if it stays critical; absence of Signalbox does not count. */
  removedAt({ grantedAt }: Moment): number {
    return Math.max(this.criticalSince, grantedAt) + this.deregisterAfter;
  }

  remember(result: Result): void {
    this.results ??= [];
    this.results.unshift(result);
    if (this.results.length > REMEMBERED) this.results.pop();
  }
}

export const leaseKey = (id: string, generation: number): string => `${id}:${generation}`;

/** The address and port that its checks call. */
export function targetOf({ service, address, port, check }: Instance): {
  service: string;
  address: string;
  port: number;
} {
  return { service, address, port: (check.type === 'ttl' ? undefined : check.port) ?? port };
}
