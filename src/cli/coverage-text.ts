import type { Coverage, CoverageCell, CoverageRow, CoveredImport } from '../domain/coverage-matrix.ts';
import { NO_REGION } from '../domain/names.ts';
import { plain, printable, type Style } from './style.ts';
import { displayWidth, renderTable, type Column } from './table.ts';

const GAP = 2;

/** The mark of a service in a region; the legend explains it. */
export function markOf(cell: CoverageCell | undefined): string {
  if (cell === undefined) return '–';
  if (!cell.deployed) return cell.imports.length > 0 ? '✗' : '–';
  if (!cell.covered) return `✗ ${cell.currentVersion}`;
  return `${cell.disabled ? '○' : '✓'} ${cell.currentVersion}`;
}

/** How many of its instances can be called: ` 3/4`. */
const liveOf = (cell: CoverageCell | undefined): string =>
  cell === undefined || !cell.instances?.total ? '' : ` ${cell.instances.passing}/${cell.instances.total}`;

const LEGEND = '✓ deployed   ○ deployed, disabled   – not deployed   ✗ an import is missing there';

/**
 * The matrix, in as many tables below one another as the width asks for, then what the crosses mean. The service's
 * primary region is marked with an asterisk.
 */
export function coverageText(
  rows: readonly CoverageRow[],
  options: { readonly width?: number | undefined; readonly style?: Style } = {},
): string {
  const style = options.style ?? plain;
  const regions = [...new Set(rows.flatMap((row) => Object.keys(row.regions)))].sort();
  const columns = regions.map((region) => regionColumn(region, style));
  const service: Column<CoverageRow> = { head: 'SERVICE', cell: (row) => row.service };
  const tables = blocks(service, columns, rows, options.width).map((block) =>
    renderTable([service, ...block], rows, { width: options.width, style }),
  );
  const crosses = crossLines(rows, regions, style);
  const live = rows.some((row) => Object.values(row.regions).some((cell) => liveOf(cell) !== ''));
  const legend = `${LEGEND}${crosses.length > 0 ? ' (below)' : ''}   * primary region${live ? '   3/4 instances that can be called' : ''}`;
  return [...tables, style.dim(legend), ...crosses].join('\n\n');
}

const PLACES_SHOWN = 10;

/** Where the catalog and what runs do not agree. Without any instance nobody registers here, and that says nothing. */
export function livenessLines({ services, ...coverage }: LivenessOf, style: Style = plain): string[] {
  const { deployedWithoutLiveInstance: lifeless = [], liveWithoutDeployment: undeclared = [] } = coverage;
  const some = services.some((row) => Object.values(row.regions).some((cell) => (cell.instances?.total ?? 0) > 0));
  if (!some && undeclared.length === 0) return [];
  return [
    ...placeLines(
      'Deployed, and no instance there can be called',
      lifeless,
      ({ service, region }) => `${service} in ${region}`,
      style,
    ),
    ...placeLines(
      'Running, and not deployed in the catalog',
      undeclared,
      ({ service, region, instances: { passing, total }, inCatalog }) =>
        `${service} ${region === NO_REGION ? 'without a region' : `in ${region}`}: ${passing}/${total}${inCatalog ? '' : ' (not in the catalog at all)'}`,
      style,
    ),
  ];
}

type LivenessOf = Pick<Coverage, 'services'> & Partial<Coverage>;

function placeLines<T>(title: string, places: readonly T[], textOf: (place: T) => string, style: Style): string[] {
  if (places.length === 0) return [];
  const shown = places.slice(0, PLACES_SHOWN).map((place) => `  ${style.yellow('!')} ${printable(textOf(place))}`);
  const more = places.length - shown.length;
  return [
    [`${style.bold(title)}:`, ...shown, ...(more > 0 ? [`  and ${more} more; --json shows all`] : [])].join('\n'),
  ];
}

const regionColumn = (region: string, style: Style): Column<CoverageRow> => ({
  head: region,
  cell: (row) =>
    `${markOf(row.regions[region])}${liveOf(row.regions[region])}${row.primaryRegion === region ? '*' : ''}`,
  paint: (text) =>
    text.startsWith('✓')
      ? style.green(text)
      : text.startsWith('✗')
        ? style.red(text)
        : text.startsWith('○')
          ? style.yellow(text)
          : style.dim(text),
});

/** Columns in groups that fit beside the services, at least one each. */
function blocks(
  service: Column<CoverageRow>,
  columns: readonly Column<CoverageRow>[],
  rows: readonly CoverageRow[],
  width: number | undefined,
) {
  if (width === undefined) return [columns];
  const widthOf = (column: Column<CoverageRow>): number =>
    rows.reduce((widest, row) => Math.max(widest, displayWidth(column.cell(row))), displayWidth(column.head));
  const first = widthOf(service);
  const groups: Column<CoverageRow>[][] = [];
  let used = Number.POSITIVE_INFINITY;
  for (const column of columns) {
    const needed = GAP + widthOf(column);
    if (used + needed > width) {
      groups.push([]);
      used = first;
    }
    groups.at(-1)?.push(column);
    used += needed;
  }
  return groups;
}

const REASONS: Readonly<Record<NonNullable<CoveredImport['reason']>, string>> = {
  'import-not-deployed': 'not deployed there',
  'import-disabled': 'disabled there',
  'import-version-too-old': 'of which only an older version runs there',
};

/** What is missing, region by region. */
function crossLines(rows: readonly CoverageRow[], regions: readonly string[], style: Style): string[] {
  return regions.flatMap((region) => {
    const lines = rows.flatMap((row) => {
      const cell = row.regions[region];
      const missing = whatIsMissing(cell?.imports ?? []);
      if (cell === undefined || missing === '') return [];
      const state = cell.deployed ? style.red('is deployed without') : 'would need';
      return [`  ${style.red('✗')} ${style.bold(printable(row.service))} ${state} ${missing}`];
    });
    return lines.length === 0 ? [] : [[`${style.bold(`In ${printable(region)}`)}:`, ...lines].join('\n')];
  });
}

/** `iam.example.com v1, meta.example.com v1 (not deployed there); secrets.example.com v2 (disabled there)` */
function whatIsMissing(imports: readonly CoveredImport[]): string {
  const byReason = new Map<string, Set<string>>();
  for (const { covered, reason, service, importedVersion } of imports) {
    if (covered) continue;
    const why = reason === undefined ? 'not covered' : REASONS[reason];
    byReason.set(why, (byReason.get(why) ?? new Set()).add(`${service} ${importedVersion}`));
  }
  return printable([...byReason].map(([why, services]) => `${[...services].join(', ')} (${why})`).join('; '));
}
