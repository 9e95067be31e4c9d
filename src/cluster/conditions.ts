/** What can be wrong with a node while it goes on. docs/operations.md has a page for each. */
export const MODES = {
  'database-away':
    'PostgreSQL cannot be reached: writes answer 503, reads and watches go on from memory, nothing expires.',
  'bus-away': 'Redis does not carry news: commits of other nodes are found in the log, every TAIL_INTERVAL.',
  'leases-away': 'The leases cannot be reached: nobody’s lease runs out, on any node.',
  fenced: 'The other nodes have not heard of this one for too long: it decides nothing about instances.',
  reloading: 'The view was not what the database holds: it is loaded anew, and nothing is answered from it.',
  draining: 'The node shuts down.',
} as const;

export type Mode = keyof typeof MODES;

export interface Condition {
  readonly mode: Mode;
  /** RFC 3339, UTC. */
  readonly since: string;
  readonly detail: string;
}

/** What is wrong now, each with since when. */
export class Conditions {
  readonly #clock: () => number;
  readonly #standing = new Map<Mode, Condition>();

  /** `clock`: milliseconds since 1970. */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  get list(): readonly Condition[] {
    return [...this.#standing.values()];
  }

  has(mode: Mode): boolean {
    return this.#standing.has(mode);
  }

  set(mode: Mode, isSo: boolean): void {
    if (!isSo) this.#standing.delete(mode);
    else if (!this.#standing.has(mode)) {
      this.#standing.set(mode, { mode, since: new Date(this.#clock()).toISOString(), detail: MODES[mode] });
    }
  }
}
