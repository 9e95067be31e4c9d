import { milliseconds } from '../domain/duration.ts';
import type { ActiveCheck } from '../domain/instances/check.ts';
import { unknownHealth, type Health } from '../domain/instances/health.ts';
import { catchUpDelay, nextSlot, slotAfter, slotAt, slotsOf, type Slots } from './slots.ts';

/** One check that is under way. */
export interface Probe {
  readonly startedAt: number;
  /** Of the clock that nodes share; `undefined` for an eager check. */
  readonly slot: number | undefined;
  /** What it finds no longer counts. */
  discarded: boolean;
  /** So many failures in a row there were before it when its instance was handed over: another one is for the next owner. */
  handedOver: number | undefined;
  /** Whether a pass can show who is at the address: not when somebody registered there since it started (INS6). */
  canProve: boolean;
}

/** Two clocks at the same moment: what intervals are measured with here, and what all nodes share. */
export interface Clocks {
  readonly now: number;
  readonly sharedNow: number;
}

/** Until something is decided about a new instance it is checked so often at least. */
export const EAGER_MS = 1000;
/** An eager check that starts so much later than due moves the ones after it; less does not, so that the delays do not add up. */
const LATE_MS = 500;
/** Clocks agree about a time to this. */
const NEAR_MS = 0.01;

/** When an instance is checked, and what that has found. */
export class Poll {
  readonly slots: Slots;
  readonly #id: string;
  /** When the next check is due. */
  checkAt: number;
  /** The slot that the next check is for; `undefined`: it is an eager one. */
  slot: number | undefined;
  health: Health;
  probe: Probe | undefined;
  /** It is due and waits for its turn. */
  waiting = false;
  /** The last result was a pass, of a check that can show who is at the address. */
  hasProof = false;
  /**
   * The instance came from another node, which has checked it until this time of the shared clock; what it found that still
   * counts has not been asked for. `undefined`: there is nothing to ask for.
   */
  heirFrom: number | undefined;
  /** The first slot that it was checked for since then. */
  heirAt = 0;
  /** That it fails is noted, for the next owner. */
  isNoted = false;
  #lastSlot = Number.NEGATIVE_INFINITY;
  #countedFrom = 0;
  /** Failures in a row when it was handed over with a check still to be made. */
  #leaving: number | undefined;

  constructor(id: string, check: ActiveCheck, checkAt: number, decided: boolean) {
    this.#id = id;
    this.slots = slotsOf(id, milliseconds(check.interval));
    this.checkAt = checkAt;
    this.health = unknownHealth(decided);
  }

  get interval(): number {
    return this.slots.interval;
  }

  /** From the start of an eager check to the start of the next. */
  get pace(): number {
    return this.health.decided ? this.interval : Math.min(this.interval, EAGER_MS);
  }

  get isIdle(): boolean {
    return this.probe === undefined && !this.waiting;
  }

  begin(now: number): Probe {
    this.#countedFrom = now - this.checkAt > LATE_MS ? now : this.checkAt;
    this.waiting = false;
    if (this.slot !== undefined) this.#lastSlot = this.slot;
    const handedOver = this.#leaving;
    this.#leaving = undefined;
    const discarded = handedOver !== undefined;
    this.probe = { startedAt: now, slot: this.slot, discarded, handedOver, canProve: true };
    return this.probe;
  }

  /** The check after one that has begun. However late that was, the slots stay where they are. */
  scheduleNext(clocks: Clocks): void {
    if (this.health.decided) return this.#plan(nextSlot(this.slots, this.#lastSlot, clocks.sharedNow), clocks);
    this.slot = undefined;
    this.checkAt = this.#countedFrom + this.pace;
  }

  /** The next check is at the next slot, whatever was missed. */
  resume(clocks: Clocks): void {
    const next = slotAfter(this.slots, clocks.sharedNow);
    this.#plan(next === this.#lastSlot ? next + this.interval : next, clocks);
  }

  /** It is not handed over any more: what is checked from here on counts. */
  stay(): void {
    this.#leaving = undefined;
  }

  /** Another node was to check it, and may have left out what was due since `gapFrom`, as `isOurs` says of a slot. */
  takeOver(gapFrom: number, isOurs: (slot: number) => boolean, clocks: Clocks): void {
    const missed = slotAt(this.slots, clocks.sharedNow);
    this.heirFrom = gapFrom;
    // It was due here before it went, and counts again.
    if (this.waiting) return;
    if (missed <= this.#lastSlot || missed < gapFrom || !isOurs(missed)) return this.resume(clocks);
    this.slot = missed;
    this.checkAt = clocks.now + catchUpDelay(this.#id);
  }

  /** Whether the check is due now; otherwise `checkAt` says when to look again. A slot that is another node's is left to it. */
  isDue(isOurs: (slot: number) => boolean, clocks: Clocks): boolean {
    const { slot } = this;
    if (clocks.now < this.checkAt) return false;
    if (slot === undefined) return true;
    const ahead = slot - clocks.sharedNow;
    if (ahead > this.interval) this.resume(clocks);
    else if (ahead > NEAR_MS) this.checkAt = clocks.now + ahead;
    else if (isOurs(slot)) return true;
    else {
      this.#lastSlot = slot;
      this.scheduleNext(clocks);
    }
    return false;
  }

  /** Something is decided about it: from here on it is checked at its slots. */
  settle(clocks: Clocks): void {
    if (this.health.decided) return;
    this.health = { ...this.health, decided: true };
    if (this.isIdle) this.resume(clocks);
  }

  /** Forgets what was found, and what a check under way will find. */
  startOver(): void {
    this.health = unknownHealth(this.health.decided);
    this.hasProof = false;
    this.waiting = false;
    if (this.probe !== undefined) this.probe.discarded = true;
  }

  /**
   * It is another node's from here on. True: the check that is due now, or waits for its turn, was still to be made here, and is
   * then to be started; like one that is under way it says nothing but that it failed.
   */
  handOver(isOurs: (slot: number) => boolean, { sharedNow }: Clocks): boolean {
    const { failures } = this.health;
    const { slot, probe, waiting } = this;
    this.startOver();
    if (probe !== undefined) probe.handedOver ??= failures;
    this.heirFrom = undefined;
    this.isNoted = false;
    const isLeft = probe === undefined && slot !== undefined && slot <= sharedNow && isOurs(slot);
    this.#leaving = isLeft ? failures : undefined;
    this.waiting = waiting && isLeft;
    return isLeft;
  }

  /** What was found up to now shows nothing about who is at the address. */
  displaced(): void {
    this.hasProof = false;
    if (this.probe !== undefined) this.probe.canProve = false;
  }

  #plan(slot: number, { now, sharedNow }: Clocks): void {
    this.slot = slot;
    this.checkAt = now + (slot - sharedNow);
  }
}
