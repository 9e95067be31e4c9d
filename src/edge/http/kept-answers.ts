import type { AnyItem } from '../../domain/item.ts';

/** So many questions about the same items are answered from what is kept; of more, the oldest is encoded again. */
const MAX_QUESTIONS = 16;

interface Kept {
  /** The whole answer at a revision. */
  readonly bytes: Buffer;
  readonly revision: number;
  /** So many of its bytes come before the revision. */
  readonly length: number;
}

/**
 * Encoded answers that end with the revision at which they hold. The view makes a new array when anything in it changes, so
 * the array itself says whether what was encoded is still right, and takes it along when it goes.
 */
export class KeptAnswers {
  readonly #answers = new WeakMap<readonly AnyItem[], Map<string, Kept>>();

  /** `encode` makes all of the answer but the revision and the closing brace. */
  get(items: readonly AnyItem[], question: string, revision: number, encode: () => string): Buffer {
    const answers = this.#of(items);
    const kept = answers.get(question);
    if (kept?.revision === revision) return kept.bytes;
    const before = kept === undefined ? Buffer.from(encode()) : kept.bytes.subarray(0, kept.length);
    const bytes = Buffer.concat([before, Buffer.from(`${revision}}`)]);
    if (kept === undefined && answers.size >= MAX_QUESTIONS) answers.delete(answers.keys().next().value ?? '');
    answers.set(question, { bytes, revision, length: before.length });
    return bytes;
  }

  #of(items: readonly AnyItem[]): Map<string, Kept> {
    let answers = this.#answers.get(items);
    if (answers === undefined) this.#answers.set(items, (answers = new Map()));
    return answers;
  }
}
