import type { AnyItem, Entry } from '../domain/item.ts';
import type { Head } from '../domain/position.ts';
import { View, type Folded } from '../domain/view.ts';
import type { Bus } from '../bus/port.ts';
import type { Store } from '../store/port.ts';

/** An entry with what each of its changes replaced. */
export interface FoldedEntry {
  readonly entry: Entry;
  readonly folded: readonly Folded[];
}

export interface TailListener {
  /** The view has moved forward by these entries, in order and without a gap. */
  onAdvance(entries: readonly FoldedEntry[]): void;
  onReload(reason: ReloadReason): void;
}

/** Why the view was loaded anew: another epoch, the log no longer reaches back to where it stood, or it was not the truth. */
export type ReloadReason = 'epoch' | 'trimmed' | 'differs';

/** What became of an announcement: its changes were taken, were here already, or are read from the log; or nobody could read it. */
export type News = 'applied' | 'behind' | 'gap' | 'unreadable';

interface Loaded {
  readonly head: Head;
  readonly items: readonly AnyItem[];
}

const READ = { entries: 1000, bytes: 4 * 1024 * 1024 };

/**
 * This node's view of the truth. It moves forward by entries that continue it, whoever brings them: the commit loop, the
 * bus, or the log. Whatever does not continue it makes it read the log (PUSH11).
 */
export class Tail {
  readonly #store: Pick<Store, 'load' | 'head' | 'changesSince'>;
  readonly #listeners: TailListener[] = [];
  #waiters: { revision: number; done: () => void }[] = [];
  #view = new View();
  #head: Head = { epoch: '', revision: 0, trimmed: 0 };
  #ready = false;
  /** A fold has failed half way: nothing is answered from the view until it is loaded anew. */
  #isDamaged = false;
  #catchingUp: Promise<void> | undefined;

  constructor(store: Pick<Store, 'load' | 'head' | 'changesSince'>) {
    this.#store = store;
  }

  /** False until the view is loaded; nothing may be answered from it before (PUSH7). */
  get ready(): boolean {
    return this.#ready && !this.#isDamaged;
  }

  get view(): View {
    return this.#view;
  }

  get head(): Head {
    return this.#head;
  }

  listen(listener: TailListener): void {
    this.#listeners.push(listener);
  }

  /** Loads the view; it counts as ready once `prepare`, which may already look at it, is done too. */
  async open(prepare?: () => Promise<void>): Promise<void> {
    await this.#load();
    await prepare?.();
    this.#ready = true;
    this.#wake();
  }

  /** Nothing is answered from the view until `replace`: it is not what the database holds. */
  suspend(): void {
    this.#ready = false;
  }

  /** Goes on with what the database held a moment ago. */
  async replace(loaded: Loaded): Promise<void> {
    this.#take(loaded, 'differs');
    await this.catchUp();
    this.#ready = true;
  }

  async #load(reason?: ReloadReason): Promise<void> {
    this.#take(await this.#store.load(), reason);
  }

  /** The listeners hear of it before anybody else can look at the new view. */
  #take({ head, items }: Loaded, reason?: ReloadReason): void {
    const view = new View();
    view.fold(items.map((item) => ({ op: 'put', item })));
    this.#view = view;
    this.#isDamaged = false;
    this.#head = head;
    if (reason !== undefined) for (const listener of this.#listeners) listener.onReload(reason);
    this.#wake();
  }

  /** Folds entries that continue the view; those it already has are passed over. False: there is a gap, read the log. */
  advance(entries: readonly Entry[]): boolean {
    const news: FoldedEntry[] = [];
    let revision = this.#head.revision;
    for (const entry of entries) {
      if (entry.revision <= revision) continue;
      if (entry.revision !== revision + 1) break;
      news.push({ entry, folded: this.#fold(entry) });
      revision = entry.revision;
    }
    if (news.length > 0) {
      this.#head = { ...this.#head, revision };
      for (const listener of this.#listeners) listener.onAdvance(news);
      this.#wake();
    }
    return (entries.at(-1)?.revision ?? 0) <= revision;
  }

  /** Reads the log up to its head. Calls that come meanwhile share one run. Rejects as the store does. */
  catchUp(): Promise<void> {
    this.#catchingUp ??= this.#readLog().finally(() => {
      this.#catchingUp = undefined;
    });
    return this.#catchingUp;
  }

  /** Takes the news of other nodes from the bus, and reads the log for whatever was announced before. */
  follow(bus: Bus, onError: (error: unknown) => void, count?: (news: News) => void): void {
    const read = (to: number): void => {
      this.catchUp()
        .then(() => {
          // A run that was already under way may have asked for the head before this news.
          if (this.#head.revision < to) return this.catchUp();
        })
        .catch(onError);
    };
    bus.subscribe({
      onAnnouncement: ({ epoch, entries, to }) => {
        const isOurs = epoch === this.#head.epoch;
        const isBehind = isOurs && to <= this.#head.revision;
        let isApplied = false;
        try {
          isApplied = !isBehind && isOurs && entries !== undefined && this.advance(entries);
          count?.(isBehind ? 'behind' : isApplied ? 'applied' : 'gap');
        } catch {
          // It has the form of news and is none: what it has left behind is put right from the database.
          count?.('unreadable');
        }
        if (!isBehind && !isApplied) read(to);
      },
      onUnreadable: () => count?.('unreadable'),
      onGap: () => read(this.#head.revision + 1),
    });
    read(this.#head.revision + 1);
  }

  /** The log was trimmed, here or on another node. */
  trimmed(head: Head): void {
    if (head.epoch === this.#head.epoch) this.#head = { ...this.#head, trimmed: head.trimmed };
  }

  /** Resolves true once the view has reached the revision, false when it has not within the time. */
  waitFor(revision: number, timeoutMs: number): Promise<boolean> {
    if (this.#head.revision >= revision) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        resolve(false);
      }, timeoutMs);
      const waiter = {
        revision,
        done: (): void => {
          clearTimeout(timer);
          resolve(true);
        },
      };
      this.#waiters.push(waiter);
    });
  }

  async #readLog(): Promise<void> {
    let fruitless = 0;
    for (;;) {
      const { revision } = this.#head;
      const head = await this.#store.head();
      const reason = this.#whyReload(head, revision);
      if (reason !== undefined) {
        await this.#load(reason);
        continue;
      }
      this.trimmed(head);
      if (head.revision <= this.#head.revision) return;
      const { epoch, revision: before } = this.#head;
      const entries = await this.#store.changesSince({ epoch, revision: before }, READ);
      // The view may have been replaced meanwhile.
      if (this.#head.epoch !== epoch) continue;
      this.advance(entries);
      fruitless = this.#head.revision === before ? fruitless + 1 : 0;
      // A trim or a new epoch may pass between the two reads, and the next head says so; anything more is a damaged log.
      if (fruitless > 2) throw new Error(`the log has no revision ${before + 1}, though its head is ${head.revision}`);
    }
  }

  #fold({ changes }: Entry): readonly Folded[] {
    try {
      return this.#view.fold(changes);
    } catch (error) {
      this.#isDamaged = true;
      throw error;
    }
  }

  /** `had`: where the view stood before the head was asked for. Further than the database it was told something that never was. */
  #whyReload(head: Head, had: number): ReloadReason | undefined {
    if (this.#isDamaged) return 'differs';
    if (head.epoch !== this.#head.epoch) return 'epoch';
    if (head.revision < had) return 'differs';
    return head.trimmed > this.#head.revision ? 'trimmed' : undefined;
  }

  #wake(): void {
    if (this.#waiters.length === 0) return;
    const reached = this.#waiters.filter((waiter) => waiter.revision <= this.#head.revision);
    this.#waiters = this.#waiters.filter((waiter) => waiter.revision > this.#head.revision);
    for (const waiter of reached) waiter.done();
  }
}
