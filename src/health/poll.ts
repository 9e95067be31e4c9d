import { milliseconds } from '../domain/duration.ts';
import { JITTER, type ActiveCheck } from '../domain/instances/check.ts';
import { unknownHealth, type Health } from '../domain/instances/health.ts';

/** One check that is under way. */
export interface Probe {
  readonly startedAt: number;
  /** What it finds no longer counts. */
  discarded: boolean;
  /** Whether a pass can show who is at the address: not when somebody registered there since it started (INS6). */
  canProve: boolean;
}

/** Until something is decided about a new instance it is checked so often at least. */
const EAGER_MS = 1000;
/** A check that starts so much later than due moves the ones after it; less does not, so that the delays do not add up (INS1). */
const LATE_MS = 500;

/** When an instance is checked, and what that has found. */
export class Poll {
  readonly interval: number;
  /** When the next check is due. */
  checkAt: number;
  health: Health;
  probe: Probe | undefined;
  /** It is due and waits for its turn. */
  waiting = false;
  /** The last result was a pass, of a check that can show who is at the address. */
  hasProof = false;
  #countedFrom = 0;

  constructor(check: ActiveCheck, checkAt: number, decided: boolean) {
    this.interval = milliseconds(check.interval);
    this.checkAt = checkAt;
    this.health = unknownHealth(decided);
  }

  /** From the start of a check to the start of the next. */
  get pace(): number {
    return this.health.decided ? this.interval : Math.min(this.interval, EAGER_MS);
  }

  get isIdle(): boolean {
    return this.probe === undefined && !this.waiting;
  }

  begin(now: number): Probe {
    this.#countedFrom = now - this.checkAt > LATE_MS ? now : this.checkAt;
    this.waiting = false;
    this.probe = { startedAt: now, discarded: false, canProve: true };
    return this.probe;
  }

  /** `random` from 0 to 1. */
  scheduleNext(random: number): void {
    this.checkAt = this.#countedFrom + this.pace * (1 + random * JITTER);
  }

  /** Something is decided about it. From here on it is checked at its own pace, begun anywhere in it: those that register together do not stay together. */
  settle(now: number, random: number): void {
    if (!this.health.decided && this.isIdle) this.checkAt = now + random * this.interval;
    this.health = { ...this.health, decided: true };
  }

  /** Forgets what was found, and what a check under way will find. */
  startOver(): void {
    this.health = unknownHealth(this.health.decided);
    this.hasProof = false;
    this.waiting = false;
    if (this.probe !== undefined) this.probe.discarded = true;
  }

  /** What was found up to now shows nothing about who is at the address. */
  displaced(): void {
    this.hasProof = false;
    if (this.probe !== undefined) this.probe.canProve = false;
  }
}
