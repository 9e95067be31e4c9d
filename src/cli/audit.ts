import { InvalidArgumentError, Option, type Command } from 'commander';
import { AUDIT_CATEGORIES, type AuditEntry } from '../domain/audit.ts';
import { sayingColumns } from './columns.ts';
import { apiOf, globalsOf } from './globals.ts';
import type { Api, Query } from './http.ts';
import type { Io } from './io.ts';
import { positiveInteger } from './selectors.ts';
import { renderTable, type Column } from './table.ts';

interface AuditOptions {
  readonly subject?: string;
  readonly account?: string;
  readonly project?: string;
  readonly action?: string;
  readonly category?: string;
  readonly target?: string;
  readonly service?: string;
  readonly result?: string;
  readonly from?: string;
  readonly to?: string;
  readonly limit?: number;
}

/** An entry as the server answers it. */
type Shown = Omit<AuditEntry, 'at'> & { readonly at: string };

const PATH = '/v1/audit';
const SHOWN = 50;

/** `signalbox audit`: who did what. */
export function addAudit(program: Command, io: Io): void {
  program
    .command('audit')
    .summary('show who did what')
    .description(
      'Shows the audit, the newest first: changes, refused attempts, logins and operations. Administrators see all of it, service accounts and API owners what is about their services.',
    )
    .option('--subject <subject>', 'only what this subject did')
    .option('--account <name>', 'only what this service account did, by its full name')
    .option('-p, --project <project>', 'only what the service accounts of this project did')
    .option('--action <action>', 'only this action, such as catalog.write')
    .addOption(new Option('--category <category>', 'only entries of this sort').choices(AUDIT_CATEGORIES))
    .option('--target <name>', 'only what was done to this resource, by its full name')
    .option('-s, --service <service>', 'only what is about this service')
    .option('--result <result>', 'only what came out like this, such as updated or forbidden')
    .option('--from <time>', 'only from this time on, such as 2026-01-15T10:00:00Z', timeText)
    .option('--to <time>', 'only before this time', timeText)
    .option('--limit <number>', `at most so many; without it ${SHOWN} in a table, and all with --json`, positiveInteger)
    .addHelpText(
      'after',
      `
With --json each entry is a line of JSON.

Examples:
  signalbox audit
  signalbox audit -s iam.edgelq.com --category refusal
  signalbox audit --target services/iam.edgelq.com/deployments/us-east
  signalbox audit --from 2026-01-01T00:00:00Z --json > audit.ndjson`,
    )
    .action(async ({ limit, ...filters }: AuditOptions, command: Command) => {
      const api = apiOf(command, io);
      const query: Query = { ...filters };
      if (globalsOf(command).json !== true) return table(api, query, limit ?? SHOWN, io);
      if (limit !== undefined) {
        for await (const entry of api.list<Shown>(PATH, query, limit)) io.out(JSON.stringify(entry));
        return;
      }
      const request = { accept: 'application/x-ndjson', query };
      for await (const bytes of api.stream('GET', PATH, request)) await io.write(bytes);
    });
}

async function table(api: Api, query: Query, limit: number, io: Pick<Io, 'out' | 'width' | 'style'>): Promise<void> {
  const entries: Shown[] = [];
  // One more says whether there are more.
  for await (const entry of api.list<Shown>(PATH, query, limit + 1)) entries.push(entry);
  const shown = entries.slice(0, limit);
  if (shown.length === 0) return io.out('The audit has no such entry that you may see.');
  const { width, style } = io;
  io.out(renderTable(sayingColumns(COLUMNS, shown), shown, { width, style }));
  if (entries.length > limit) io.out(`\nOlder ones are left out; --limit shows more.`);
}

function timeText(text: string): string {
  if (/^\d{4}-\d{2}-\d{2}T/.test(text) && !Number.isNaN(Date.parse(text))) return text;
  throw new InvalidArgumentError('It is a time such as 2026-01-15T10:00:00Z.');
}

const COLUMNS: readonly Column<Shown>[] = [
  { head: 'AT', cell: ({ at }) => at.replace('T', ' ').replace(/\.[0-9]+Z$/, 'Z') },
  { head: 'SUBJECT', cell: ({ subject }) => subject },
  { head: 'ACTION', cell: ({ action }) => action },
  { head: 'TARGET', cell: ({ target, service }) => target ?? (service === undefined ? '' : `of ${service}`) },
  { head: 'RESULT', cell: ({ result }) => result },
  { head: 'REVISION', cell: ({ before, after }) => revisions(before, after), right: true },
  { head: 'ADDRESS', cell: ({ address = '' }) => address },
  { head: 'DETAIL', cell: ({ detail = '' }) => detail },
];

/** `41 → 42`, or what there is of it. */
function revisions(before: number | undefined, after: number | undefined): string {
  if (after === undefined) return '';
  return before === undefined ? `${after}` : `${before} → ${after}`;
}
