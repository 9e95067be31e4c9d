import type { SessionRow, SessionRows } from '../../src/store/port.ts';

/** The sessions of the store in memory. What is read back is not what was handed in. */
export class MemorySessions implements SessionRows {
  readonly rows = new Map<string, SessionRow>();
  /** How often the database was asked. */
  asked = 0;
  readonly #turn: () => Promise<void>;

  constructor(turn: () => Promise<void> = () => Promise.resolve()) {
    this.#turn = async () => {
      this.asked += 1;
      await turn();
    };
  }

  async insert(row: SessionRow): Promise<boolean> {
    await this.#turn();
    const there = this.rows.get(row.id);
    if (there !== undefined && there.expiresAt > row.createdAt) return false;
    this.rows.set(row.id, structuredClone(row));
    return true;
  }

  async read(ids: readonly string[]): Promise<SessionRow[]> {
    await this.#turn();
    return structuredClone(ids.flatMap((id) => this.rows.get(id) ?? []));
  }

  async update(id: string, change: { data?: unknown; expiresAt?: number }): Promise<boolean> {
    await this.#turn();
    const row = this.rows.get(id);
    if (row !== undefined) this.rows.set(id, { ...row, ...structuredClone(change) });
    return row !== undefined;
  }

  async take(id: string): Promise<SessionRow | undefined> {
    await this.#turn();
    const row = this.rows.get(id);
    this.rows.delete(id);
    return row;
  }

  async removeExpired(before: number): Promise<number> {
    await this.#turn();
    const gone = [...this.rows.values()].filter(({ expiresAt }) => expiresAt <= before);
    for (const { id } of gone) this.rows.delete(id);
    return gone.length;
  }
}
