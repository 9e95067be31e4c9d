import { plain, printable, type Style } from './style.ts';

/** A column: how it is headed, and what it says of a row. */
export interface Column<Row> {
  readonly head: string;
  readonly cell: (row: Row) => string;
  readonly right?: boolean;
  /** How the padded cell is painted. */
  readonly paint?: (text: string, row: Row) => string;
}

const GAP = 2;
const NARROWEST = 8;

/**
 * Rows under headings, aligned. Where `width` is given and the table is wider, the widest columns are cut until it
 * fits, none below eight characters; `…` marks what was cut.
 */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  options: { readonly width?: number | undefined; readonly style?: Style } = {},
): string {
  const style = options.style ?? plain;
  const cells = rows.map((row) => columns.map((column) => printable(column.cell(row))));
  const natural = columns.map((column, i) =>
    Math.max(displayWidth(column.head), ...cells.map((row) => displayWidth(row[i] ?? ''))),
  );
  const widths = fit(natural, options.width);
  const line = (texts: readonly string[], paint: (text: string, column: number) => string): string =>
    texts
      .map((text, i) => {
        const cut = clip(text, widths[i] ?? 0);
        const padding = ' '.repeat((widths[i] ?? 0) - displayWidth(cut));
        if (columns[i]?.right === true) return padding + paint(cut, i);
        return paint(cut, i) + (i === texts.length - 1 ? '' : padding);
      })
      .join(' '.repeat(GAP))
      .trimEnd();
  const head = line(
    columns.map((column) => column.head),
    style.bold,
  );
  const body = cells.map((row, r) => line(row, (text, i) => columns[i]?.paint?.(text, rows[r] as Row) ?? text));
  return [head, ...body].join('\n');
}

/** Takes what is too much from the widest columns, so that narrow ones stay whole. */
function fit(natural: readonly number[], width: number | undefined): number[] {
  const widths = [...natural];
  if (width === undefined) return widths;
  let excess = widths.reduce((sum, w) => sum + w, 0) + GAP * (widths.length - 1) - width;
  while (excess > 0) {
    const widest = Math.max(...widths);
    if (widest <= NARROWEST) break;
    const next = Math.max(NARROWEST, ...widths.filter((w) => w < widest));
    const among = widths.filter((w) => w === widest).length;
    const target = Math.max(next, widest - Math.ceil(excess / among));
    for (let i = 0; i < widths.length && excess > 0; i++) {
      if (widths[i] !== widest) continue;
      const taken = Math.min(widest - target, excess);
      widths[i] = widest - taken;
      excess -= taken;
    }
  }
  return widths;
}

/** At most `width` columns of the text, with `…` for the rest. */
export function clip(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let kept = '';
  let used = 0;
  for (const character of text) {
    const w = displayWidth(character);
    if (used + w > width - 1) break;
    kept += character;
    used += w;
  }
  return `${kept}…`;
}

const NO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]$/u;

/** Columns that a terminal needs for the text; close enough for titles in any script. */
export function displayWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += NO_WIDTH.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return width;
}
