import { judge, type Outcome, type Row, type Unit } from './figure.ts';
import { percent } from './format.ts';
import type { TopFunction } from './top-functions.ts';

export interface Section {
  readonly title: string;
  readonly outcome: Outcome;
  /** Where the server spends its time, for a missed goal. */
  readonly top?: readonly TopFunction[];
}

const DIGITS: Record<Unit, number> = {
  'per second': 0,
  ms: 1,
  s: 2,
  KiB: 1,
  MiB: 0,
  ns: 0,
  '% of a core': 1,
  reads: 4,
};

const number = (value: number | undefined, unit: Unit): string =>
  value === undefined
    ? ''
    : value.toLocaleString('en', { minimumFractionDigits: DIGITS[unit], maximumFractionDigits: DIGITS[unit] });

const HEADER = ['', 'unit', 'floor', 'Signalbox', 'ratio', 'goal', 'result', 'others, on another machine'];

export function sectionText({ title, outcome, top }: Section): string {
  const lines = [`## ${title}`, '', ...table([HEADER, ...outcome.rows.map(cells)])];
  if (outcome.notes.length > 0) lines.push('', ...outcome.notes.map((note) => `- ${note}`));
  if (top !== undefined && top.length > 0) {
    lines.push('', 'A goal was missed. Where the server spent its time then (CPU profile, self time):', '');
    lines.push(...table([['share', 'function', 'where'], ...top.map((f) => [percent(f.self), f.name, f.where])]));
  }
  return `${lines.join('\n')}\n`;
}

function cells(row: Row): string[] {
  const { what, unit, floor, floorName, value, reference } = row;
  const ratio = floor === undefined || value === undefined ? '' : `${(value / floor).toFixed(2)} ×`;
  const named = floorName === undefined ? '' : ` (${floorName})`;
  return [
    what,
    unit,
    floor === undefined ? '' : `${number(floor, unit)}${named}`,
    number(value, unit),
    ratio,
    goalText(row),
    resultText(row),
    reference ?? '',
  ];
}

function goalText(row: Row): string {
  const { goal, unit } = row;
  if (goal === undefined) return '';
  if ('atMost' in goal) return `≤ ${number(goal.atMost, unit)}`;
  if ('atLeast' in goal) return `≥ ${number(goal.atLeast, unit)}`;
  const [sign, times] = 'atMostFloors' in goal ? ['≤', goal.atMostFloors] : ['≥', goal.atLeastFloors];
  const bound = row.floor === undefined ? '' : ` = ${number(times * row.floor, unit)}`;
  return `${sign} ${Number(times.toFixed(2))} × floor${bound}`;
}

function resultText(row: Row): string {
  const verdict = judge(row);
  if (verdict === undefined) return '';
  return verdict.met ? 'met' : `**missed by ${percent(verdict.by)}**`;
}

/** Padded as prettier would. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(3, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, column) => (row[column] ?? '').padEnd(width)).join(' | ')} |`;
  const [header = [], ...body] = rows;
  return [line(header), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...body.map(line)];
}
