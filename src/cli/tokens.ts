import type { Command } from 'commander';
import { ID_PATTERNS } from '../domain/names.ts';
import { readRegistrationToken, REGISTRATION_TOKEN_ID } from '../domain/registration-token.ts';
import { sayingColumns } from './columns.ts';
import { usageError } from './errors.ts';
import { apiOf, globalsOf } from './globals.ts';
import type { Io } from './io.ts';
import { duration } from './selectors.ts';
import { printable } from './style.ts';
import { renderTable, type Column } from './table.ts';

/** A registration token as the server lists it. */
interface Token {
  readonly id: string;
  readonly title?: string;
  /** RFC 3339, UTC, as the others. */
  readonly createTime: string;
  readonly expireTime: string;
  readonly createdBy: string;
  readonly revokeTime?: string;
}

interface CreateOptions {
  readonly title?: string;
  readonly ttl?: string;
}

const SERVICE = 'the id of the service, such as orders.example.com';

/** `signalbox tokens`: registration tokens, for services that cannot do OAuth. */
export function addTokens(program: Command, io: Io): void {
  const tokens = program
    .command('tokens')
    .summary('make, list and revoke the registration tokens of a service')
    .description(
      'Registration tokens are for services that cannot do OAuth. Whoever shows one registers, renews and deregisters instances of its one service, and does nothing else.',
    );
  addCreate(tokens, io);
  addList(tokens, io);
  addRevoke(tokens, io);
}

function addCreate(tokens: Command, io: Io): void {
  tokens
    .command('create')
    .summary('make one, and print it this once')
    .description(
      'Makes a registration token and prints it alone to standard output. It is kept nowhere: only now is it told.',
    )
    .argument('<service>', SERVICE)
    .option('--title <text>', 'what it is for')
    .option('--ttl <duration>', 'how long it is good, such as 720h (90 days)', duration)
    .addHelpText(
      'after',
      `
Examples:
  signalbox tokens create orders.example.com --title 'the old farm' > orders.token
  SIGNALBOX_TOKEN=$(cat orders.token) signalbox register --service orders.example.com --port 8080 -- ./orders
  signalbox register --token-file orders.token --service orders.example.com --port 8080 -- ./orders`,
    )
    .action(async (service: string, options: CreateOptions, command: Command) => {
      const api = apiOf(command, io);
      const { title, ttl } = options;
      const body = { ...(title !== undefined && { title }), ...(ttl !== undefined && { ttl }) };
      const created = await api.sendJson<Token & { readonly token: string }>('POST', pathOf(service), body);
      if (globalsOf(command).json === true) return io.out(JSON.stringify(created));
      io.out(created.token);
      io.err(`Registration token ${created.id} of ${service}, good until ${clock(created.expireTime)}.`);
      io.err(`It is not shown again. \`signalbox tokens revoke ${service} ${created.id}\` ends it.`);
    });
}

function addList(tokens: Command, io: Io): void {
  tokens
    .command('list')
    .summary('list those of a service')
    .description(
      'Lists the registration tokens of a service in the order in which they were made, without what their bearers show.',
    )
    .argument('<service>', SERVICE)
    .addHelpText('after', '\nWith --json each token is a line of JSON.')
    .action(async (service: string, _options: unknown, command: Command) => {
      const json = globalsOf(command).json === true;
      const rows: Token[] = [];
      for await (const token of apiOf(command, io).list<Token>(pathOf(service), {})) {
        if (json) io.out(JSON.stringify(token));
        else rows.push(token);
      }
      if (json) return;
      if (rows.length === 0) {
        io.out(`${service} has no registration tokens. \`signalbox tokens create ${service}\` makes one.`);
        return;
      }
      io.out(renderTable(sayingColumns(COLUMNS, rows), rows, { width: io.width, style: io.style }));
    });
}

function addRevoke(tokens: Command, io: Io): void {
  tokens
    .command('revoke')
    .summary('end one')
    .description(
      'Revokes a registration token: it is good no more, within seconds at every node. Instances that were registered with it stay as long as their leases do. Doing it twice is doing it once.',
    )
    .argument('<service>', SERVICE)
    .argument('<id>', 'the id of the token, which `signalbox tokens list` shows')
    .action(async (service: string, text: string, _options: unknown, command: Command) => {
      const id = idOf(text);
      const revoked = await apiOf(command, io).send<Token>('DELETE', `${pathOf(service)}/${id}`);
      if (globalsOf(command).json === true) return io.out(JSON.stringify(revoked));
      io.out(`Registration token ${id} of ${service} is revoked since ${clock(revoked.revokeTime ?? '')}.`);
    });
}

function pathOf(service: string): string {
  if (new RegExp(ID_PATTERNS.service).test(service)) return `/v1/services/${service}/registration-tokens`;
  throw usageError(`"${printable(service)}" is not the id of a service.`);
}

/** Whoever has the token itself at hand may give that: it is not sent in a URL. What is neither is not repeated. */
function idOf(text: string): string {
  const id = readRegistrationToken(text.trim())?.id ?? text;
  if (new RegExp(REGISTRATION_TOKEN_ID).test(id)) return id;
  throw usageError('That is not the id of a registration token, which is 24 hexadecimal digits.');
}

const clock = (time: string): string => time.replace('T', ' ').replace(/\.[0-9]+Z$/, 'Z');

const COLUMNS: readonly Column<Token>[] = [
  { head: 'TOKEN', cell: ({ id }) => id },
  { head: 'TITLE', cell: ({ title = '' }) => title },
  { head: 'MADE', cell: ({ createTime }) => clock(createTime) },
  { head: 'BY', cell: ({ createdBy }) => createdBy },
  { head: 'GOOD UNTIL', cell: ({ expireTime }) => clock(expireTime) },
  { head: 'REVOKED', cell: ({ revokeTime = '' }) => clock(revokeTime) },
];
