import type { Command } from 'commander';
import { sayingColumns } from './columns.ts';
import { apiOf, globalsOf } from './globals.ts';
import type { Page } from './http.ts';
import type { Io } from './io.ts';
import { printable } from './style.ts';
import { renderTable, type Column } from './table.ts';

/** Who is connected to the feed, as far as it is shown. */
export interface Subscriber {
  /** RFC 3339, UTC. */
  readonly since: string;
  readonly transport: string;
  readonly remoteAddress?: string;
  readonly userAgent?: string;
  readonly subscriptions?: readonly { readonly topic: string; readonly lag?: number }[];
  readonly queuedBytes?: number;
  readonly bytesSent?: number;
}

interface CutOff {
  readonly at: string;
  readonly remoteAddress: string;
  readonly reason: string;
  readonly topics: readonly string[];
}

interface SubscribersAnswer extends Page<Subscriber> {
  readonly cutOffs?: readonly CutOff[];
}

const PAGE_SIZE = 500;
const CUT_OFFS_SHOWN = 10;

/** `signalbox subscribers`: who watches what, and how far behind they are. */
export function addSubscribers(program: Command, io: Io): void {
  program
    .command('subscribers')
    .summary('show who watches what, and how far behind they are')
    .description(
      'Shows everyone who is connected to the feed of the node that answers: since when, over what, what they watch, by how many revisions they are behind, what waits to be sent and what was sent; then who was cut off of late, and why.',
    )
    .addHelpText(
      'after',
      `
With --json each subscriber is a line of JSON.

Examples:
  signalbox subscribers
  signalbox subscribers --json | jq -r .remoteAddress`,
    )
    .action(async (_options: unknown, command: Command) => {
      const api = apiOf(command, io);
      const json = globalsOf(command).json === true;
      const items: Subscriber[] = [];
      let cutOffs: readonly CutOff[] = [];
      let pageToken: string | undefined;
      do {
        const page: SubscribersAnswer = await api.get('/v1/subscribers', { pageSize: PAGE_SIZE, pageToken });
        if (json) for (const item of page.items) io.out(JSON.stringify(item));
        items.push(...(json ? [] : page.items));
        // Each page has them; the last one has the latest.
        cutOffs = page.cutOffs ?? [];
        pageToken = page.nextPageToken || undefined;
      } while (pageToken !== undefined);
      if (!json) io.out(subscribersText(items, cutOffs, io));
    });
}

function subscribersText(
  items: readonly Subscriber[],
  cutOffs: readonly CutOff[],
  io: Pick<Io, 'width' | 'style'>,
): string {
  const { width, style } = io;
  const parts =
    items.length === 0
      ? ['Nobody watches. `signalbox watch` does.']
      : [renderTable(sayingColumns(COLUMNS, items), items, { width, style })];
  if (cutOffs.length > 0) {
    const shown = cutOffs.slice(0, CUT_OFFS_SHOWN).map(cutOffLine);
    const more = cutOffs.length - shown.length;
    parts.push([style.bold('Cut off:'), ...shown, ...(more > 0 ? [`  and ${more} more`] : [])].join('\n'));
  }
  return parts.join('\n\n');
}

const cutOffLine = ({ at, remoteAddress, reason, topics }: CutOff): string =>
  `  ${printable(`${clock(at)}  ${remoteAddress}  ${reason}  ${topics.join(' ')}`)}`;

/** Behind by the slowest of its subscriptions. */
const lagOf = ({ subscriptions = [] }: Subscriber): string => {
  const lags = subscriptions.flatMap(({ lag }) => (lag === undefined ? [] : [lag]));
  return lags.length === 0 ? '' : String(Math.max(...lags));
};

const COLUMNS: readonly Column<Subscriber>[] = [
  { head: 'SINCE', cell: ({ since }) => clock(since) },
  { head: 'TRANSPORT', cell: ({ transport }) => transport },
  { head: 'ADDRESS', cell: ({ remoteAddress = '' }) => remoteAddress },
  { head: 'TOPICS', cell: ({ subscriptions = [] }) => subscriptions.map(({ topic }) => topic).join(' ') },
  { head: 'LAG', cell: lagOf, right: true },
  { head: 'QUEUED', cell: ({ queuedBytes }) => bytes(queuedBytes), right: true },
  { head: 'SENT', cell: ({ bytesSent }) => bytes(bytesSent), right: true },
];

const clock = (time: string): string => time.replace('T', ' ').replace(/\.[0-9]+Z$/, 'Z');

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** `0 B`, `4.2 KiB`, `118 MiB` */
export function bytes(n: number | undefined): string {
  if (n === undefined) return '';
  let [value, unit] = [n, 0];
  while (value >= 1024 && unit < UNITS.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}
