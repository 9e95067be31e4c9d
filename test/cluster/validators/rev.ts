import { isDeepStrictEqual } from 'node:util';
import { changeName, type AnyItem, type Change, type Entry } from '../../../src/domain/item.ts';
import type { Acknowledgement } from '../../acceptance/acknowledgement.ts';
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

/** REV2: at the revision that an answer named stands what it said was made there, and nothing else of that name. */
export function acknowledged({ revision, name, op, fields }: Acknowledgement, changes: readonly Change[]): Violation[] {
  const change = changes.find((one) => changeName(one) === name);
  const what = `${op} of ${name} was acknowledged at ${revision}`;
  if (change === undefined || change.op !== op) {
    const made = changes.map((one) => `${one.op} ${changeName(one)}`);
    return [{ promise: 'REV2', what: `${what}, and is not there`, evidence: { fields, made } }];
  }
  if (change.op === 'delete') return [];
  const value = JSON.parse(change.item.json) as Record<string, unknown>;
  const said = JSON.parse(JSON.stringify(fields)) as Record<string, unknown>;
  const different = Object.keys(said).filter((field) => !isDeepStrictEqual(said[field], value[field]));
  if (different.length === 0) return [];
  return [{ promise: 'REV2', what: `${what}, and is another there`, evidence: { different, said, value } }];
}
