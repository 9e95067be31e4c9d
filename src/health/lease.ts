import { milliseconds } from '../domain/duration.ts';
import { TELLING_MS, type HealthStatus, type TtlCheck } from '../domain/instances/check.ts';
import { leaseVerdict } from '../domain/instances/health.ts';
import type { Known } from '../leases/port.ts';
import type { Moment } from './moment.ts';
import type { SignsOfLife } from './monitoring.ts';

/** What a renewal may need from being heard, at whichever node, to being where all nodes find it. */
export const SLACK_MS = 500;

/** The lease of one instance. Renewing writes a number; when it runs out is looked up when its time seems to have come. */
export class Lease {
  readonly ttl: number;
  /** Since when it runs without having been renewed: its registration. -Infinity: nobody here has seen that. */
  grantedAt: number;
  /** When the leases that all nodes share were last asked about it. */
  askedAt = Number.NEGATIVE_INFINITY;
  /** It came here: whoever had it before decided about it until then. */
  decidedUntil: number | undefined;
  /** When they were asked what they have answered last. */
  #readAt: number | undefined;
  /** The last answer took so long that renewals may have waited with the question, and been taken up after it. */
  #wasLate = false;
  #renewedAt = Number.NEGATIVE_INFINITY;
  /** It registered before that, and nobody here has seen it. */
  #thereBefore = Number.NEGATIVE_INFINITY;
  /** Since when it runs although nothing was heard of it then. */
  #assumedAt = Number.NEGATIVE_INFINITY;
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

  /**
   * The leases that all nodes share have answered what they were asked at `askedAt`. What they have forgotten may have been heard
   * until just before they began with nothing. Of what nobody knows anything about, nothing was heard since this process began, or
   * they would know. What ran out long before it came here, and was not given up by whoever had it, has its full length again: that
   * node knew why (INS3).
   */
  learn({ age, since }: Known, askedAt: number, { now, grantedAt }: Pick<Moment, 'now' | 'grantedAt'>): void {
    if (age !== undefined && now - age > this.#renewedAt) this.#renewedAt = now - age;
    if (since !== undefined) this.#assumedAt = Math.max(this.#assumedAt, now - since);
    if (Math.max(this.heardAt, this.grantedAt) === Number.NEGATIVE_INFINITY)
      this.#assumedAt = Math.max(this.#assumedAt, this.#thereBefore);
    const { decidedUntil } = this;
    // Whatever waited is there for the next question.
    this.#wasLate = now - askedAt > SLACK_MS && !this.#wasLate;
    this.#readAt = this.#wasLate ? undefined : askedAt;
    this.decidedUntil = undefined;
    const ranOutAt = this.runsUntil(grantedAt);
    if (decidedUntil !== undefined && ranOutAt + TELLING_MS + SLACK_MS < decidedUntil) this.#assumedAt = now;
  }

  /** It comes here, perhaps once more: what was answered earlier says nothing about what was heard elsewhere since. */
  forgetAnswer(): void {
    this.askedAt = Number.NEGATIVE_INFINITY;
    this.#readAt = undefined;
    this.#wasLate = false;
  }

  /** It is there at `now`, and nobody here has seen its registration, nor any renewal. */
  assumeNothing(now: number): void {
    this.grantedAt = Number.NEGATIVE_INFINITY;
    this.#thereBefore = now;
  }

  /** Whether it was asked about after this time, and whatever was heard until then was there to be found. */
  wasReadAfter(time: number): boolean {
    return this.#readAt !== undefined && this.#readAt >= time + SLACK_MS;
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
    return Math.max(this.heardAt, this.grantedAt, this.#assumedAt, grantedAt) + this.ttl;
  }

  verdict({ readUntil, grantedAt, leases }: Moment): HealthStatus | undefined {
    const runsUntil = this.runsUntil(grantedAt);
    const verdict = leaseVerdict(this.heardAt + this.ttl, runsUntil, readUntil);
    if (verdict !== 'critical' || leases === 'own') return verdict;
    return leases === 'shared' && this.wasReadAfter(runsUntil) ? verdict : undefined;
  }
}
