import { decodeChanges, encodeChanges } from '../../src/domain/codec.ts';
import type { AuditEntry, AuditFilter } from '../../src/domain/audit.ts';
import { changeName, type AnyItem, type Entry } from '../../src/domain/item.ts';
import type { Head, Position } from '../../src/domain/position.ts';
import { MemoryDocuments } from './memory-documents.ts';
import { MemoryRegistrationTokens } from './memory-registration-tokens.ts';
import { StoreUnavailable, type AuditPage, type Batch, type Store, type TrimPolicy } from '../../src/store/port.ts';
import type { Leases } from '../../src/leases/port.ts';
import { MemoryLeaseServer } from './memory-leases.ts';
import { MemoryNodes } from './memory-nodes.ts';
import { MemorySessions } from './memory-sessions.ts';

/**
 * The store in memory, for simulations of thousands of histories. It passes the contract suite, and it can be made to
 * fail. Entries go through the codec, so that what is read back is not what was handed in.
 */
export class MemoryStore implements Store {
  failing: false | 'unavailable' | 'outcome-unknown-committed' | 'outcome-unknown-lost' = false;
  /** Called inside a commit, before anything is checked: another node may get in first. */
  beforeCommit: (() => void) | undefined;
  readonly registrationTokens = new MemoryRegistrationTokens();
  readonly documents = new MemoryDocuments(
    () => this.#clock(),
    () => this.#items.values(),
    () => this.#turn(),
  );
  readonly sessions = new MemorySessions(() => this.#turn());
  readonly nodes = new MemoryNodes(() => this.#turn());
  readonly leaseServer = new MemoryLeaseServer();
  readonly #items = new Map<string, AnyItem>();
  #log: { revision: number; at: number; author: string; changes: string }[] = [];
  #head: Head = { epoch: 'e1', revision: 0, trimmed: 0 };
  #epochs = 1;
  #audit: AuditEntry[] = [];
  readonly #clock: () => number;

  /** `clock`: of the database itself, in milliseconds since 1970. */
  constructor(clock: () => number = Date.now) {
    this.#clock = clock;
  }

  async head(): Promise<Head> {
    await this.#turn();
    return this.#head;
  }

  async load(): Promise<{ head: Head; items: AnyItem[] }> {
    await this.#turn();
    return { head: this.#head, items: [...this.#items.values()] };
  }

  async changesSince({ epoch, revision }: Position, limit: { entries: number; bytes: number }): Promise<Entry[]> {
    await this.#turn();
    if (epoch !== this.#head.epoch) return [];
    const entries: Entry[] = [];
    let bytes = 0;
    for (const { changes, ...entry } of this.#log) {
      if (entry.revision <= revision) continue;
      if (entries.length >= limit.entries || (entries.length > 0 && bytes + changes.length > limit.bytes)) break;
      bytes += changes.length;
      entries.push({ ...entry, changes: decodeChanges(JSON.parse(changes)) });
    }
    return entries;
  }

  async commit(batch: Batch): Promise<boolean> {
    await this.#turn();
    const { failing } = this;
    if (failing === 'outcome-unknown-lost') throw new StoreUnavailable('lost', { outcomeUnknown: true });
    this.beforeCommit?.();
    const committed = this.commitNow(batch);
    if (failing === 'outcome-unknown-committed') throw new StoreUnavailable('lost', { outcomeUnknown: true });
    return committed;
  }

  commitNow({ epoch, base, entries, audit = [], fence }: Batch): boolean {
    if (fence !== undefined && fence !== this.nodes.standing.term) return false;
    if (epoch !== this.#head.epoch || base !== this.#head.revision) return false;
    for (const entry of entries) {
      for (const change of entry.changes) {
        if (change.op === 'put') this.#items.set(changeName(change), change.item);
        else this.#items.delete(change.name);
      }
      const { revision, at, author } = entry;
      this.#log.push({ revision, at, author, changes: encodeChanges(entry.changes) });
    }
    this.#audit.push(...audit);
    this.#head = { ...this.#head, revision: base + entries.length };
    return true;
  }

  async trim({ maxAgeMs, maxBytes }: TrimPolicy): Promise<Head> {
    await this.#turn();
    const oldest = this.#clock() - maxAgeMs;
    let bytes = 0;
    const keep = this.#log.findLastIndex((entry, index) => {
      bytes += entry.changes.length;
      return index < this.#log.length - 1 && (entry.at < oldest || bytes > maxBytes);
    });
    this.#log = this.#log.slice(keep + 1);
    this.#head = { ...this.#head, trimmed: (this.#log[0]?.revision ?? this.#head.revision + 1) - 1 };
    return this.#head;
  }

  async appendAudit(entries: readonly AuditEntry[]): Promise<void> {
    await this.#turn();
    this.#audit.push(...entries);
  }

  async readAudit(filter: AuditFilter, { before, limit }: AuditPage): Promise<AuditEntry[]> {
    await this.#turn();
    const upTo = before?.at ?? Number.POSITIVE_INFINITY;
    // The sort is stable: of one millisecond, what came first stays first.
    const matching = this.#audit.filter((entry) => entry.at <= upTo && passes(filter, entry));
    return matching.toSorted((a, b) => b.at - a.at).slice(before?.given ?? 0, (before?.given ?? 0) + limit);
  }

  async trimAudit(before: number): Promise<number> {
    await this.#turn();
    const { length } = this.#audit;
    this.#audit = this.#audit.filter(({ at }) => at >= before);
    return length - this.#audit.length;
  }

  async newEpoch(): Promise<Head> {
    await this.#turn();
    this.#epochs += 1;
    this.#head = { ...this.#head, epoch: `e${this.#epochs}` };
    return this.#head;
  }

  leases(): Leases {
    return this.leaseServer.open();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #turn(): Promise<void> {
    await Promise.resolve();
    if (this.failing === 'unavailable') throw new StoreUnavailable('the database is away');
  }
}

function passes({ services, from, to, ...texts }: AuditFilter, entry: AuditEntry): boolean {
  if (services !== undefined && !services.includes(entry.service ?? '')) return false;
  if (entry.at < (from ?? 0) || entry.at >= (to ?? Number.POSITIVE_INFINITY)) return false;
  return Object.entries(texts).every(
    ([field, text]) => text === undefined || entry[field as keyof AuditEntry] === text,
  );
}
