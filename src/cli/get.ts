import type { Command } from 'commander';
import { stringify } from 'yaml';
import { instanceName, nameOf, NO_REGION, parseName } from '../domain/names.ts';
import type { Kind, Value } from '../domain/resources.ts';
import { COLUMNS, sayingColumns } from './columns.ts';
import { usageError } from './errors.ts';
import { apiOf, globalsOf } from './globals.ts';
import { findInstanceId } from './find-instance.ts';
import type { Api, Query } from './http.ts';
import type { Io } from './io.ts';
import { KIND_NAMES, PARENT_OF, kindOf, resourceName } from './kinds.ts';
import {
  addInstanceFilters,
  checkFilters,
  collectLabels,
  collectList,
  positiveInteger,
  type FilterOptions,
} from './selectors.ts';
import { literal } from './filter-text.ts';
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
  const get = program
    .command('get')
    .summary('list resources of a kind, or show one')
    .description(
      'Lists the resources of a kind as a table, or shows one of them in YAML; of the catalog, as `apply` takes it; of an instance, with what its checks have found.',
    )
    .argument('<kind>', kindsHelp())
    .argument(
      '[name]',
      'one resource: its id (with -s or -p where it stands below a service or project), or its full name; an instance also by the beginning of its id, or its address:port',
    )
    .option('-s, --service <services>', 'only what belongs to these services', collectList)
    .option('-p, --project <projects>', 'only accounts and services of these projects', collectList)
    .option('-r, --region <regions>', 'only these regions, and what is in them', collectList)
    .option('-l, --label <labels>', 'only what carries all of these labels, KEY=VALUE', collectLabels);
  addInstanceFilters(get)
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
  signalbox get instances -s orders.example.com -r eu-central --passing
  signalbox get instances --tag zone=a --filter 'status = critical'
  signalbox get instance 3f1c0e9ab2d44c5e8f7a6b21
  signalbox get overrides
  signalbox get services --json | jq -r .name`,
    )
    .action(async (kindText: string, name: string | undefined, options: GetOptions, command: Command) => {
      if (name === undefined && !kindText.includes('/')) return list(kindOf(kindText), options, command, io);
      const api = apiOf(command, io);
      const full = kindText.includes('/') ? fullName(kindText) : await nameFrom(api, kindText, name ?? '', options);
      const value = await api.get<Value>(`/v1/${full}`);
      io.out(globalsOf(command).json === true ? JSON.stringify(value) : yamlOf(value));
    });
}

function fullName(text: string): string {
  if (parseName(text) !== undefined) return text;
  throw usageError(
    `"${printable(text)}" is not the name of a resource, such as services/iam.example.com/deployments/us-east.`,
  );
}

/** What checks report is whatever a service has answered. */
const yamlOf = (value: Value): string =>
  stringify(value, { lineWidth: 0 }).trimEnd().split('\n').map(printable).join('\n');

async function nameFrom(api: Api, kindText: string, text: string, options: GetOptions): Promise<string> {
  const kind = kindOf(kindText);
  if (kind === 'instance' && !text.includes('/')) return instanceName(await findInstanceId(api, text));
  // An override of a region is beside the service, one of an instance beside nothing.
  const above = kind === 'override' && options.service !== undefined ? 'service' : PARENT_OF[kind];
  const parents = above === undefined ? undefined : options[above];
  if (parents !== undefined && parents.length > 1) throw usageError(`One resource stands below one ${above}.`);
  return resourceName(kind, text, parents?.[0]);
}

async function list(kind: Kind, options: GetOptions, command: Command, io: Io): Promise<void> {
  const { path, query } = listRequest(kind, options);
  const json = globalsOf(command).json === true;
  const rows: Value[] = [];
  for await (const value of apiOf(command, io).list<Value>(path, query, options.limit)) {
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
  checkFilters(kind, options);
  const above = PARENT_OF[kind];
  const parents = above === undefined ? undefined : options[above];
  const parts: string[] = [];
  if (filter !== undefined) parts.push(`(${filter})`);
  if (parents !== undefined && parents.length > 1) parts.push(anyOf('parent', parents));
  if (service !== undefined && above !== 'service') parts.push(anyOf(fieldFor(kind, 'service'), service));
  if (project !== undefined && above !== 'project') parts.push(anyOf(fieldFor(kind, 'project'), project));
  if (region !== undefined) parts.push(inRegions(kind, region));
  for (const [key, value] of Object.entries(label ?? {})) parts.push(`labels.${literal(key)} = ${literal(value)}`);
  parts.push(...ofInstances(options));
  const only = parents?.length === 1 ? encodeURIComponent(parents[0] ?? '') : '-';
  const [collection = ''] = kind === 'override' ? ['overrides'] : (/^.*(?=\/)/.exec(nameOf(kind, '-', only)) ?? []);
  return {
    path: `/v1/${collection}`,
    query: { filter: parts.length === 0 ? undefined : parts.join(' and '), orderBy },
  };
}

function ofInstances({ environment, protocol, version, tag, passing }: GetOptions): string[] {
  const parts: string[] = [];
  if (environment !== undefined) parts.push(anyOf('environment', environment));
  if (protocol !== undefined) parts.push(anyOf('protocol', protocol));
  if (version !== undefined) parts.push(anyOf('version', version));
  for (const [key, value] of Object.entries(tag ?? {})) parts.push(`tags.${literal(key)} = ${literal(value)}`);
  if (passing !== undefined) parts.push('passing = true');
  return parts;
}

const FIELD_FOR: Readonly<Record<string, Partial<Record<Kind, string>>>> = {
  service: { service: 'id', instance: 'service', override: 'service', advisory: 'service' },
  project: { project: 'id', service: 'project' },
  region: { region: 'id', deployment: 'id', instance: 'region', override: 'region', advisory: 'region' },
};

function fieldFor(kind: Kind, option: string): string {
  const field = FIELD_FOR[option]?.[kind];
  if (field === undefined) throw usageError(`--${option} says nothing about ${KIND_NAMES[kind].many}.`);
  return field;
}

function inRegions(kind: Kind, regions: readonly string[]): string {
  const any = anyOf(fieldFor(kind, 'region'), regions);
  // Instances without a region lack the field; what is said about them names it `-`.
  return kind === 'instance' && regions.includes(NO_REGION) ? `(${any} or not region : "")` : any;
}

const anyOf = (field: string, values: readonly string[]): string => `${field} in (${values.map(literal).join(', ')})`;

function nothing(kind: Kind, options: GetOptions): string {
  const { many } = KIND_NAMES[kind];
  const { limit: _limit, orderBy: _orderBy, ...filters } = options;
  if (Object.keys(filters).length > 0) return `No ${many} match. \`signalbox get ${many}\` lists all.`;
  return `There are no ${many} yet. ${HOW_THEY_COME[kind] ?? '`signalbox apply -f FILE` brings some.'}`;
}

const HOW_THEY_COME: Partial<Record<Kind, string>> = {
  instance: '`signalbox register --service S --port P -- COMMAND` runs one.',
  override: '`signalbox drain` sets one.',
  advisory: 'Signalbox makes one when there is something to know.',
};

const kindsHelp = (): string =>
  `what to list: ${Object.values(KIND_NAMES)
    .map(({ many, short }) => `${many} (${short[0]})`)
    .join(', ')}`;
