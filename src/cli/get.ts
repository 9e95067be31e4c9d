import type { Command } from 'commander';
import { stringify } from 'yaml';
import { nameOf, parseName } from '../domain/names.ts';
import type { Kind, Value } from '../domain/resources.ts';
import { COLUMNS, sayingColumns } from './columns.ts';
import { usageError } from './errors.ts';
import { apiOf, globalsOf } from './globals.ts';
import type { Query } from './http.ts';
import type { Io } from './io.ts';
import { KIND_NAMES, PARENT_OF, kindOf, resourceName } from './kinds.ts';
import { collectLabels, collectList, positiveInteger, type FilterOptions } from './selectors.ts';
import { printable } from './style.ts';
import { renderTable, type Column } from './table.ts';

interface GetOptions extends FilterOptions {
  readonly project?: readonly string[];
  readonly filter?: string;
  readonly orderBy?: string;
  readonly limit?: number;
}

/** `signalbox get`: resources of a kind as a table, or one of them in full. */
export function addGet(program: Command, io: Io): void {
  program
    .command('get')
    .summary('list resources of a kind, or show one')
    .description('Lists the resources of a kind as a table, or shows one of them in YAML, as `apply` takes it.')
    .argument('<kind>', kindsHelp())
    .argument(
      '[name]',
      'one resource: its id (with -s or -p where it stands below a service or project), or its full name',
    )
    .option('-s, --service <services>', 'only what belongs to these services', collectList)
    .option('-p, --project <projects>', 'only accounts and services of these projects', collectList)
    .option('-r, --region <regions>', 'only these regions and deployments in them', collectList)
    .option('-l, --label <labels>', 'only what carries all of these labels, KEY=VALUE', collectLabels)
    .option('--filter <filter>', 'only what passes, such as: disabled = true and not labels.tier = core')
    .option('--order-by <fields>', 'such as: currentVersion desc, name')
    .option('--limit <number>', 'at most so many', positiveInteger)
    .addHelpText(
      'after',
      `
With --json a list is one object a line.

Examples:
  signalbox get services
  signalbox get service iam.edgelq.com
  signalbox get deployments -s iam.edgelq.com
  signalbox get deployment us-east -s iam.edgelq.com
  signalbox get services/iam.edgelq.com/deployments/us-east
  signalbox get deployments --filter 'disabled = true' --order-by 'currentVersion desc'
  signalbox get services --json | jq -r .name`,
    )
    .action(async (kindText: string, name: string | undefined, options: GetOptions, command: Command) => {
      if (name === undefined && !kindText.includes('/')) return list(kindOf(kindText), options, command, io);
      const full = kindText.includes('/') ? fullName(kindText) : nameFrom(kindOf(kindText), name ?? '', options);
      const value = await apiOf(command).get<Value>(`/v1/${full}`);
      io.out(globalsOf(command).json === true ? JSON.stringify(value) : stringify(value, { lineWidth: 0 }).trimEnd());
    });
}

function fullName(text: string): string {
  if (parseName(text) !== undefined) return text;
  throw usageError(
    `"${printable(text)}" is not the name of a resource, such as services/iam.example.com/deployments/us-east.`,
  );
}

function nameFrom(kind: Kind, text: string, options: GetOptions): string {
  const above = PARENT_OF[kind];
  const parents = above === undefined ? undefined : options[above];
  if (parents !== undefined && parents.length > 1) throw usageError(`One resource stands below one ${above}.`);
  return resourceName(kind, text, parents?.[0]);
}

async function list(kind: Kind, options: GetOptions, command: Command, io: Io): Promise<void> {
  const { path, query } = listRequest(kind, options);
  const json = globalsOf(command).json === true;
  const rows: Value[] = [];
  for await (const value of apiOf(command).list<Value>(path, query, options.limit)) {
    if (json) io.out(JSON.stringify(value));
    else rows.push(value);
  }
  if (json) return;
  if (rows.length === 0) return io.out(nothing(kind, options));
  const columns = sayingColumns(COLUMNS[kind] as readonly Column<Value>[], rows);
  io.out(renderTable(columns, rows, { width: io.width, style: io.style }));
}

/** The collection and the filter that the options mean; one parent is part of the path, several are part of the filter. */
export function listRequest(kind: Kind, options: GetOptions): { path: string; query: Query } {
  const { service, project, region, label, filter, orderBy } = options;
  const above = PARENT_OF[kind];
  const parents = above === undefined ? undefined : options[above];
  const parts: string[] = [];
  if (filter !== undefined) parts.push(`(${filter})`);
  if (parents !== undefined && parents.length > 1) parts.push(anyOf('parent', parents));
  if (service !== undefined && above !== 'service') parts.push(anyOf(fieldFor(kind, 'service'), service));
  if (project !== undefined && above !== 'project') parts.push(anyOf(fieldFor(kind, 'project'), project));
  if (region !== undefined) parts.push(anyOf(fieldFor(kind, 'region'), region));
  for (const [key, value] of Object.entries(label ?? {})) parts.push(`labels.${literal(key)} = ${literal(value)}`);
  const only = parents?.length === 1 ? encodeURIComponent(parents[0] ?? '') : '-';
  const [collection = ''] = /^.*(?=\/)/.exec(nameOf(kind, '-', only)) ?? [];
  return {
    path: `/v1/${collection}`,
    query: { filter: parts.length === 0 ? undefined : parts.join(' and '), orderBy },
  };
}

const FIELD_FOR: Readonly<Record<string, Partial<Record<Kind, string>>>> = {
  service: { service: 'id' },
  project: { project: 'id', service: 'project' },
  region: { region: 'id', deployment: 'id' },
};

function fieldFor(kind: Kind, option: string): string {
  const field = FIELD_FOR[option]?.[kind];
  if (field === undefined) throw usageError(`--${option} says nothing about ${KIND_NAMES[kind].many}.`);
  return field;
}

const anyOf = (field: string, values: readonly string[]): string => `${field} in (${values.map(literal).join(', ')})`;

/** A text of the filter language. */
const literal = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

function nothing(kind: Kind, { service, project, region, label, filter }: GetOptions): string {
  const { many } = KIND_NAMES[kind];
  const filtered = [service, project, region, label, filter].some((option) => option !== undefined);
  return filtered
    ? `No ${many} match. \`signalbox get ${many}\` lists all.`
    : `There are no ${many} yet. \`signalbox apply -f FILE\` brings some.`;
}

const kindsHelp = (): string =>
  `what to list: ${Object.values(KIND_NAMES)
    .map(({ many, short }) => `${many} (${short[0]})`)
    .join(', ')}`;
