import type { WriteStream } from 'node:tty';
import type { Row } from './figures.ts';
import type { DemoOptions } from './options.ts';
import type { ActionReport, DemoEvent, Sample, Summary } from './events.ts';

/** Where the demo shows what happens. */
export interface Screen {
  show(event: DemoEvent): void;
}

/** A table that is drawn anew on a terminal, lines elsewhere, and JSON for machines. */
export function screenFor({ json }: Pick<DemoOptions, 'json'>, out: Pick<WriteStream, 'write' | 'isTTY'>): Screen {
  if (json) return { show: (event) => void out.write(`${JSON.stringify(event)}\n`) };
  return out.isTTY ? new LiveTable(out) : new Lines(out);
}

const LINES_EVERY = 10;

class Lines implements Screen {
  readonly #out: Pick<WriteStream, 'write'>;
  #samples = 0;

  constructor(out: Pick<WriteStream, 'write'>) {
    this.#out = out;
  }

  show(event: DemoEvent): void {
    const lines = this.#linesOf(event);
    if (lines.length > 0) this.#out.write(`${lines.join('\n')}\n`);
  }

  #linesOf(event: DemoEvent): readonly string[] {
    if (event.type === 'sample') return (this.#samples += 1) % LINES_EVERY === 1 ? tableOf(event) : [];
    return lasting(event);
  }
}

/** Of actions, so many lines stay above the table. */
const KEPT = 18;
const UP = (lines: number): string => (lines === 0 ? '' : `\u001B[${lines}A\u001B[0J`);

class LiveTable implements Screen {
  readonly #out: Pick<WriteStream, 'write'>;
  #log: string[] = [];
  #last: Sample | undefined;
  #drawn = 0;

  constructor(out: Pick<WriteStream, 'write'>) {
    this.#out = out;
  }

  show(event: DemoEvent): void {
    if (event.type === 'sample') this.#last = event;
    else if (event.type === 'summary') return void this.#out.write(`${lasting(event).join('\n')}\n`);
    else this.#log = [...this.#log, ...lasting(event)].slice(-KEPT);
    const lines = [...this.#log, '', ...(this.#last === undefined ? [] : tableOf(this.#last))];
    this.#out.write(`${UP(this.#drawn)}${lines.join('\n')}\n`);
    this.#drawn = lines.length;
  }
}

function lasting(event: DemoEvent): readonly string[] {
  switch (event.type) {
    case 'start':
      return [`Signalbox at ${event.url}; the same again: npm run demo -- ${event.again}`];
    case 'note':
      return [event.text];
    case 'action':
      return [actionLine(event)];
    case 'summary':
      return summaryOf(event);
    case 'process':
    case 'sample':
      return [];
  }
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`.padStart(7);
const ms = (value: number): string => `${value.toFixed(0)} ms`;

function actionLine({ atMs, action, target, sort, failed, windowMs, boundMs, toldMs, lost }: ActionReport): string {
  const calls = failed === 0 ? 'no call failed' : `${failed} calls failed, within ${ms(windowMs ?? 0)}`;
  const told = boundMs === undefined || toldMs === undefined ? '' : `; told after ${ms(toldMs)}, bound ${ms(boundMs)}`;
  const given = lost === undefined ? '' : `; ${lost === 0 ? 'no' : lost} instance lost`;
  const mark = sort === 'graceful' && failed > 0 ? '  <- GRACEFUL, AND FAILED' : '';
  return `${seconds(atMs)}  ${action.padEnd(12)}  ${target.padEnd(13)}  ${calls}${told}${given}${mark}`;
}

const COLUMNS = ['service', 'instances', 'calls/s', 'p50 ms', 'p99 ms', 'calls', 'retries', 'failed'] as const;

function tableOf({ rows, now, atMs, signalbox }: Sample): string[] {
  const cells = [COLUMNS as readonly string[], ...rows.map(cellsOf)];
  const widths = COLUMNS.map((_, n) => Math.max(...cells.map((row) => row[n]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row.map((cell, n) => (n === 0 ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0))).join('  ');
  return [...cells.map(line), `${seconds(atMs)}  Signalbox ${signalbox}; now: ${now}`];
}

const figure = (value: number | null): string => (value === null ? '-' : value.toFixed(1));

const cellsOf = (row: Row): string[] => [
  row.service,
  String(row.instances),
  row.perSecond.toFixed(0),
  figure(row.p50Ms),
  figure(row.p99Ms),
  String(row.calls),
  String(row.retries),
  String(row.failed),
];

function summaryOf({ rows, actions, elsewhere, seconds: took, ok }: Summary): string[] {
  const { graceful, unseen, kill } = actions;
  const calls = rows.map((row) => `${row.service} ${row.calls} (${row.retries} retries, ${row.failed} failed)`);
  const costs = ({ failed, longestWindowMs }: typeof kill): string =>
    `${failed} failed calls${failed === 0 ? '' : `, the longest error window ${ms(longestWindowMs)}`}`;
  return [
    '',
    `${took.toFixed(0)} s; calls: ${calls.join(', ')}`,
    `${graceful.done} graceful changes: ${costs(graceful)}`,
    `${kill.done} kills: ${costs(kill)}`,
    ...(unseen.done === 0 ? [] : [`${unseen.done} stops while Signalbox was away: ${costs(unseen)}`]),
    ...(elsewhere === 0 ? [] : [`${elsewhere} calls failed while nothing was done`]),
    ok ? 'As promised: whoever leaves politely fails nobody.' : 'NOT as promised: see above.',
  ];
}
