import type { AnyItem, Entry } from '../../../src/domain/item.ts';
import type { Violation, Write } from '../record.ts';

/** REV1: each revision is the one after the one before. */
export function rev1(head: number, { revision }: Pick<Entry, 'revision'>): Violation[] {
  if (revision === head + 1) return [];
  return [{ promise: 'REV1', what: `revision ${revision} follows ${head}`, evidence: { head, revision } }];
}

/** REV3: a revision changes something. Who may see a resource is part of it, and is no part of its value. */
export function rev3(
  { revision, author, changes }: Pick<Entry, 'revision' | 'author' | 'changes'>,
  before: (name: string) => AnyItem | undefined,
): Violation[] {
  const isNothing = changes.every((change) => {
    if (change.op === 'delete') return before(change.name) === undefined;
    const was = before(change.item.name);
    return change.audienceBefore === undefined && was !== undefined && contentOf(was) === contentOf(change.item);
  });
  if (!isNothing) return [];
  return [{ promise: 'REV3', what: `revision ${revision} of ${author} changes nothing`, evidence: changes }];
}

const contentOf = ({ value }: AnyItem): string => JSON.stringify({ ...value, revision: 0 });

/**
 * REV2: what was acknowledged is in the log, at the revision that the answer named; what was answered with "nothing was done" is
 * not; and nothing is there twice, also where no answer came and the same was sent again.
 */
export function rev2(writes: readonly Write[], marks: ReadonlyMap<string, readonly number[]>): Violation[] {
  const violations: Violation[] = [];
  const outcomes = new Map<string, Write[]>();
  for (const write of writes) {
    const key = `${write.name} ${write.mark}`;
    outcomes.set(key, [...(outcomes.get(key) ?? []), write]);
  }
  for (const [key, attempts] of outcomes) {
    const made = marks.get(key) ?? [];
    const evidence = { attempts, made };
    if (made.length > 1) violations.push({ promise: 'REV2', what: `${key} was made ${made.length} times`, evidence });
    for (const { outcome, revision } of attempts) {
      if (outcome === 'acknowledged' && revision !== made[0]) {
        violations.push({
          promise: 'REV2',
          what: `${key} was acknowledged at ${revision}, and is not there`,
          evidence,
        });
      }
    }
    if (made.length > 0 && attempts.every(({ outcome }) => outcome === 'refused')) {
      violations.push({
        promise: 'REV2',
        what: `${key} was made, though it was answered that nothing was done`,
        evidence,
      });
    }
  }
  return violations;
}
