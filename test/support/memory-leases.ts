import {
  LeasesAway,
  type Known,
  type Leases,
  type LeasesListener,
  type Note,
  type Renewal,
} from '../../src/leases/port.ts';

interface Row {
  heardAt: number | undefined;
  note: string | undefined;
  touched: number;
}

/** The server of leases in memory, for simulations. It can be taken away, emptied, slowed down, and its clock set. */
export class MemoryLeaseServer {
  /** `answers-lost`: what is asked is done, and nobody hears of it. */
  failing: false | 'away' | 'answers-lost' = false;
  /** What each call waits for before it is done, and before it is answered. */
  delay: (() => Promise<void>) | undefined;
  answerDelay: (() => Promise<void>) | undefined;
  readonly rows = new Map<string, Row>();
  /** Differs when what was known cannot be relied on. */
  incarnation = 1;
  /** By its own clock. */
  emptiedAt: number;
  lostBecause = '';
  readonly #now: () => number;
  readonly #clients = new Set<MemoryLeases>();
  #step = 0;

  /** `now`: milliseconds, as monotonic as the caller's. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.emptiedAt = now();
  }

  get clock(): number {
    return this.#now() + this.#step;
  }

  open(prefix = ''): MemoryLeases {
    const client = new MemoryLeases(this, prefix, () => this.#clients.delete(client));
    this.#clients.add(client);
    return client;
  }

  /** Whoever has heard that it is away hears that it is back. */
  comeBack(): void {
    this.failing = false;
    for (const client of this.#clients) client.found();
  }

  /** It forgets everything, as one does that comes back empty. */
  lose(reason = 'another server'): void {
    this.rows.clear();
    this.emptiedAt = this.clock;
    this.#changed(reason);
  }

  /** Somebody sets its clock, by so many milliseconds. */
  setClock(by: number): void {
    this.#step += by;
    this.#changed('its clock was set');
  }

  #changed(reason: string): void {
    this.incarnation += 1;
    this.lostBecause = reason;
  }
}

/** A client of its own, as each node has one. It passes the contract suite. */
export class MemoryLeases implements Leases {
  readonly #server: MemoryLeaseServer;
  readonly #prefix: string;
  readonly #onClose: () => void;
  #listener: LeasesListener | undefined;
  #incarnation: number;
  #isAway = false;
  #closed = false;

  constructor(server: MemoryLeaseServer, prefix: string, onClose: () => void) {
    this.#server = server;
    this.#incarnation = server.incarnation;
    this.#prefix = `${prefix}/`;
    this.#onClose = onClose;
  }

  listen(listener: LeasesListener): void {
    this.#listener = listener;
  }

  renew(renewals: readonly Renewal[]): Promise<void> {
    return this.#ask((clock) => {
      for (const { key, age } of renewals) {
        const heardAt = clock - age;
        const was = this.#row(key)?.heardAt ?? heardAt;
        this.#put(key, { heardAt: Math.max(heardAt, Math.min(was, clock)) });
      }
    });
  }

  read(keys: readonly string[]): Promise<readonly Known[]> {
    return this.#ask((clock) =>
      keys.map((key) => {
        const { heardAt, note } = this.#row(key) ?? {};
        // What lies in the future is from before the clock was set back.
        const isKnown = heardAt !== undefined && heardAt < clock + 1000;
        const { emptiedAt } = this.#server;
        const since = emptiedAt <= clock ? clock - emptiedAt : undefined;
        return { age: isKnown ? Math.max(0, clock - heardAt) : undefined, note, since };
      }),
    );
  }

  note(notes: readonly Note[]): Promise<void> {
    return this.#ask(() => {
      for (const { key, note } of notes) this.#put(key, { note: note === '' ? undefined : note });
    });
  }

  forget(keys: readonly string[]): Promise<void> {
    return this.#ask(() => {
      for (const key of keys) this.#server.rows.delete(this.#prefix + key);
    });
  }

  sweep(olderThanMs: number): Promise<void> {
    return this.#ask((clock) => {
      for (const [key, { touched }] of this.#server.rows) {
        if (key.startsWith(this.#prefix) && clock - touched > olderThanMs) this.#server.rows.delete(key);
      }
    });
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#onClose();
    return Promise.resolve();
  }

  /** The server answers, whoever has asked. */
  found(): void {
    if (this.#closed) return;
    if (this.#isAway) {
      this.#isAway = false;
      this.#listener?.onBack();
    }
    const { incarnation, lostBecause } = this.#server;
    const was = this.#incarnation;
    this.#incarnation = incarnation;
    if (was !== incarnation) this.#listener?.onLost(lostBecause);
  }

  async #ask<T>(what: (clock: number) => T): Promise<T> {
    const server = this.#server;
    await server.delay?.();
    await Promise.resolve();
    if (this.#closed) throw new LeasesAway('they were closed');
    if (server.failing === 'away') throw this.#lost();
    const result = what(server.clock);
    await server.answerDelay?.();
    if (server.failing !== false) throw this.#lost();
    this.found();
    return result;
  }

  #lost(): LeasesAway {
    const error = new LeasesAway('they do not answer');
    if (!this.#isAway && !this.#closed) {
      this.#isAway = true;
      this.#listener?.onAway(error);
    }
    return error;
  }

  #row(key: string): Row | undefined {
    return this.#server.rows.get(this.#prefix + key);
  }

  #put(key: string, change: Partial<Pick<Row, 'heardAt' | 'note'>>): void {
    const row = this.#row(key) ?? { heardAt: undefined, note: undefined };
    this.#server.rows.set(this.#prefix + key, { ...row, ...change, touched: this.#server.clock });
  }
}
