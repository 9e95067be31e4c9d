import type { Command } from 'commander';
import type { Warning } from '../domain/errors.ts';
import { showDiff } from './diff.ts';
import { readDocuments, toNdjson, type Document } from './documents.ts';
import { CliError, failure, usageError } from './errors.ts';
import { apiOf, globalsOf } from './globals.ts';
import type { Api } from './http.ts';
import type { Io } from './io.ts';
import { collectLabels, labelsText } from './selectors.ts';
import { count, printable, type Style } from './style.ts';

interface ApplyOptions {
  readonly file: readonly string[];
  readonly dryRun?: true;
  readonly prune?: true;
  readonly label?: Readonly<Record<string, string>>;
}

type Op = 'created' | 'updated' | 'unchanged' | 'deleted';

/** What `POST /v1/apply` answers. */
export interface ApplyAnswer {
  readonly revision: number;
  readonly dryRun: boolean;
  readonly summary: Readonly<Record<Op, number>>;
  readonly items: readonly {
    readonly name: string;
    readonly op: Op;
    /** Of an updated resource; paths are JSON pointers into it. */
    readonly changes?: readonly { readonly path: string; readonly before?: unknown; readonly after?: unknown }[];
  }[];
  readonly warnings: readonly Warning[];
}

/** `signalbox apply`: files to the catalog, in one atomic revision. */
export function addApply(program: Command, io: Io): void {
  program
    .command('apply')
    .summary('make the catalog what files say, in one revision')
    .description(
      'Creates and updates the resources in the files, all of them in one revision or none. Files hold JSON, NDJSON or YAML (several documents); the order of resources does not matter, since what is judged is the state that all of them make.',
    )
    .requiredOption('-f, --file <files...>', 'files or directories with resources; - is standard input')
    .option('--dry-run', 'show what would change, and change nothing')
    .option('--prune', 'also delete what carries the labels of -l and is not in the files')
    .option(
      '-l, --label <labels>',
      'with --prune: KEY=VALUE, all of which a resource must carry to be deleted',
      collectLabels,
    )
    .addHelpText(
      'after',
      `
Examples:
  signalbox apply -f catalog.yaml
  signalbox apply -f regions.yaml -f services/ --dry-run
  signalbox apply -f team.yaml --prune -l team=identity
  signalbox export | sed s/us-east/us-east-1/ | signalbox apply -f - --dry-run`,
    )
    .action(async (options: ApplyOptions, command: Command) => {
      const labels = pruneLabels(options);
      if (options.file.includes('-') && io.stdin.isTTY === true)
        io.err('Reading resources from the terminal; Ctrl-D ends them.');
      const documents = await readDocuments(options.file, io.stdin as AsyncIterable<unknown>);
      if (documents.length === 0)
        throw failure('Nothing to apply', `There is no resource in ${options.file.join(', ')}.`);
      const answer = await send(apiOf(command, io), documents, options.dryRun === true, labels);
      if (globalsOf(command).json === true) return io.out(JSON.stringify(answer));
      for (const line of warningLines(answer.warnings, io.errStyle)) io.err(line);
      io.out(applyText(answer, documents, io.style));
    });
}

function pruneLabels({ prune, label }: ApplyOptions): string | undefined {
  if (prune !== true) {
    if (label !== undefined) throw usageError('-l says what --prune may delete; without --prune it has no meaning.');
    return undefined;
  }
  if (label === undefined)
    throw usageError('--prune deletes, so it wants to know what belongs to these files: add -l KEY=VALUE.');
  return labelsText(label);
}

async function send(
  api: Api,
  documents: readonly Document[],
  dryRun: boolean,
  prune: string | undefined,
): Promise<ApplyAnswer> {
  try {
    return await api.send<ApplyAnswer>('POST', '/v1/apply', {
      query: { ...(dryRun && { dryRun }), prune },
      body: toNdjson(documents),
      contentType: 'application/x-ndjson',
    });
  } catch (error) {
    throw error instanceof CliError ? inFiles(error, documents) : error;
  }
}

/** The server knows documents by their number; who wrote them knows files and lines. */
function inFiles(error: CliError, documents: readonly Document[]): CliError {
  const { problem } = error;
  if (problem.errors === undefined) return error;
  const errors = problem.errors.map((one) => {
    const [, index, rest = ''] = /^\/(\d+)(\/.*)?$/.exec(one.pointer ?? '') ?? [];
    const document = documents[Number(index)];
    return document === undefined
      ? one
      : {
          ...one,
          place: `${document.file}:${document.line}`,
          resource: String(document.value['name']),
          field: fieldOf(rest),
        };
  });
  return new CliError(error.exitCode, { ...problem, title: problem.title ?? '', errors }, { cause: error });
}

/** `/labels/tier` as a person writes it: `labels.tier`. */
const fieldOf = (pointer: string): string =>
  pointer
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .join('.');

/** Of each kind of warning so many are shown: what is odd about thousands of resources is one thing to know. */
const WARNINGS_SHOWN = 3;

/** What is odd in what was accepted. */
export function warningLines(warnings: readonly Warning[], style: Style): string[] {
  const byCode = new Map<string, Warning[]>();
  for (const warning of warnings) {
    const alike = byCode.get(warning.code);
    if (alike === undefined) byCode.set(warning.code, [warning]);
    else alike.push(warning);
  }
  return [...byCode].flatMap(([code, alike]) => {
    const lines = alike
      .slice(0, WARNINGS_SHOWN)
      .map(({ resource, message }) => `${style.yellow('warning:')} ${printable(resource)}: ${printable(message)}`);
    const more = alike.length - lines.length;
    return more === 0
      ? lines
      : [
          ...lines,
          `${style.yellow('warning:')} ${count(more, 'more', 'more')} of this kind (${printable(code)}); --json shows all`,
        ];
  });
}

const MARK: Readonly<Record<Op, string>> = { created: '+', updated: '~', unchanged: '=', deleted: '-' };

/** Every resource that changes, the changed fields below it when it was a dry run, and the counts. */
export function applyText(answer: ApplyAnswer, documents: readonly Document[], style: Style): string {
  const paint = { created: style.green, updated: style.yellow, unchanged: style.dim, deleted: style.red };
  const wanted = new Map(documents.map(({ value }) => [String(value['name']), value]));
  const lines: string[] = [];
  for (const { name, op, changes = [] } of answer.items) {
    if (op === 'unchanged') continue;
    lines.push(`${paint[op](`${MARK[op]} ${printable(name)}`)}${answer.dryRun ? '' : ` ${op}`}`);
    if (!answer.dryRun) continue;
    const fields = op === 'created' ? fieldsOf(wanted.get(name) ?? {}) : changes;
    for (const { path, before, after } of fields) {
      const mark = before === undefined ? style.green('+') : after === undefined ? style.red('-') : style.yellow('~');
      lines.push(`    ${mark} ${showDiff({ path: fieldOf(path), before, after })}`);
    }
  }
  const { created, updated, unchanged, deleted } = answer.summary;
  const counts = `${count(created, 'created', 'created')}, ${updated.toLocaleString('en-US')} updated, ${unchanged.toLocaleString('en-US')} unchanged, ${deleted.toLocaleString('en-US')} deleted`;
  lines.push(`${style.bold(counts)}; ${ending(answer)}`);
  return lines.join('\n');
}

const fieldsOf = (value: Document['value']) =>
  Object.entries(value)
    .filter(([field]) => field !== 'name')
    .map(([field, after]) => ({ path: `/${field}`, before: undefined, after }));

function ending({ dryRun, revision, summary }: ApplyAnswer): string {
  if (dryRun) return 'nothing was changed (dry run)';
  const changed = summary.created + summary.updated + summary.deleted > 0;
  return changed ? `revision ${revision}` : `still revision ${revision}`;
}
