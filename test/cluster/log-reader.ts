import pg from 'pg';
import { decodeChanges } from '../../src/domain/codec.ts';
import { changeName, type Entry } from '../../src/domain/item.ts';
import type { Selector } from '../../src/domain/selector.ts';
import { View } from '../../src/domain/view.ts';
import { every } from '../../src/every.ts';
import { isGuardAdvisory } from '../../src/health/guard-advisory.ts';
import { Ledger } from './ledger.ts';
import { groupOf, type Between, type Hold, type InstanceEvent, type Violation } from './record.ts';
import { Tracks } from './tracks.ts';
import { cov2 } from './validators/cov2.ts';
import { rev1, rev3 } from './validators/rev.ts';

const LOOK_MS = 40;
const PAGE = 1000;
/** A look that takes longer says nothing; the server is away. */
const LOOK_TIMEOUT_MS = 5000;

interface Row {
  readonly revision: string;
  readonly at: Date;
  readonly author: string;
  readonly changes: string;
}

/**
 * The log as PostgreSQL has it, read past every node and every link: what all others are held against. It also knows within a
 * few hundredths of a second when each revision was committed, by no clock but the harness's own.
 */
export class LogReader {
  readonly tracks: Tracks;
  readonly view = new View();
  readonly violations: Violation[] = [];
  readonly instances: InstanceEvent[] = [];
  /** Groups that the eviction guard holds, each with since when. */
  readonly #held = new Map<string, number>();
  readonly #holds: Hold[] = [];
  /** The marks of writes (a title, a label), each with the revisions at which it was put. */
  readonly marks = new Map<string, number[]>();
  /** Of all other writes, each is held against its revision. */
  readonly ledger = new Ledger();
  epoch = '';
  head = 0;
  readonly #url: string;
  readonly #listeners: (() => void)[] = [];
  readonly #job: { stop(): Promise<unknown> };
  #looking: Promise<void> = Promise.resolve();
  #client: pg.Client | undefined;
  #lookedAt = performance.now();

  constructor(url: string, selectors: readonly Selector[]) {
    this.#url = url;
    this.tracks = new Tracks(selectors);
    this.#job = every(LOOK_MS, () => this.look(), noted);
  }

  /** When the eviction guard held which group, as all could see. */
  get holds(): readonly Hold[] {
    const held = [...this.#held].map(([group, from]) => ({ group, from, until: Infinity }));
    return [...this.#holds, ...held];
  }

  onAdvance(listener: () => void): void {
    this.#listeners.push(listener);
  }

  async stop(): Promise<void> {
    await this.#job.stop();
    await this.#drop();
  }

  /** Reads what is new; one look after the other, whoever asks. While PostgreSQL is away, nothing is new. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#look());
    return this.#looking;
  }

  async #look(): Promise<void> {
    const askedAt = performance.now();
    let rows: Row[];
    try {
      rows = await this.#read();
    } catch {
      await this.#drop();
      return;
    }
    const between = { after: this.#lookedAt, before: performance.now() };
    for (const row of rows) this.#take(row, between);
    // A full page says nothing of what comes after it.
    if (rows.length < PAGE) this.#lookedAt = askedAt;
    if (rows.length > 0) for (const listener of this.#listeners) listener();
  }

  async #read(): Promise<Row[]> {
    if (this.#client === undefined) {
      const client = new pg.Client({ connectionString: this.#url, query_timeout: LOOK_TIMEOUT_MS });
      client.on('error', () => void this.#drop());
      // Whoever ends connections for a test spares this one by its name.
      await client.connect();
      await client.query(`SET application_name = '${READER_NAME}'`);
      this.#client = client;
    }
    const { rows } = await this.#client.query<Row>(
      `SELECT revision, at, author, changes::text AS changes FROM change_log WHERE revision > $1 ORDER BY revision LIMIT ${PAGE}`,
      [this.head],
    );
    if (this.epoch === '') {
      const { rows: heads } = await this.#client.query<{ epoch: string }>('SELECT epoch FROM head');
      this.epoch = heads[0]?.epoch ?? '';
    }
    return rows;
  }

  async #drop(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }

  #take({ revision, at, author, changes }: Row, between: Between): void {
    const entry: Entry = {
      revision: Number(revision),
      at: at.getTime(),
      author,
      changes: decodeChanges(JSON.parse(changes)),
    };
    this.violations.push(...rev1(this.head, entry), ...rev3(entry, (name) => this.view.get(name)));
    this.#keepInstances(entry, between);
    this.#keepHolds(entry, between);
    this.#keepMarks(entry);
    const folded = this.view.fold(entry.changes);
    this.violations.push(...cov2(this.view, folded, entry.revision));
    this.tracks.record(entry);
    this.ledger.take(entry);
    this.head = entry.revision;
  }

  #keepInstances({ revision, author, changes }: Entry, between: Between): void {
    for (const change of changes) {
      const item = change.op === 'put' ? change.item : this.view.get(change.name);
      if (item?.kind !== 'instance') continue;
      const { status, passing } = item.value;
      const rest = change.op === 'put' ? { status, passing } : {};
      const event = { name: changeName(change), revision, op: change.op, group: groupOf(item), ...between };
      this.instances.push({ ...event, ...rest, isOwn: author === 'signalbox' });
    }
  }

  #keepHolds({ changes }: Entry, { after, before }: Between): void {
    for (const change of changes) {
      const item = change.op === 'put' ? change.item : this.view.get(change.name);
      if (item?.kind !== 'advisory' || !isGuardAdvisory(item.value)) continue;
      const group = groupOf(item);
      const from = this.#held.get(group);
      if (change.op === 'put') this.#held.set(group, from ?? after);
      else if (from !== undefined && this.#held.delete(group)) this.#holds.push({ group, from, until: before });
    }
  }

  #keepMarks({ revision, changes }: Entry): void {
    for (const change of changes) {
      if (change.op !== 'put' || change.item.kind !== 'region') continue;
      const { name, title } = change.item.value;
      const key = `${name} ${title}`;
      const before = this.marks.get(key);
      if (before === undefined) this.marks.set(key, [revision]);
      else if (before.at(-1) !== revision) before.push(revision);
    }
  }
}

export const READER_NAME = 'cluster-log-reader';

function noted(error: unknown): void {
  throw error instanceof Error ? error : new Error(String(error));
}
