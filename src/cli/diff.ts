import { printable } from './style.ts';

/** One field that differs; a side that has it not is `undefined`. */
export interface FieldDiff {
  readonly path: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** Assigned with every change, so that they say nothing about this one. */
const ASSIGNED = new Set(['name', 'revision', 'createTime', 'updateTime']);

/** The fields in which two values of a resource differ, by dotted path; lists are compared as a whole. */
export function diffFields(before: unknown, after: unknown): FieldDiff[] {
  const diffs: FieldDiff[] = [];
  compare('', before ?? {}, after ?? {}, diffs);
  return diffs;
}

function compare(path: string, before: unknown, after: unknown, diffs: FieldDiff[]): void {
  if (isMap(before) && isMap(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      if (path === '' && ASSIGNED.has(key)) continue;
      compare(path === '' ? key : `${path}.${key}`, before[key], after[key], diffs);
    }
  } else if (isMap(before) && after === undefined) {
    compare(path, before, {}, diffs);
  } else if (before === undefined && isMap(after)) {
    compare(path, {}, after, diffs);
  } else if (JSON.stringify(before) !== JSON.stringify(after)) {
    diffs.push({ path, before, after });
  }
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** One line: `disabled: false → true`, `uses: +iam.edgelq.com`, `title: Frankfurt`, `location.city removed`. */
export function showDiff({ path, before, after }: FieldDiff): string {
  if (Array.isArray(before) && Array.isArray(after)) return `${printable(path)}: ${listDiff(before, after)}`;
  if (before === undefined) return `${printable(path)}: ${show(after)}`;
  if (after === undefined) return `${printable(path)} removed`;
  return `${printable(path)}: ${show(before)} → ${show(after)}`;
}

function listDiff(before: readonly unknown[], after: readonly unknown[]): string {
  const had = new Set(before.map(show));
  const has = new Set(after.map(show));
  const gone = [...had].filter((entry) => !has.has(entry)).map((entry) => `-${entry}`);
  const come = [...has].filter((entry) => !had.has(entry)).map((entry) => `+${entry}`);
  return [...come, ...gone].join(' ') || 'in another order';
}

/** A value on one line: a plain word as it is, a list or a map in short, anything else as JSON. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(show).join(', ')}]`;
  if (isMap(value)) {
    const fields = Object.entries(value);
    // `iam.edgelq.com v1` says what {"service":"iam.edgelq.com","version":"v1"} says.
    if (fields.length === 2 && 'service' in value && 'version' in value)
      return `${show(value['service'])} ${show(value['version'])}`;
    return `{${fields.map(([key, field]) => `${printable(key)}: ${show(field)}`).join(', ')}}`;
  }
  if (typeof value === 'string' && /^[^\s"'[\]{},]+(?: [^\s"'[\]{},]+)*$/u.test(value)) return printable(value);
  return printable(JSON.stringify(value) ?? '');
}
