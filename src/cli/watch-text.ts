import { diffFields, show, showDiff } from './diff.ts';
import { printable, type Style } from './style.ts';
import type { Delta, Value } from './delta.ts';
import { aboutRuntime } from './runtime-text.ts';
import { parseName } from '../domain/names.ts';
import type { Selector } from '../domain/selector.ts';

const MARKS = { created: '+', updated: '~', deleted: '-' } as const;

/** Time of day in local time, for people only. */
export const clockTime = (at: Date): string =>
  `${[at.getHours(), at.getMinutes(), at.getSeconds()].map((n) => String(n).padStart(2, '0')).join(':')}.${String(at.getMilliseconds()).padStart(3, '0')}`;

/** A change on one line: when, at which revision, what, and how it differs from what was held; `gone` is said of a delete. */
export function deltaLine(delta: Delta, at: Date, style: Style, gone = ''): string {
  const what = delta.op === 'delete' ? 'deleted' : delta.before === undefined ? 'created' : 'updated';
  const paint = { created: style.green, updated: style.yellow, deleted: style.red }[what];
  const words = [style.dim(clockTime(at)), String(delta.revision), paint(`${MARKS[what]} ${printable(delta.key)}`)];
  const more = about(delta, what, gone, style);
  if (more !== '') words.push('', more);
  return words.join(' ');
}

/** What a delete may mean where a filter can stop holding. */
export function goneText({ kind, labels, tags, versions, regions, passing }: Selector): string {
  if (passing === true) return '(gone, or no longer passing)';
  if (labels !== undefined) return '(deleted, or its labels are no longer those selected)';
  const mayChange = [tags, versions, passing, ...(kind === 'instance' ? [regions] : [])];
  return mayChange.some((filter) => filter !== undefined) ? '(gone, or no longer what is selected)' : '';
}

function about(delta: Delta, what: keyof typeof MARKS, gone: string, style: Style): string {
  const runtime = aboutRuntime(delta, style);
  if (what === 'deleted') return [runtime, gone].filter(Boolean).join(' ');
  if (runtime !== undefined) return runtime;
  if (what === 'created') return summary(delta.value ?? {});
  return diffFields(delta.before, delta.value).map(showDiff).join('; ') || '(nothing but its revision)';
}

const SAID_FIRST = [
  'title',
  'displayName',
  'plural',
  'currentVersion',
  'disabled',
  'regionalEndpoint',
  'globalEndpoint',
  'primaryRegion',
  'imports',
  'members',
];

/** What matters of a resource, on one line. */
export function summary(value: Value): string {
  const said = SAID_FIRST.filter((field) => field in value && value[field] !== false && !isEmpty(value[field]));
  return said.map((field) => `${field}: ${show(value[field])}`).join(', ');
}

const isEmpty = (value: unknown): boolean => value === '' || (Array.isArray(value) && value.length === 0);

/** A resource of a snapshot as a change that brings it, so that a stream of changes is whole from its first line. */
export function asPut(value: Value): Delta {
  const key = String(value['name']);
  return { op: 'put', kind: parseName(key)?.kind ?? 'unknown', key, revision: Number(value['revision']), value };
}

/** The change as the feed writes it. */
export const deltaJson = ({ op, kind, key, revision, value }: Delta): string =>
  JSON.stringify({ op, kind, key, revision, ...(value !== undefined && { value }) });

const RESET_REASONS: Readonly<Record<string, string>> = {
  epoch: 'it has another history now (restored from a backup?)',
  future: 'it does not know the revision that was seen last',
  trimmed: 'its log no longer reaches back far enough',
  resync: 'as asked',
  unavailable: 'it cannot read its log just now',
  access: 'you may see other things now',
  fenced: 'it does not trust what it has told',
};

export const resetReason = (reason: string): string => RESET_REASONS[reason] ?? printable(reason);
