import type { ActiveCheck } from '../domain/instances/check.ts';
import { carryOver } from '../domain/instances/health.ts';
import type { Known, Leases } from '../leases/port.ts';
import { LeaseReader } from './lease-reader.ts';
import type { Moment } from './moment.ts';
import { failingIn, Notebook } from './notebook.ts';
import type { Poll, Probe } from './poll.ts';
import { Reminder } from './reminder.ts';
import type { Tracked } from './tracked.ts';

export interface HeritageDeps {
  readonly leases: Pick<Leases, 'read' | 'renew' | 'note' | 'forget'>;
  readonly moment: () => Moment;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Something was learned about it. */
  readonly onNews: (tracked: Tracked) => void;
}

/** What nodes leave one another: when instances were last heard, and how often in a row their checks have failed. */
export class Heritage {
  readonly #deps: HeritageDeps;
  readonly #reader: LeaseReader;
  readonly #notebook: Notebook;
  readonly #reminder: Reminder;

  constructor(deps: HeritageDeps) {
    const { leases, now } = deps;
    this.#deps = deps;
    this.#notebook = new Notebook(leases);
    this.#reminder = new Reminder({ leases, now });
    this.#reader = new LeaseReader({ leases, now, onAnswer: (...answer) => this.#learned(...answer) });
  }

  /** Asks when it was last heard anywhere. */
  ask(tracked: Tracked): void {
    this.#reader.want(tracked);
  }

  /** The leases may have forgotten when it was last heard. */
  remind(tracked: Tracked): void {
    this.#reminder.want(tracked);
  }

  /** A check at this slot has ended, and its result counts. */
  checked(tracked: Tracked, poll: Poll, slot: number): void {
    if (poll.heirFrom === undefined) return this.#noteDown(tracked, poll, slot);
    if (poll.health.failures === 0) {
      poll.heirFrom = undefined;
      return;
    }
    // What is noted is asked for before it is written over.
    if (poll.health.failures === 1) poll.heirAt = slot;
    this.#reader.want(tracked);
  }

  /** A check at this slot has failed that was still made here when the instance had gone to another node. */
  leave({ key }: Tracked, { handedOver }: Probe, slot: number): void {
    if (handedOver !== undefined) this.#notebook.note(key, { failures: handedOver + 1, slot });
  }

  forget({ key }: Tracked): void {
    this.#notebook.forget(key);
  }

  /** To be called once per tick, when everything is said. */
  flush(): void {
    this.#reader.flush();
    this.#notebook.flush();
    this.#reminder.flush();
  }

  #learned(tracked: Tracked, known: Known, askedAt: number): void {
    const { lease, poll, item } = tracked;
    lease?.learn(known, askedAt, this.#deps.moment());
    if (known.age === undefined) this.remind(tracked);
    if (poll?.heirFrom !== undefined) {
      const earlier = failingIn(known.note);
      // Slots that nobody has run in between do not count, and those that somebody has, without a failure, end the row.
      const counts = earlier !== undefined && earlier.slot + poll.interval >= Math.min(poll.heirFrom, poll.heirAt);
      if (counts) poll.health = carryOver(poll.health, earlier.failures, item.value.check as ActiveCheck);
      poll.heirFrom = undefined;
      this.#noteDown(tracked, poll, poll.heirAt);
    }
    this.#deps.onNews(tracked);
  }

  /** Failures that have come to no decision are written down for the node that has the instance next. */
  #noteDown({ key, status }: Tracked, poll: Poll, slot: number): void {
    const { failures } = poll.health;
    const isNotable = failures > 0 && status !== 'critical';
    if (isNotable) this.#notebook.note(key, { failures, slot });
    else if (poll.isNoted) this.#notebook.note(key, undefined);
    poll.isNoted = isNotable;
  }
}
