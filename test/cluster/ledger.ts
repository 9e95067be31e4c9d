import type { Change, Entry } from '../../src/domain/item.ts';
import type { Acknowledgement } from '../acceptance/acknowledgement.ts';
import type { Violation } from './record.ts';
import { acknowledged } from './validators/rev.ts';

/** So many revisions are kept for answers that come late: far more than are made while a client waits for one. */
const KEPT = 5000;

/**
 * Holds each acknowledged write against the log as soon as both are known (REV2): nothing of it is kept for longer than that,
 * however long the run.
 */
export class Ledger {
  readonly violations: Violation[] = [];
  /** Acknowledgements that were held against the log. */
  checked = 0;
  readonly #kept: number;
  readonly #changes = new Map<number, readonly Change[]>();
  /** Those that are ahead of what was read of the log. */
  readonly #waiting = new Map<number, Acknowledgement[]>();
  #head = 0;

  constructor(kept = KEPT) {
    this.#kept = kept;
  }

  /** A write was acknowledged. One that changed nothing may name a revision of long ago, of which nothing can be said. */
  readonly note = (made: Acknowledgement): void => {
    if (made.revision <= this.#head) return this.#check(made);
    const others = this.#waiting.get(made.revision);
    if (others === undefined) this.#waiting.set(made.revision, [made]);
    else others.push(made);
  };

  /** The next revision of the log was read. */
  take({ revision, changes }: Pick<Entry, 'revision' | 'changes'>): void {
    this.#head = revision;
    this.#changes.set(revision, changes);
    this.#changes.delete(revision - this.#kept);
    const waiting = this.#waiting.get(revision) ?? [];
    this.#waiting.delete(revision);
    for (const made of waiting) this.#check(made);
  }

  /** Nothing more comes: what was acknowledged beyond the end of the log is not there. */
  close(): void {
    for (const [revision, all] of this.#waiting) {
      const what = `${revision} was acknowledged, and the log ends at ${this.#head}`;
      this.violations.push({ promise: 'REV2', what, evidence: all });
    }
  }

  #check(made: Acknowledgement): void {
    const changes = this.#changes.get(made.revision);
    if (changes === undefined) return;
    this.checked += 1;
    this.violations.push(...acknowledged(made, changes));
  }
}
