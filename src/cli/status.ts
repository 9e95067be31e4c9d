import type { Command } from 'commander';
import { parseName } from '../domain/names.ts';
import { KINDS, RUNTIME_KINDS, type Kind } from '../domain/resources.ts';
import { PROTOCOL } from '../protocol/version.ts';
import { CliError, failure } from './errors.ts';
import { apiOf, globalsOf } from './globals.ts';
import type { Api } from './http.ts';
import type { Io } from './io.ts';
import { KIND_NAMES } from './kinds.ts';
import { packageVersion } from './package-version.ts';
import { printable, type Style } from './style.ts';

interface Head {
  readonly epoch: string;
  readonly revision: number;
  /** The log holds every revision above it. */
  readonly trimmed: number;
}

interface Status extends Head {
  readonly url: string;
  readonly ready: true;
  readonly versions: { readonly server: string; readonly command: string; readonly protocol: string };
  readonly kinds: Readonly<Record<Kind, number>>;
}

/** `signalbox status`: whether the server serves, where its log stands and how much it holds. */
export function addStatus(program: Command, io: Io): void {
  program
    .command('status')
    .summary('show whether the server serves, and what it holds')
    .description(
      'Shows whether the server is ready, the position of its log, versions, and how many resources of each kind there are. A server that is not ready makes exit code 1.',
    )
    .addHelpText(
      'after',
      `
Examples:
  signalbox status
  signalbox status --json | jq .revision
  until signalbox status > /dev/null 2>&1; do sleep 1; done`,
    )
    .action(async (_options: unknown, command: Command) => {
      const api = apiOf(command, io);
      await assertReady(api);
      const status = await statusOf(api);
      io.out(globalsOf(command).json === true ? JSON.stringify(status) : statusText(status, io.style));
    });
}

async function assertReady(api: Api): Promise<void> {
  try {
    await api.get('/readyz');
  } catch (error) {
    if (!(error instanceof CliError) || error.problem.status !== 503) throw error;
    throw failure(
      'Signalbox is not ready',
      `${api.url} is there, but its catalog is still being loaded, or it is shutting down. Try again in a moment.`,
    );
  }
}

async function statusOf(api: Api): Promise<Status> {
  const [{ epoch, revision, trimmed }, document, kinds] = await Promise.all([
    api.get<Head>('/v1/state'),
    api.get<{ info: { version: string } }>('/openapi.json'),
    countKinds(api),
  ]);
  const versions = { server: document.info.version, command: packageVersion(), protocol: PROTOCOL };
  return { url: api.url, ready: true, epoch, revision, trimmed, versions, kinds };
}

async function countKinds(api: Api): Promise<Record<Kind, number>> {
  const counts = Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Record<Kind, number>;
  const decoder = new TextDecoder();
  let rest = '';
  const countLines = (text: string): void => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') continue;
      const kind = parseName((JSON.parse(line) as { name: string }).name)?.kind;
      if (kind !== undefined) counts[kind] += 1;
    }
  };
  for await (const bytes of api.stream('GET', '/v1/export', { accept: 'application/x-ndjson' })) {
    countLines(decoder.decode(bytes, { stream: true }));
  }
  countLines('\n');
  // A manifest holds the catalog; what runs is listed.
  for (const kind of RUNTIME_KINDS) {
    const listed = api.list(`/v1/${KIND_NAMES[kind].many}`, {});
    while ((await listed.next()).done !== true) counts[kind] += 1;
  }
  return counts;
}

function statusText({ url, epoch, revision, trimmed, versions, kinds }: Status, style: Style): string {
  const log = trimmed === revision ? 'empty' : `${trimmed + 1} to ${revision}`;
  const facts: [string, string][] = [
    ['server', `${url} ${style.green('ready')}`],
    [
      'version',
      `${printable(versions.server)}${versions.server === versions.command ? '' : style.yellow(` (this command: ${versions.command})`)}`,
    ],
    ['push', versions.protocol],
    ['epoch', printable(epoch)],
    ['revision', String(revision)],
    ['log', log],
    ...KINDS.map((kind): [string, string] => [KIND_NAMES[kind].many, kinds[kind].toLocaleString('en-US')]),
  ];
  return facts.map(([name, value]) => `${style.bold(name.padEnd(17))}${value}`).join('\n');
}
