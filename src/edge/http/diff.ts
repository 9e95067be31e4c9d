import { escapePointer } from '../../protocol/field-errors.ts';

/** A field that a change gives another value; `path` is a JSON pointer into the resource. */
export interface FieldChange {
  readonly path: string;
  /** Missing when the field was not there. */
  readonly before?: unknown;
  /** Missing when the field is gone. */
  readonly after?: unknown;
}

/** What every change alters, and what nobody asked for. */
const ASSIGNED: ReadonlySet<string> = new Set(['revision', 'createTime', 'updateTime']);

/** The fields in which two values of one resource differ; lists are compared whole. */
export function diff(before: object, after: object): FieldChange[] {
  const changes: FieldChange[] = [];
  compare(before as Fields, after as Fields, '', changes);
  return changes;
}

type Fields = Readonly<Record<string, unknown>>;

function compare(before: Fields, after: Fields, path: string, changes: FieldChange[]): void {
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (path === '' && ASSIGNED.has(key)) continue;
    const at = `${path}/${escapePointer(key)}`;
    const was = Object.hasOwn(before, key) ? before[key] : undefined;
    const is = Object.hasOwn(after, key) ? after[key] : undefined;
    if (isFields(was) && isFields(is)) compare(was, is, at, changes);
    else if (JSON.stringify(was) !== JSON.stringify(is)) {
      changes.push({ path: at, ...(was !== undefined && { before: was }), ...(is !== undefined && { after: is }) });
    }
  }
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
