import { NO_MEMBERSHIP, type Membership } from '../../src/domain/membership.ts';
import type { NodeRow, Nodes, Roll } from '../../src/store/port.ts';

/** The nodes of a database in memory, by a clock of its own. */
export class MemoryNodes implements Nodes {
  standing: Membership = NO_MEMBERSHIP;
  clock: () => number = () => Date.now();
  readonly #rows = new Map<string, NodeRow>();
  readonly #turn: () => Promise<void>;

  constructor(turn: () => Promise<void> = () => Promise.resolve()) {
    this.#turn = turn;
  }

  async beat({ id, name, version, state }: Pick<NodeRow, 'id' | 'name' | 'version' | 'state'>): Promise<Roll> {
    await this.#turn();
    const clock = this.clock();
    const startedAt = Math.min(this.#rows.get(id)?.startedAt ?? clock, clock);
    this.#rows.set(id, { id, name, version, startedAt, heardAt: clock, state: JSON.parse(JSON.stringify(state)) });
    for (const row of this.#rows.values()) {
      if (clock - row.heardAt > 3_600_000) this.#rows.delete(row.id);
      // From before the clock was set back.
      if (row.heardAt > clock) {
        this.#rows.set(row.id, { ...row, heardAt: clock, startedAt: Math.min(row.startedAt, clock) });
      }
    }
    const nodes = [...this.#rows.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
    return { clock, membership: this.standing, nodes };
  }

  async change(next: Membership): Promise<boolean> {
    await this.#turn();
    if (this.standing.term !== next.term - 1) return false;
    this.standing = next;
    return true;
  }

  async leave(id: string): Promise<void> {
    await this.#turn();
    this.#rows.delete(id);
  }

  async membership(): Promise<Membership> {
    await this.#turn();
    return this.standing;
  }

  /** As if nodes whose ids begin so had last been heard of so much earlier. */
  makeOlder(prefix: string, ms: number): void {
    for (const [id, row] of this.#rows) {
      if (!id.startsWith(prefix)) continue;
      this.#rows.set(id, { ...row, startedAt: row.startedAt - ms, heardAt: row.heardAt - ms });
    }
  }
}
