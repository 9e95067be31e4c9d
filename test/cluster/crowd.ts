import type { Select } from '../../src/protocol/frames.ts';
import { every } from '../../src/every.ts';
import { Random } from '../support/random.ts';
import { FrameDesk } from './frame-desk.ts';
import type { LogReader } from './log-reader.ts';
import type { Told, Violation } from './record.ts';
import { Subscriber, type Door } from './subscriber.ts';
import { ToldBook } from './told-book.ts';

const TICK_MS = 100;
const FORGET_MS = 5000;

export interface CrowdOptions {
  readonly doors: readonly Door[];
  readonly reader: LogReader;
  readonly selects: readonly Select[];
  readonly size: number;
  readonly seed: number;
}

/** All subscribers of a run: the selections by turns, on all nodes by turns. */
export class Crowd {
  readonly subscribers: readonly Subscriber[];
  readonly violations: Violation[] = [];
  readonly #told = new ToldBook();
  readonly #jobs: readonly { stop(): Promise<void> }[];
  readonly #random: Random;

  constructor({ doors, reader, selects, size, seed }: CrowdOptions) {
    this.#random = new Random(seed);
    const { tracks } = reader;
    const desk = new FrameDesk((key, revision) => {
      const item = tracks.get(key);
      return item?.revision === revision ? item : undefined;
    });
    const deps = {
      doors,
      tracks,
      desk,
      random: this.#random,
      epoch: () => reader.epoch,
      onViolation: (violation: Violation) => this.violations.push(violation),
      onTold: (told: Told) => this.#told.note(told),
    };
    this.subscribers = Array.from({ length: size }, (_, i) => {
      const select = selects[i % selects.length] as Select;
      return new Subscriber(`subscriber ${i}`, select, Math.floor(i / selects.length), deps);
    });
    reader.onAdvance(() => this.subscribers.forEach((one) => one.check()));
    this.#jobs = [
      every(TICK_MS, () => this.subscribers.forEach((one) => one.tick(performance.now())), failed),
      every(FORGET_MS, () => tracks.forget(Math.min(...this.#whole.map(({ position }) => position))), failed),
    ];
  }

  /** Whether everybody knows everything up to the revision, all at once where they are. */
  isAt(revision: number): boolean {
    return this.#whole.every(({ position }) => position >= revision);
  }

  behind(revision: number): Subscriber[] {
    return this.#whole.filter(({ position }) => position < revision);
  }

  /** Some of them lose their connection. */
  cutSome(share: number): void {
    for (const one of this.subscribers) if (this.#random.chance(share)) one.cut();
  }

  get told(): readonly Told[] {
    return this.#told.all;
  }

  get events(): number {
    return this.subscribers.reduce((sum, one) => sum + one.events, 0);
  }

  get frames(): number {
    return this.subscribers.reduce((sum, one) => sum + one.frames, 0);
  }

  get moves(): number {
    return this.subscribers.reduce((sum, one) => sum + one.moves, 0);
  }

  get resets(): Record<string, number> {
    const sum: Record<string, number> = {};
    for (const { resets } of this.subscribers) for (const [reason, n] of resets) sum[reason] = (sum[reason] ?? 0) + n;
    return sum;
  }

  async stop(): Promise<void> {
    for (const one of this.subscribers) one.stop();
    await Promise.all(this.#jobs.map((job) => job.stop()));
  }

  /** Those that found something wrong stay where they were. */
  get #whole(): Subscriber[] {
    return this.subscribers.filter((one) => !one.isBroken);
  }
}

function failed(error: unknown): void {
  throw error instanceof Error ? error : new Error(String(error));
}
