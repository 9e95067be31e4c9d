import { milliseconds } from '../domain/duration.ts';
import type { HealthStatus, TtlCheck } from '../domain/instances/check.ts';
import { leaseVerdict } from '../domain/instances/health.ts';
import type { Moment } from './moment.ts';
import type { SignsOfLife } from './monitoring.ts';

/** The lease of one instance. Renewing writes a number; when it runs out is looked up when its time seems to have come. */
export class Lease {
  readonly ttl: number;
  /** Since when it runs without having been renewed: its registration. */
  grantedAt: number;
  #renewedAt = -Infinity;
  #connection: SignsOfLife | undefined;

  constructor(check: TtlCheck, now: number) {
    this.ttl = milliseconds(check.ttl);
    this.grantedAt = now;
  }

  get connection(): SignsOfLife | undefined {
    return this.#connection;
  }

  /** When it was last renewed; -Infinity when it never was. */
  get heardAt(): number {
    const heardAt = this.#connection?.heardAt ?? -Infinity;
    return heardAt > this.#renewedAt ? heardAt : this.#renewedAt;
  }

  renew(now: number): void {
    this.#renewedAt = now;
  }

  /** Goes on where another lease of the same instance was: with another length it is no other sign of life. */
  takeOver({ heardAt, connection }: Lease): void {
    this.#renewedAt = heardAt;
    this.#connection = connection;
  }

  /** The latest connection counts. */
  attach(connection: SignsOfLife): void {
    this.#renewedAt = this.heardAt;
    this.#connection = connection;
  }

  /** The lease runs on from what was last heard. */
  detach(connection: SignsOfLife): void {
    if (this.#connection !== connection) return;
    this.#renewedAt = this.heardAt;
    this.#connection = undefined;
  }

  /** `grantedAt`: when Signalbox, having been away, extended all leases (INS3). */
  runsUntil(grantedAt: number): number {
    return Math.max(this.heardAt, this.grantedAt, grantedAt) + this.ttl;
  }

  verdict({ readUntil, grantedAt }: Moment): HealthStatus | undefined {
    return leaseVerdict(this.heardAt + this.ttl, this.runsUntil(grantedAt), readUntil);
  }
}
