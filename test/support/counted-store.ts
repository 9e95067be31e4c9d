import type { Entry } from '../../src/domain/item.ts';
import type { Head, Position } from '../../src/domain/position.ts';
import { MemoryStore } from './memory-store.ts';

/** A store that several nodes share: counts what they read, and can be made to wait. */
export class CountedStore extends MemoryStore {
  reads = { head: 0, changes: 0, load: 0 };
  /** What reads wait for, once they are counted. */
  gate: Promise<void> | undefined;

  override async head(): Promise<Head> {
    this.reads.head += 1;
    await this.gate;
    return super.head();
  }

  override async load(): ReturnType<MemoryStore['load']> {
    this.reads.load += 1;
    await this.gate;
    return super.load();
  }

  override async changesSince(from: Position, limit: { entries: number; bytes: number }): Promise<Entry[]> {
    this.reads.changes += 1;
    await this.gate;
    return super.changesSince(from, limit);
  }

  countAnew(): void {
    this.reads = { head: 0, changes: 0, load: 0 };
  }
}
