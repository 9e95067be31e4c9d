import { milliseconds } from '../../src/domain/duration.ts';
import type { Check } from '../../src/domain/instances/check.ts';
import { groupKey } from '../../src/health/claims.ts';
import type { Random } from '../support/random.ts';
import type { SimNode } from './sim-node.ts';

const common = { deregisterAfter: '10m' };
const ttl = (length: string): Check => ({ type: 'ttl', ttl: length, initialStatus: 'passing', ...common });
const tcp = (interval: string, timeout: string, unhealthyAfter: number): Check =>
  ({ type: 'tcp', interval, timeout, unhealthyAfter, healthyAfter: 1, initialStatus: 'critical', ...common }) as Check;
const CHECKS = [ttl('3s'), ttl('6s'), ttl('1500ms'), tcp('3s', '500ms', 2), tcp('8s', '2s', 2), tcp('2s', '2s', 3)];
const SERVICES = ['a.example', 'b.example', 'c.example', 'd.example'];

/** Somebody who registers, and renews or answers while it is alive. */
export class Client {
  readonly id: string;
  readonly n: number;
  readonly service: string;
  readonly region: string;
  readonly check: Check;
  isAlive = false;
  diedAt = Number.NEGATIVE_INFINITY;
  bornAt = 0;
  /** When a renewal was last heard somewhere, acknowledged or not. */
  heardAt = Number.NEGATIVE_INFINITY;
  /** Until then its lease runs, by renewals that were acknowledged in time. */
  runsUntil = Number.NEGATIVE_INFINITY;
  /** When the last renewal was heard that was acknowledged. */
  renewedAt = Number.NEGATIVE_INFINITY;
  doubtfulUntil = Number.NEGATIVE_INFINITY;
  nextRenewal = 0;
  isAsking = false;
  isOnSocket = false;
  socket: { readonly node: SimNode; heardAt: number } | undefined;
  starts: { at: number; node: SimNode }[] = [];
  /** Slots that it was checked for. */
  readonly ran = new Set<number>();
  heldAt = Number.NEGATIVE_INFINITY;
  heldDownAt = Number.NEGATIVE_INFINITY;

  constructor(n: number, random: Random) {
    this.n = n;
    this.id = n.toString(16).padStart(24, '0');
    this.service = SERVICES[n % SERVICES.length] as string;
    this.region = random.pick(['eu', 'eu', 'us']);
    this.check = n < 6 ? (CHECKS[n] as Check) : random.pick(CHECKS);
    this.isOnSocket = random.chance(0.3);
  }

  get group(): string {
    return groupKey(this.service, this.region);
  }

  get ttl(): number {
    return this.check.type === 'ttl' ? milliseconds(this.check.ttl) : 0;
  }
}
