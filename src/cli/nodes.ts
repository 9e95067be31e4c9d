import type { Command } from 'commander';
import { sayingColumns } from './columns.ts';
import { apiOf, globalsOf } from './globals.ts';
import type { Io } from './io.ts';
import { renderTable, type Column } from './table.ts';

/** A node, as far as it is shown. */
interface Node {
  readonly name: string;
  readonly version: string;
  readonly startedAt: string;
  readonly heardAt: string;
  readonly live: boolean;
  readonly member: boolean;
  readonly self: boolean;
  readonly ready?: boolean;
  readonly draining?: boolean;
  readonly degraded?: readonly { readonly mode: string }[];
  readonly revision?: number;
  readonly watchers?: number;
  readonly instances?: number;
}

/** `signalbox nodes`: the nodes that serve, and how they are. */
export function addNodes(program: Command, io: Io): void {
  program
    .command('nodes')
    .summary('show the nodes that serve, and how they are')
    .description(
      'Shows the nodes on the database of the one that answers (marked *): whether they are ready, what is wrong with them, how far they are, who is connected to them, and whether they have a share of the leases and checks.',
    )
    .addHelpText(
      'after',
      `
With --json the answer of GET /v1/nodes.

Examples:
  signalbox nodes
  signalbox nodes --json | jq -r '.nodes[] | select(.live) | .name'`,
    )
    .action(async (_options: unknown, command: Command) => {
      const answer: { readonly nodes: readonly Node[] } = await apiOf(command, io).get('/v1/nodes');
      if (globalsOf(command).json === true) return io.out(JSON.stringify(answer));
      const nodes = answer.nodes.toSorted((a, b) => (a.name < b.name ? -1 : 1));
      io.out(renderTable(sayingColumns(COLUMNS, nodes), nodes, { width: io.width, style: io.style }));
    });
}

const stateOf = ({ live, ready = false, draining = false }: Node): string =>
  live ? (draining ? 'draining' : ready ? 'ready' : 'not ready') : 'gone';

const number = (value: number | undefined): string => value?.toLocaleString('en-US') ?? '';
const clock = (time: string): string => time.replace('T', ' ').replace(/\.[0-9]+Z$/, 'Z');

const COLUMNS: readonly Column<Node>[] = [
  { head: 'NAME', cell: ({ name, self }) => `${name}${self ? ' *' : ''}` },
  { head: 'STATE', cell: stateOf },
  { head: 'DEGRADED', cell: ({ degraded = [] }) => degraded.map(({ mode }) => mode).join(' ') },
  { head: 'SHARE', cell: ({ member }) => (member ? 'yes' : 'no') },
  { head: 'REVISION', cell: ({ revision }) => number(revision), right: true },
  { head: 'WATCHERS', cell: ({ watchers }) => number(watchers), right: true },
  { head: 'INSTANCES', cell: ({ instances }) => number(instances), right: true },
  { head: 'VERSION', cell: ({ version }) => version },
  { head: 'STARTED', cell: ({ startedAt }) => clock(startedAt) },
  { head: 'HEARD', cell: ({ heardAt }) => clock(heardAt) },
];
